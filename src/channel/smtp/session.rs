//! One open connection to the relay: message after message, each with an exact verdict.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::body::{DOT_BYTES, transparent};
use super::failure::{Failure, retry};
use super::reply::{classify, enhanced};
use super::wire::LineState;
use super::{Timeouts, late};
use crate::channel::one_line;
use crate::model::attempt::{Delivery, Fault};
use crate::model::email_address::EmailAddress;

/// Longest wait for the answer to a farewell.
const QUIT: Duration = Duration::from_secs(5);

/// One open connection to the relay, for one message at a time.
pub struct SmtpSession {
    connection: AsyncSmtpConnection,
    /// What happened on the line below lettre.
    line: Arc<LineState>,
    timeouts: Timeouts,
    /// Messages that may still go over this connection.
    left: u32,
    usable: bool,
    /// Whether the server takes several commands at once (RFC 2920).
    pipelining: bool,
}

impl SmtpSession {
    pub(super) fn new(connection: AsyncSmtpConnection, line: Arc<LineState>, timeouts: Timeouts, messages: u32) -> Self {
        Self { connection, line, timeouts, left: messages, usable: true, pipelining: false }
    }

    /// STARTTLS, or nothing.
    pub(super) async fn protect(&mut self, parameters: &TlsParameters, hello: &ClientId) -> Result<(), Failure> {
        if !self.connection.can_starttls() {
            return Err(Failure::Broken(Fault::Tls, "the server does not offer STARTTLS".to_owned()));
        }
        let outcome = self.connection.starttls(parameters.clone(), hello).await;
        outcome.map_err(|error| match error.status() {
            Some(_) => Failure::of(&error, &self.line),
            // Whatever happens between "go ahead" and the second EHLO is a fault of the encryption.
            None => Failure::Broken(Fault::Tls, one_line(&error.to_string())),
        })
    }

    /// AUTH.
    pub(super) async fn log_in(&mut self, credentials: &Credentials) -> Result<(), Delivery> {
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        if self.connection.server_info().get_auth_mechanism(&mechanisms).is_none() {
            return Err(retry(Fault::Auth, "the server offers neither AUTH PLAIN nor AUTH LOGIN, but a user name is set"));
        }
        let answer = timeout(self.timeouts.command, self.connection.auth(&mechanisms, credentials)).await;
        let answer = answer.map_err(|_| late("AUTH", self.timeouts.command))?;
        answer.map(|_| ()).map_err(|error| self.failure(&error).of_relay("AUTH", Fault::Auth))
    }

    /// Asks whether the server takes several commands at once, which lettre does not remember from its own EHLO.
    pub(super) async fn ask_for_pipelining(&mut self, hello: &ClientId) -> Result<(), Delivery> {
        match self.command(Ehlo::new(hello.clone())).await {
            Ok(response) => self.pipelining = response.message().any(|line| line.trim().eq_ignore_ascii_case("PIPELINING")),
            Err(Failure::Reply(..)) if self.usable => {}
            Err(failure) => return Err(failure.of_relay("EHLO", Fault::Connect)),
        }
        Ok(())
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
        let (mail, rcpt) = (Mail::new(Some(address(from)), parameters), Rcpt::new(address(to), Vec::new()));
        if !self.pipelining {
            self.command(mail).await.map_err(refused_sender)?;
            if let Err(failure) = self.command(rcpt).await {
                return Err(self.give_up("RCPT", failure).await);
            }
            let data = self.command(Data).await;
            return self.go_ahead(data).await;
        }
        // RFC 2920: the three together, in one trip.
        let mail = self.command(format!("{mail}{rcpt}{Data}")).await;
        let rcpt = self.next_answer().await;
        let data = self.next_answer().await;
        if (mail.is_err() || rcpt.is_err()) && data.is_ok() {
            // The server waits for a message that must not come; only closing takes that back.
            self.usable = false;
        }
        mail.map_err(refused_sender)?;
        if let Err(failure) = rcpt {
            return Err(self.give_up("RCPT", failure).await);
        }
        self.go_ahead(data).await
    }

    /// The answer to DATA, which has to be "go ahead".
    async fn go_ahead(&mut self, answer: Result<Response, Failure>) -> Result<(), Delivery> {
        match answer {
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
    pub async fn finish(&mut self, message: &str) -> Delivery {
        self.left = self.left.saturating_sub(1);
        let content = transparent(message);
        let before_dot = content.len() - DOT_BYTES;
        let line = Arc::clone(&self.line);
        line.restart();
        // Encryption only adds bytes: as long as fewer have left, the dot surely has not.
        let dot_left = || line.written() > before_dot;
        let outcome = {
            // In one piece: lettre's own way goes through it byte by byte and writes the dot apart.
            let mut sending = pin!(self.connection.command(content));
            match timeout(self.timeouts.command, &mut sending).await {
                Ok(outcome) => Some(outcome),
                Err(_) if dot_left() => timeout(self.timeouts.data, sending).await.ok(),
                Err(_) => None,
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
            Failure::Broken(_, text) if dot_left() => Delivery::InDoubt { detail: one_line(&format!("after the final dot: {text}")) },
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
        failure.of_message(step)
    }

    async fn command<C: std::fmt::Display>(&mut self, command: C) -> Result<Response, Failure> {
        let answer = timeout(self.timeouts.command, self.connection.command(command)).await;
        self.judge(answer)
    }

    /// The answer to the next command of several that were sent together.
    async fn next_answer(&mut self) -> Result<Response, Failure> {
        if !self.usable {
            return Err(Failure::Broken(Fault::Closed, "the connection ended before".to_owned()));
        }
        let answer = timeout(self.timeouts.command, self.connection.read_response()).await;
        self.judge(answer)
    }

    fn judge(&mut self, answer: Result<Result<Response, Error>, Elapsed>) -> Result<Response, Failure> {
        match answer {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => {
                self.usable = false;
                Err(Failure::Broken(Fault::Timeout, format!("no answer within {} ms", self.timeouts.command.as_millis())))
            }
        }
    }

    fn failure(&mut self, error: &Error) -> Failure {
        let failure = Failure::of(error, &self.line);
        // 421: the server closes the connection.
        if matches!(failure, Failure::Broken(..) | Failure::Reply(421, _)) {
            self.usable = false;
        }
        failure
    }
}

/// The server refuses the sender, which is the same for all messages: a fault of the settings.
fn refused_sender(failure: Failure) -> Delivery {
    match failure {
        Failure::Reply(500..=599, _) => failure.of_relay("MAIL", Fault::Auth),
        _ => failure.of_message("MAIL"),
    }
}

fn words(response: &Response) -> String {
    let text: Vec<&str> = response.message().collect();
    one_line(&format!("{} {}", response.code(), text.join(" ")))
}

fn address(address: &EmailAddress) -> Address {
    // An EmailAddress is stricter than lettre's own check: no white space, no control characters, no brackets.
    Address::new_dangerous(address.local(), address.domain())
}
