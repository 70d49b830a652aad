//! `[mail]`: the way to the relay.

use std::net::IpAddr;

use serde::Deserialize;

use crate::base::secret::Secret;

/// How mails leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// To a relay.
    Smtp,
    /// As `.eml` files.
    File,
}

/// How the connection to the relay is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Not at all.
    None,
    /// STARTTLS, required.
    Starttls,
    /// TLS from the first byte.
    Implicit,
}

/// Mail settings; units in the field names.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// SMTP or files.
    pub transport: Transport,
    /// Where `.eml` files go.
    pub folder: String,
    /// The relay.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its protection.
    pub tls: Tls,
    /// PEM file of a private certificate authority; empty: public ones.
    pub ca_file: String,
    /// Empty: no authentication.
    pub username: String,
    /// For the user name.
    pub password: Secret,
    /// File with the password.
    pub password_file: String,
    /// Sender.
    pub from: String,
    /// Where answers go; empty: to the sender.
    pub reply_to: String,
    /// Open connections at most.
    pub connections: usize,
    /// Name look-up, TCP, TLS and greeting.
    pub connect_timeout_s: u64,
    /// Each command before the message.
    pub command_timeout_s: u64,
    /// From the final dot to the answer.
    pub data_timeout_s: u64,
    /// Then the connection is renewed.
    pub messages_per_connection: u32,
}

impl Mail {
    /// A password that would go through a network for everybody to read.
    pub(super) fn warning(&self) -> Option<(&'static str, String)> {
        let here = self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let open = self.transport == Transport::Smtp && self.tls == Tls::None && !self.username.is_empty() && !here;
        let problem = || format!("\"none\" sends the password to {} in the clear: expected \"starttls\" or \"implicit\"", self.host);
        open.then(|| ("tls", problem()))
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let within = |key, value: u64, most: u64| {
            if (1..=most).contains(&value) { Ok(()) } else { Err((key, format!("{value} is out of range: expected 1 to {most}"))) }
        };
        within("connections", self.connections as u64, 100)?;
        within("connect_timeout_s", self.connect_timeout_s, 600)?;
        within("command_timeout_s", self.command_timeout_s, 600)?;
        within("data_timeout_s", self.data_timeout_s, 3600)?;
        within("messages_per_connection", u64::from(self.messages_per_connection), 10_000)?;
        within("port", u64::from(self.port), 65_535)?;
        if self.transport == Transport::Smtp && self.host.is_empty() {
            return Err(("host", "is empty: expected the name of your mail relay".to_owned()));
        }
        if !self.username.is_empty() && self.password.is_empty() {
            return Err(("password_file", format!("no password for user '{}': expected password_file or password", self.username)));
        }
        Ok(())
    }
}
