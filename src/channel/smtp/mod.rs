//! SMTP, driven command by command over our own socket, so that each failure says whether the message may have been taken.
//!
//! lettre's own transport cannot tell "surely not taken" from "perhaps taken", bounds only the connect in time, and waits 41 ms for each mail
//! because it leaves Nagle's algorithm on. Its connection type, driven by hand, does all that is wanted.

mod body;
mod failure;
pub mod reply;
mod session;
mod tls;
mod wire;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::failure::{Failure, retry};
pub use self::session::SmtpSession;
use self::tls::Protection;
use self::wire::Wire;
use super::one_line;
use crate::config::mail::Mail;
use crate::model::attempt::{Delivery, Fault};

/// How long each phase may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Name look-up, TCP, TLS, greeting and EHLO together.
    pub connect: Duration,
    /// Each of AUTH, MAIL, RCPT, DATA, RSET, and the writing of the message up to the final dot.
    pub command: Duration,
    /// From the final dot to the answer.
    pub data: Duration,
}

/// The way to one relay; opens sessions. Clones share the settings.
#[derive(Clone)]
pub struct SmtpClient {
    relay: Arc<Relay>,
}

struct Relay {
    host: String,
    port: u16,
    protection: Protection,
    credentials: Option<Credentials>,
    hello: ClientId,
    timeouts: Timeouts,
    messages_per_connection: u32,
}

impl SmtpClient {
    /// Prepares the way; opens nothing yet.
    ///
    /// # Errors
    /// A sentence when `ca_file` or the host name cannot be used.
    pub fn new(mail: &Mail) -> Result<Self, String> {
        let seconds = Duration::from_secs;
        let (connect, command, data) = (seconds(mail.connect_timeout_s), seconds(mail.command_timeout_s), seconds(mail.data_timeout_s));
        Self::with_timeouts(mail, Timeouts { connect, command, data })
    }

    /// As [`Self::new`], with other timeouts than the configuration's whole seconds.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_timeouts(mail: &Mail, timeouts: Timeouts) -> Result<Self, String> {
        let credentials = (!mail.username.is_empty()).then(|| Credentials::new(mail.username.clone(), mail.password.expose().to_owned()));
        let relay = Relay {
            host: mail.host.clone(),
            port: mail.port,
            protection: Protection::new(mail)?,
            credentials,
            hello: ClientId::default(),
            timeouts,
            messages_per_connection: mail.messages_per_connection,
        };
        Ok(Self { relay: Arc::new(relay) })
    }

    /// Opens a session: connects, protects, logs in.
    ///
    /// # Errors
    /// Always [`Delivery::Retry`]: whatever is wrong here is wrong with the relay or the way to it, for all messages alike.
    pub async fn connect(&self) -> Result<SmtpSession, Delivery> {
        let limit = self.relay.timeouts.connect;
        let opened = timeout(limit, Box::pin(self.open())).await.map_err(|_| late("connecting", limit))?;
        let mut session = opened.map_err(|failure| failure.of_relay("connecting", Fault::Connect))?;
        if let Some(credentials) = &self.relay.credentials {
            session.log_in(credentials).await?;
        }
        session.ask_for_pipelining(&self.relay.hello).await?;
        Ok(session)
    }

    async fn open(&self) -> Result<SmtpSession, Failure> {
        let relay = &*self.relay;
        let broken = |fault: Fault| move |error: io::Error| Failure::Broken(fault, one_line(&error.to_string()));
        let socket = TcpStream::connect((relay.host.as_str(), relay.port)).await.map_err(broken(Fault::Connect))?;
        // Without this each mail waits 41 ms for the peer's delayed acknowledgement.
        socket.set_nodelay(true).map_err(broken(Fault::Connect))?;
        let peer = socket.peer_addr().map_err(broken(Fault::Connect))?;
        let (stream, line): (Box<dyn AsyncTokioStream>, _) = match &relay.protection {
            Protection::Implicit(connector, name) => {
                let secured = connector.connect(name.clone(), socket).await.map_err(broken(Fault::Tls))?;
                let (wire, line) = Wire::new(secured, peer, false);
                (Box::new(wire), line)
            }
            other => {
                let (wire, line) = Wire::new(socket, peer, matches!(other, Protection::Starttls(_)));
                (Box::new(wire), line)
            }
        };
        let connection = AsyncSmtpConnection::connect_with_transport(stream, &relay.hello).await;
        let connection = connection.map_err(|error| Failure::of(&error, &line))?;
        let mut session = SmtpSession::new(connection, line, relay.timeouts, relay.messages_per_connection);
        if let Protection::Starttls(parameters) = &relay.protection {
            session.protect(parameters, &relay.hello).await?;
        }
        Ok(session)
    }
}

fn late(step: &str, limit: Duration) -> Delivery {
    retry(Fault::Timeout, &format!("{step}: no answer within {} ms", limit.as_millis()))
}
