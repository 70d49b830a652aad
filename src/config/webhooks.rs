//! `[[webhooks]]` and `[webhook]`: targets that rules post to, and how long a request may take.

use std::collections::HashSet;

use serde::Deserialize;

use crate::base::secret::Secret;

/// A named target.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What rules call it.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// `whsec_` and base64.
    #[serde(default)]
    pub secret: Secret,
    /// File with the secret.
    #[serde(default)]
    pub secret_file: String,
    /// Networks that are allowed though private, in CIDR form.
    #[serde(default)]
    pub allow_private: Vec<String>,
    /// Whether `http://` is allowed.
    #[serde(default)]
    pub allow_http: bool,
}

impl Target {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let url = url::Url::parse(&self.url).map_err(|error| ("url", format!("is not a URL: {error}")))?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return Err(("url", "http:// sends customer data in the clear: expected https://, or allow_http = true".to_owned())),
            other => return Err(("url", format!("'{other}' is not a scheme for webhooks: expected https"))),
        }
        if self.name.is_empty() {
            return Err(("name", "is empty: expected the word that rules use".to_owned()));
        }
        if self.secret.is_empty() {
            return Err(("secret_file", format!("webhook '{}' has no secret: expected whsec_ and 24 to 64 bytes in base64", self.name)));
        }
        Ok(())
    }
}

/// Rules name a target by one word: of two with the same one would get everything.
pub(super) fn all_differ(targets: &[Target]) -> Result<(), (&'static str, String)> {
    let mut names = HashSet::new();
    match targets.iter().find(|target| !names.insert(target.name.as_str())) {
        Some(twice) => Err(("name", format!("'{}' is the name of two webhooks: expected a name of its own for each", twice.name))),
        None => Ok(()),
    }
}

/// How requests are made.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// TCP and TLS.
    pub connect_timeout_s: u64,
    /// The whole request.
    pub timeout_s: u64,
    /// Requests under way at once.
    pub connections: usize,
}

impl Webhook {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if !(1..=100).contains(&self.connections) {
            return Err(("connections", format!("{} is out of range: expected 1 to 100", self.connections)));
        }
        if !(1..=300).contains(&self.timeout_s) {
            return Err(("timeout_s", format!("{} is out of range: expected 1 to 300", self.timeout_s)));
        }
        if !(1..=60).contains(&self.connect_timeout_s) {
            return Err(("connect_timeout_s", format!("{} is out of range: expected 1 to 60", self.connect_timeout_s)));
        }
        Ok(())
    }
}
