//! A text that must not be printed.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;

/// A password or key. `Debug` and `Display` never show it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: only for handing it to the peer that checks it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether somebody knows it. Takes the same time whatever of it is right, also its length. Nobody knows a secret that is not set.
    #[must_use]
    pub fn is(&self, given: &str) -> bool {
        // What is compared are digests, so no byte of the secret itself is ever looked at alone.
        let digest = |text: &str| <Hmac<Sha256> as KeyInit>::new(&[0; BLOCK_BYTES].into()).chain_update(text);
        let right = digest(&self.0).finalize().into_bytes();
        digest(given).verify(&right).is_ok() && !self.is_empty()
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_is_it_and_no_secret_is_known_to_nobody() {
        let secret = Secret::new("a-long-secret-of-the-shop");
        assert!(secret.is("a-long-secret-of-the-shop"));
        for wrong in ["", "a", "a-long-secret-of-the-shoP", "a-long-secret-of-the-shop ", "a-long-secret-of-the-shop\0"] {
            assert!(!secret.is(wrong), "{wrong:?}");
        }
        assert!(!Secret::default().is(""));
    }
}
