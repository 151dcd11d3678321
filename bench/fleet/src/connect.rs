//! From nothing to an open WebSocket: TCP from the plan's addresses, TLS, upgrade; and how long to wait after a failure.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::chance::Chance;
use crate::clock::seconds;
use crate::plan::{Connect, Plan, Version};
use crate::tls::{self, Client};
use crate::transport::Transport;

/// What a station reads at once: most answers are shorter, and each connection holds a buffer of this size.
const READ_BUFFER: usize = 512;
/// The largest message that a station takes; OCPP knows none that is nearly as large.
const LARGEST_MESSAGE: usize = 1 << 20;
/// Of a receiver that is meant to be full soon.
const SMALL_RECEIVE_BUFFER: u32 = 4096;

pub type Socket = WebSocketStream<Transport>;

/// Where stations connect to, and how.
pub struct Dialler {
    url: String,
    address: SocketAddr,
    sources: Vec<IpAddr>,
    tls: Option<Client>,
}

/// Who connects.
pub struct Caller<'a> {
    /// Its number in the plan, which chooses the local address.
    pub number: usize,
    pub identity: &'a str,
    pub version: Version,
    pub password: Option<&'a str>,
    pub small_buffers: bool,
}

impl Dialler {
    /// Looks the server's name up.
    ///
    /// # Errors
    /// One line that names the field of the plan that is wrong.
    pub async fn new(plan: &Plan) -> Result<Self, String> {
        let uri: Uri = plan.url.parse().map_err(|error| format!("url: {error}"))?;
        let host = uri.host().ok_or("url: has no host")?.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if plan.tls.is_some() { 443 } else { 80 });
        let mut found = tokio::net::lookup_host((host, port)).await.map_err(|error| format!("url: {host}: {error}"))?;
        let address = found
            .find(|address| plan.sources.iter().all(|source| source.is_ipv4() == address.is_ipv4()))
            .ok_or_else(|| format!("url: {host} has no address that fits the sources"))?;
        let tls = plan.tls.as_ref().map(tls::client).transpose()?;
        Ok(Self { url: plan.url.clone(), address, sources: plan.sources.clone(), tls })
    }

    /// A connection up to the point where HTTP begins.
    ///
    /// # Errors
    /// The reason, by which failures are counted.
    pub async fn open(&self, caller: &Caller<'_>) -> Result<Transport, String> {
        let stream = self.tcp(caller).await.map_err(|error| io_reason(&error))?;
        match &self.tls {
            None => Ok(Transport::Plain(stream)),
            Some(client) => {
                let stream = client.connector.connect(client.server_name.clone(), stream).await;
                stream.map(|stream| Transport::Tls(Box::new(stream))).map_err(|error| tls_reason(&error))
            }
        }
    }

    /// An open WebSocket.
    ///
    /// # Errors
    /// The reason, by which failures are counted.
    pub async fn dial(&self, caller: &Caller<'_>) -> Result<Socket, String> {
        let request = self.request(caller)?;
        let transport = self.open(caller).await?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            // each frame is written at once
            .write_buffer_size(0)
            .max_write_buffer_size(2 * LARGEST_MESSAGE)
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        let (socket, _) =
            client_async_with_config(request, transport, Some(config)).await.map_err(|error| socket_reason(&error))?;
        Ok(socket)
    }

    /// The upgrade request of a station.
    ///
    /// # Errors
    /// The url and the identity do not make one.
    pub fn request(&self, caller: &Caller<'_>) -> Result<Request, String> {
        let url = format!("{}/{}", self.url, caller.identity);
        let mut request = url.into_client_request().map_err(|error| socket_reason(&error))?;
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static(caller.version.subprotocol()));
        if let Some(password) = caller.password {
            let credentials = BASE64_STANDARD.encode(format!("{}:{password}", caller.identity));
            let value = HeaderValue::try_from(format!("Basic {credentials}")).map_err(|error| error.to_string())?;
            headers.insert("authorization", value);
        }
        Ok(request)
    }

    async fn tcp(&self, caller: &Caller<'_>) -> io::Result<TcpStream> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_nodelay(true)?;
        if caller.small_buffers {
            socket.set_recv_buffer_size(SMALL_RECEIVE_BUFFER)?;
        }
        if let Some(source) = caller.number.checked_rem(self.sources.len()).and_then(|place| self.sources.get(place)) {
            // the port is chosen when the destination is known, so that each source has all ports for it
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
            socket.bind(SocketAddr::new(*source, 0))?;
        }
        socket.connect(self.address).await
    }
}

/// How long a station waits before its next attempt: doubled after each failure, with chance, so that a crowd spreads out.
#[derive(Debug)]
pub struct BackOff {
    failures: u32,
}

impl BackOff {
    pub const fn new() -> Self {
        Self { failures: 0 }
    }

    /// Between one half and all of what the failures so far ask for.
    pub fn next(&mut self, connect: &Connect, chance: &mut Chance) -> Duration {
        let doubled = connect.retry_first_s * 2_f64.powi(i32::try_from(self.failures.min(30)).unwrap_or(30));
        self.failures = self.failures.saturating_add(1);
        seconds(doubled.min(connect.retry_longest_s) * (0.5 + 0.5 * chance.draw()))
    }
}

/// What an error of the socket is counted as.
pub fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            "reset".to_owned()
        }
        io::ErrorKind::UnexpectedEof => "end of stream".to_owned(),
        io::ErrorKind::TimedOut => "timeout".to_owned(),
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => "no free port".to_owned(),
        _ => format!("{:.80}", error.to_string()),
    }
}

fn tls_reason(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(inner) => format!("TLS: {:.80}", inner.to_string()),
        None => io_reason(error),
    }
}

/// What an error of the WebSocket is counted as.
pub fn socket_reason(error: &Error) -> String {
    match error {
        Error::Io(error) => tls_reason(error),
        Error::Http(response) => format!("HTTP {}", response.status().as_u16()),
        Error::ConnectionClosed | Error::AlreadyClosed => "closed".to_owned(),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => "end of stream".to_owned(),
        Error::Protocol(tungstenite::error::ProtocolError::HandshakeIncomplete) => "end of stream".to_owned(),
        error => format!("{:.80}", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let connect = Connect { retry_first_s: 1.0, retry_longest_s: 6.0, ..Connect::default() };
        let mut chance = Chance::new(1, 1);
        let mut back_off = BackOff::new();
        for most in [1.0, 2.0, 4.0, 6.0, 6.0] {
            let wait = back_off.next(&connect, &mut chance).as_secs_f64();
            assert!((most / 2.0..=most).contains(&wait), "{wait} of {most}");
        }
    }
}
