//! A CSMS of its own for the tests: it answers what stations of 1.6 say, keeps what it saw, and misbehaves when told to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};

/// A CALL of a station.
#[derive(Clone, Debug)]
pub struct Call {
    pub identity: String,
    pub text: String,
}

impl Call {
    pub fn frame(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

#[derive(Default)]
struct State {
    calls: Mutex<Vec<Call>>,
    /// What stations answered to commands.
    answers: Mutex<Vec<Value>>,
    stalled_until: Mutex<Option<Instant>>,
    /// MeterValues are taken and not answered.
    deaf: AtomicBool,
    /// Handshakes that are refused with 503.
    refusals: AtomicU32,
    transactions: AtomicU32,
}

pub struct Csms {
    pub address: SocketAddr,
    state: Arc<State>,
    commands: broadcast::Sender<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Csms {
    pub fn start() -> Self {
        let state = Arc::new(State::default());
        let (commands, _) = broadcast::channel(16);
        let (stop, stopped) = oneshot::channel();
        let (told, address) = std::sync::mpsc::channel();
        let (shared, sender) = (Arc::clone(&state), commands.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = accept(listener, shared, sender) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = address.recv_timeout(Duration::from_secs(5)).unwrap();
        Self { address, state, commands, stop: Some(stop), thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("ws://{}/ocpp", self.address)
    }

    pub fn calls(&self, action: &str) -> Vec<Call> {
        let calls = self.state.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().filter(|call| call.frame()[2] == action).cloned().collect()
    }

    pub fn answers(&self) -> Vec<Value> {
        self.state.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers nothing for so long.
    pub fn stall(&self, length: Duration) {
        *self.state.stalled_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + length);
    }

    pub fn set_deaf(&self, deaf: bool) {
        self.state.deaf.store(deaf, Ordering::SeqCst);
    }

    pub fn refuse(&self, handshakes: u32) {
        self.state.refusals.store(handshakes, Ordering::SeqCst);
    }

    /// Send a frame to every station.
    pub fn say(&self, frame: &Value) {
        self.commands.send(frame.to_string()).unwrap();
    }
}

impl Drop for Csms {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, commands: broadcast::Sender<String>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(stream, Arc::clone(&state), commands.subscribe()));
    }
}

async fn serve(stream: TcpStream, state: Arc<State>, mut commands: broadcast::Receiver<String>) {
    let mut identity = String::new();
    #[allow(clippy::result_large_err, reason = "the type that the library asks for")]
    let callback = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        identity = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let refused = state.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if refused.is_ok() {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return Err(refusal);
        }
        response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("ocpp1.6"));
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, callback).await else { return };
    loop {
        let frame = tokio::select! {
            frame = socket.next() => frame,
            Ok(command) = commands.recv() => {
                if socket.send(Message::text(command)).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let Some(Ok(frame)) = frame else { return };
        let Message::Text(text) = frame else { continue };
        let until = *state.stalled_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = until {
            tokio::time::sleep_until(until.into()).await;
        }
        let parsed: Value = serde_json::from_str(&text).unwrap();
        if parsed[0] != 2 {
            state.answers.lock().unwrap_or_else(PoisonError::into_inner).push(parsed);
            continue;
        }
        let call = Call { identity: identity.clone(), text: text.to_string() };
        state.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
        if parsed[2] == "MeterValues" && state.deaf.load(Ordering::SeqCst) {
            continue;
        }
        let answer = json!([3, parsed[1], answer(&state, parsed[2].as_str().unwrap_or_default())]);
        if socket.send(Message::text(answer.to_string())).await.is_err() {
            return;
        }
    }
}

fn answer(state: &State, action: &str) -> Value {
    match action {
        "BootNotification" => json!({"status": "Accepted", "interval": 300, "currentTime": "2026-01-01T00:00:00.000Z"}),
        "Heartbeat" => json!({"currentTime": "2026-01-01T00:00:00.000Z"}),
        "Authorize" => json!({"idTagInfo": {"status": "Accepted"}}),
        "StartTransaction" => {
            let number = state.transactions.fetch_add(1, Ordering::SeqCst) + 1;
            json!({"transactionId": number, "idTagInfo": {"status": "Accepted"}})
        }
        _ => json!({}),
    }
}
