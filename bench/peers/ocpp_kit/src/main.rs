//! A central system of ocpp-kit, as its example `minimal_csms` shows one, decoding and validating every message with the
//! library's types. It serves `ws://127.0.0.1:PORT/ocpp/{identity}` until its standard input closes.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI32, Ordering};

use ocpp_kit::engine::IncomingRequest;
use ocpp_kit::rpc::CallError;
use ocpp_kit::transport::{Auth, AuthOutcome, BoxFuture, Csms, Ctx, Handler};
use ocpp_kit::types::DateTime;
use ocpp_kit::{RawValue, Version, v1_6, v2_0_1};
use tokio::io::{sink, stdin};

type Answer = Result<Box<RawValue>, CallError>;

const INTERVAL: i32 = 300; // seconds between Heartbeats

#[derive(Default)]
struct CentralSystem {
    transactions: AtomicI32,
}

impl Handler for CentralSystem {
    fn on_request(&self, ctx: Ctx, request: IncomingRequest) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            if ctx.version() == Version::V1_6 {
                let action = v1_6::Action::from_wire(&request.action)
                    .ok_or_else(|| CallError::not_implemented(&request.action))?;
                let request = v1_6::CsRequest::decode(action, &request.payload, ctx.decode_options())?;
                self.answer_v16(&ctx, &request)
            } else {
                let action = v2_0_1::Action::from_wire(&request.action)
                    .ok_or_else(|| CallError::not_implemented(&request.action))?;
                let request = v2_0_1::CsRequest::decode(action, &request.payload, ctx.decode_options())?;
                answer_v201(&ctx, &request)
            }
        })
    }
}

impl CentralSystem {
    fn answer_v16(&self, ctx: &Ctx, request: &v1_6::CsRequest) -> Answer {
        use v1_6::CsRequest as Request;
        let accepted = || v1_6::IdTagInfo::new(v1_6::AuthorizationStatus::Accepted);
        match request {
            Request::BootNotification(_) => ctx.reply(&v1_6::BootNotificationResponse::new(
                v1_6::RegistrationStatus::Accepted,
                DateTime::now(),
                INTERVAL,
            )),
            Request::Heartbeat(_) => ctx.reply(&v1_6::HeartbeatResponse::new(DateTime::now())),
            Request::StatusNotification(_) => ctx.reply(&v1_6::StatusNotificationResponse::new()),
            Request::Authorize(_) => ctx.reply(&v1_6::AuthorizeResponse::new(accepted())),
            Request::StartTransaction(_) => ctx.reply(&v1_6::StartTransactionResponse::new(
                accepted(),
                self.transactions.fetch_add(1, Ordering::Relaxed) + 1,
            )),
            Request::MeterValues(_) => ctx.reply(&v1_6::MeterValuesResponse::new()),
            Request::StopTransaction(_) => ctx.reply(&v1_6::StopTransactionResponse::new()),
            other => Err(CallError::not_supported(other.action().as_str())),
        }
    }
}

fn answer_v201(ctx: &Ctx, request: &v2_0_1::CsRequest) -> Answer {
    use v2_0_1::CsRequest as Request;
    match request {
        Request::BootNotification(_) => ctx.reply(&v2_0_1::BootNotificationResponse::new(
            DateTime::now(),
            INTERVAL,
            v2_0_1::RegistrationStatus::Accepted,
        )),
        Request::Heartbeat(_) => ctx.reply(&v2_0_1::HeartbeatResponse::new(DateTime::now())),
        Request::StatusNotification(_) => ctx.reply(&v2_0_1::StatusNotificationResponse::new()),
        Request::Authorize(_) => {
            ctx.reply(&v2_0_1::AuthorizeResponse::new(v2_0_1::IdTokenInfo::new(v2_0_1::AuthorizationStatus::Accepted)))
        }
        Request::TransactionEvent(_) => ctx.reply(&v2_0_1::TransactionEventResponse::new()),
        Request::MeterValues(_) => ctx.reply(&v2_0_1::MeterValuesResponse::new()),
        other => Err(CallError::not_supported(other.action().as_str())),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("usage: open-csms-bench-ocpp-kit PORT")?.parse()?;
    let csms = Csms::builder()
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .versions([Version::V2_0_1, Version::V1_6])
        .authenticate(|_: Auth| async { AuthOutcome::accept() })
        .handler(CentralSystem::default())
        .build()?;
    let status = tokio::select! {
        served = csms.serve() => {
            eprintln!("the server ended: {served:?}");
            1
        }
        _ = async { tokio::io::copy(&mut stdin(), &mut sink()).await } => 0,
    };
    // a read of standard input that is still blocked would hold the runtime's shutdown up
    std::process::exit(status)
}
