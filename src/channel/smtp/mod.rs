//! SMTP, driven command by command over our own socket, so that each failure says whether the message may have been taken.
//!
//! lettre's own transport cannot tell "surely not taken" from "perhaps taken", bounds only the connect in time, and waits 41 ms for each mail
//! because it leaves Nagle's algorithm on. Its connection type, driven by hand, does all that is wanted.

pub mod reply;
mod tls;
mod wire;

use std::borrow::Cow;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail as MailCommand, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use self::reply::{classify, enhanced};
use self::tls::Protection;
use self::wire::Wire;
use super::one_line;
use crate::config::mail::Mail;
use crate::model::attempt::{Delivery, Fault};
use crate::model::email_address::EmailAddress;

/// Bytes of a message that are handed over at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longest wait for the answer to a farewell.
const QUIT: Duration = Duration::from_secs(5);

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
        let timeouts = self.relay.timeouts;
        let late = |step: &str, limit: Duration| retry(Fault::Timeout, &format!("{step}: no answer within {} ms", limit.as_millis()));
        let opened = timeout(timeouts.connect, Box::pin(self.open())).await;
        let mut session =
            opened.map_err(|_| late("connecting", timeouts.connect))?.map_err(|failure| failure.of_relay("connecting", Fault::Connect))?;
        if let Some(credentials) = &self.relay.credentials {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            if session.connection.server_info().get_auth_mechanism(&mechanisms).is_none() {
                return Err(retry(Fault::Auth, "the server offers neither AUTH PLAIN nor AUTH LOGIN, but a user name is set"));
            }
            let answer = timeout(timeouts.command, session.connection.auth(&mechanisms, credentials)).await;
            let answer = answer.map_err(|_| late("AUTH", timeouts.command))?;
            answer.map_err(|error| session.failure(&error).of_relay("AUTH", Fault::Auth))?;
        }
        Ok(session)
    }

    async fn open(&self) -> Result<SmtpSession, Failure> {
        let relay = &*self.relay;
        let broken = |fault: Fault| move |error: io::Error| Failure::Broken(fault, one_line(&error.to_string()));
        let socket = TcpStream::connect((relay.host.as_str(), relay.port)).await.map_err(broken(Fault::Connect))?;
        // Without this each mail waits 41 ms for the peer's delayed acknowledgement.
        socket.set_nodelay(true).map_err(broken(Fault::Connect))?;
        let peer = socket.peer_addr().map_err(broken(Fault::Connect))?;
        let (stream, closed): (Box<dyn AsyncTokioStream>, _) = match &relay.protection {
            Protection::Implicit(connector, name) => {
                let secured = connector.connect(name.clone(), socket).await.map_err(broken(Fault::Tls))?;
                let (wire, closed) = Wire::new(secured, peer, false);
                (Box::new(wire), closed)
            }
            other => {
                let (wire, closed) = Wire::new(socket, peer, matches!(other, Protection::Starttls(_)));
                (Box::new(wire), closed)
            }
        };
        let connection = AsyncSmtpConnection::connect_with_transport(stream, &relay.hello).await;
        let connection = connection.map_err(|error| failure_of(&error, &closed))?;
        let (timeouts, left) = (relay.timeouts, relay.messages_per_connection);
        let mut session = SmtpSession { connection, closed, timeouts, left, usable: true };
        if let Protection::Starttls(parameters) = &relay.protection {
            session.protect(parameters, &relay.hello).await?;
        }
        Ok(session)
    }
}

/// One open connection to the relay, for one message at a time.
pub struct SmtpSession {
    connection: AsyncSmtpConnection,
    /// Set when the peer hung up.
    closed: Arc<AtomicBool>,
    timeouts: Timeouts,
    /// Messages that may still go over this connection.
    left: u32,
    usable: bool,
}

/// Why a command did not succeed.
enum Failure {
    /// The server said no.
    Reply(u16, String),
    /// The connection cannot be used any more.
    Broken(Fault, String),
}

impl Failure {
    /// As a fault of the relay: a refusal of everything, so no verdict on any message.
    fn of_relay(self, step: &str, permanent: Fault) -> Delivery {
        match self {
            Self::Reply(code @ 400..=499, text) => retry(Fault::Busy, &format!("{step}: {code} {text}")),
            Self::Reply(code, text) => retry(permanent, &format!("{step}: {code} {text}")),
            Self::Broken(fault, text) => retry(fault, &format!("{step}: {text}")),
        }
    }
}

impl SmtpSession {
    async fn protect(&mut self, parameters: &lettre::transport::smtp::client::TlsParameters, hello: &ClientId) -> Result<(), Failure> {
        if !self.connection.can_starttls() {
            return Err(Failure::Broken(Fault::Tls, "the server does not offer STARTTLS".to_owned()));
        }
        let outcome = self.connection.starttls(parameters.clone(), hello).await;
        outcome.map_err(|error| match error.status() {
            Some(_) => failure_of(&error, &self.closed),
            // Whatever happens between "go ahead" and the second EHLO is a fault of the encryption.
            None => Failure::Broken(Fault::Tls, one_line(&error.to_string())),
        })
    }

    /// Begins a message: MAIL, RCPT and DATA up to the server's "go ahead". Nothing of the message is handed over.
    ///
    /// # Errors
    /// [`Delivery::Retry`] or [`Delivery::Refused`]; the session may go on if [`Self::is_usable`] says so.
    pub async fn begin(&mut self, from: &EmailAddress, to: &EmailAddress) -> Result<(), Delivery> {
        let mut parameters = Vec::new();
        if from.needs_smtputf8() || to.needs_smtputf8() {
            let server = self.connection.server_info();
            if !server.supports_feature(Extension::SmtpUtfEight) {
                let detail = "the address has letters beyond ASCII before the @, and the server does not offer SMTPUTF8".to_owned();
                return Err(Delivery::Refused { fault: Fault::SmtpUtf8, detail });
            }
            parameters.push(MailParameter::SmtpUtfEight);
            if server.supports_feature(Extension::EightBitMime) {
                parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
            }
        }
        match self.command(MailCommand::new(Some(address(from)), parameters)).await {
            Ok(_) => {}
            // The server refuses the sender, which is the same for all messages: a fault of the settings.
            Err(failure @ Failure::Reply(500..=599, _)) => return Err(failure.of_relay("MAIL", Fault::Auth)),
            Err(failure) => return Err(verdict("MAIL", failure)),
        }
        if let Err(failure) = self.command(Rcpt::new(address(to), Vec::new())).await {
            return Err(self.give_up("RCPT", failure).await);
        }
        match self.command(Data).await {
            Ok(response) if response.has_code(354) => Ok(()),
            Ok(response) => {
                self.usable = false;
                Err(retry(Fault::Protocol, &format!("DATA: {}: expected 354", words(&response))))
            }
            Err(failure) => Err(self.give_up("DATA", failure).await),
        }
    }

    /// Hands the message over (after [`Self::begin`]) and waits for the answer. In doubt is only what happens from the moment the final dot may
    /// have left. Takes at most the command timeout and the data timeout together.
    pub async fn finish(&mut self, message: &[u8]) -> Delivery {
        self.left = self.left.saturating_sub(1);
        let body = canonical(message);
        let dot_at: OnceLock<Instant> = OnceLock::new();
        // lettre asks for the next part when all before has been written, and writes the final dot when there is none.
        let parts = body.chunks(CHUNK_BYTES).chain(std::iter::from_fn(|| {
            let _ = dot_at.set(Instant::now());
            None
        }));
        let outcome = {
            let mut sending = pin!(self.connection.message_iter(parts));
            match timeout(self.timeouts.command, &mut sending).await {
                Ok(outcome) => Some(outcome),
                Err(_) => match dot_at.get() {
                    Some(at) => timeout_at(*at + self.timeouts.data, sending).await.ok(),
                    None => None,
                },
            }
        };
        let failure = match outcome {
            Some(Ok(response)) if (200..300).contains(&u16::from(response.code())) => return Delivery::Accepted { reply: words(&response) },
            Some(Ok(response)) => {
                self.usable = false;
                Failure::Broken(Fault::Protocol, words(&response))
            }
            Some(Err(error)) => self.failure(&error),
            None => {
                self.usable = false;
                Failure::Broken(Fault::Timeout, "no answer in time".to_owned())
            }
        };
        match failure {
            // Without an enhanced code, 550 after the message blames its content as often as its recipient: no ground to suppress an address.
            Failure::Reply(code @ (550 | 551 | 553), text) if enhanced(code, &text).is_none() => {
                Delivery::Refused { fault: Fault::Policy, detail: one_line(&format!("{code} {text}")) }
            }
            Failure::Reply(code, text) => classify(code, enhanced(code, &text), &text),
            Failure::Broken(_, text) if dot_at.get().is_some() => Delivery::InDoubt { detail: one_line(&format!("after the final dot: {text}")) },
            Failure::Broken(fault, text) => retry(fault, &format!("before the final dot: {text}")),
        }
    }

    /// Gives up a message that was begun: closes the connection without a final dot, which is the only way to take DATA back.
    pub fn abandon(self) {
        drop(self.connection);
    }

    /// Whether another message may be begun.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.usable && self.left > 0
    }

    /// Says goodbye, if there is still somebody to say it to.
    pub async fn quit(mut self) {
        if self.usable {
            // The messages are through; what the server answers here changes nothing.
            let _ = timeout(QUIT.min(self.timeouts.command), self.connection.quit()).await;
        }
    }

    /// The verdict on a recipient or a DATA that failed; takes the transaction back so that the next message finds a clean session.
    async fn give_up(&mut self, step: &str, failure: Failure) -> Delivery {
        if self.usable && self.command(Rset).await.is_err() {
            self.usable = false;
        }
        verdict(step, failure)
    }

    async fn command<C: std::fmt::Display>(&mut self, command: C) -> Result<Response, Failure> {
        match timeout(self.timeouts.command, self.connection.command(command)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => {
                self.usable = false;
                Err(Failure::Broken(Fault::Timeout, format!("no answer within {} ms", self.timeouts.command.as_millis())))
            }
        }
    }

    fn failure(&mut self, error: &lettre::transport::smtp::Error) -> Failure {
        let failure = failure_of(error, &self.closed);
        // 421: the server closes the connection.
        if matches!(failure, Failure::Broken(..) | Failure::Reply(421, _)) {
            self.usable = false;
        }
        failure
    }
}

fn retry(fault: Fault, detail: &str) -> Delivery {
    Delivery::Retry { fault, detail: one_line(detail), after_ms: None }
}

fn verdict(step: &str, failure: Failure) -> Delivery {
    match failure {
        Failure::Reply(code, text) => classify(code, enhanced(code, &text), &text),
        Failure::Broken(fault, text) => retry(fault, &format!("{step}: {text}")),
    }
}

fn failure_of(error: &lettre::transport::smtp::Error, closed: &AtomicBool) -> Failure {
    use std::error::Error as _;
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    if let Some(code) = error.status() {
        return Failure::Reply(code.into(), text);
    }
    let io_kind = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    let fault = match io_kind {
        Some(io::ErrorKind::InvalidData) => Fault::Protocol,
        Some(_) => Fault::Closed,
        None if closed.load(Ordering::Relaxed) => Fault::Closed,
        None => Fault::Protocol,
    };
    Failure::Broken(fault, if fault == Fault::Closed { format!("the server closed the connection ({text})") } else { text })
}

fn words(response: &Response) -> String {
    let text: Vec<&str> = response.message().collect();
    one_line(&format!("{} {}", response.code(), text.join(" ")))
}

fn address(address: &EmailAddress) -> Address {
    // An EmailAddress is stricter than lettre's own check: no white space, no control characters, no brackets.
    Address::new_dangerous(address.local(), address.domain())
}

/// The message with every line ended by CR LF, as SMTP wants it (a lone CR or LF could be taken for another line end by the next server and smuggle
/// a second message), and without the last line end, which lettre writes before the dot.
fn canonical(message: &[u8]) -> Cow<'_, [u8]> {
    let lone = |position: usize| match message[position] {
        b'\r' => message.get(position + 1) != Some(&b'\n'),
        b'\n' => position == 0 || message[position - 1] != b'\r',
        _ => false,
    };
    let body = if (0..message.len()).any(lone) {
        let mut fixed = Vec::with_capacity(message.len() + 64);
        for (position, &byte) in message.iter().enumerate() {
            if lone(position) {
                fixed.extend_from_slice(b"\r\n");
            } else {
                fixed.push(byte);
            }
        }
        Cow::Owned(fixed)
    } else {
        Cow::Borrowed(message)
    };
    match body {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.strip_suffix(b"\r\n").unwrap_or(bytes)),
        Cow::Owned(mut bytes) => {
            if bytes.ends_with(b"\r\n") {
                bytes.truncate(bytes.len() - 2);
            }
            Cow::Owned(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_becomes_cr_lf_and_the_last_one_is_left_to_lettre() {
        for (message, expected) in
            [("a\nb\n", "a\r\nb"), ("a\rb\r", "a\r\nb"), ("a\r\nb\r\n", "a\r\nb"), ("a\n\r\nb", "a\r\n\r\nb"), ("\r\r\n", "\r\n"), ("", "")]
        {
            assert_eq!(canonical(message.as_bytes()), expected.as_bytes(), "{message:?}");
        }
    }
}
