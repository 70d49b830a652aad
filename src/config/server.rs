//! `[server]`: the web pages and the API.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::base::secret::Secret;

/// Fewer characters of a token can be guessed.
const FEWEST: usize = 20;
/// More do not belong into a header.
const MOST: usize = 512;

/// `[server]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where to listen.
    pub listen: String,
    /// How customers reach it, without a slash at the end.
    pub public_url: String,
    /// Whoever sends it may use the API; empty: nobody may.
    pub api_token: Secret,
    /// File with the token.
    pub api_token_file: String,
}

impl Server {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        self.listen.parse::<SocketAddr>().map_err(|_| ("listen", format!("'{}' is no address: expected e.g. 127.0.0.1:8080", self.listen)))?;
        match url::Url::parse(&self.public_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && !self.public_url.ends_with('/') => {}
            _ => {
                let problem = format!("'{}' is no web address: expected e.g. https://mail.shop.example without a slash at the end", self.public_url);
                return Err(("public_url", problem));
            }
        }
        let token = self.api_token.expose();
        let fits = (FEWEST..=MOST).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        // A file that holds nothing is a mistake; no token and no file means no API.
        if fits || (token.is_empty() && self.api_token_file.is_empty()) {
            return Ok(());
        }
        let key = if self.api_token_file.is_empty() { "api_token" } else { "api_token_file" };
        Err((
            key,
            format!(
                "the token cannot be used: expected {FEWEST} to {MOST} letters, digits and signs without spaces, e.g. from `openssl rand -hex 32`"
            ),
        ))
    }
}
