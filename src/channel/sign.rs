//! Signs webhooks as the Standard Webhooks specification says (symmetric, version 1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base::secret::Secret;

/// A receiver's key.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Reads `whsec_` and 24 to 64 bytes in base64; the prefix may be missing.
    ///
    /// # Errors
    /// A sentence with the expected form; the secret is not repeated.
    pub fn parse(secret: &Secret) -> Result<Self, String> {
        const EXPECTED: &str = "expected whsec_ and 24 to 64 bytes in base64";
        let text = secret.expose().trim();
        let key = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| format!("the secret is not base64: {EXPECTED}"))?;
        if !(24..=64).contains(&key.len()) {
            return Err(format!("the secret has {} bytes: {EXPECTED}", key.len()));
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|error| error.to_string())
    }

    /// The value of `webhook-signature` for a body sent at `timestamp_s` (seconds since the epoch) under `id`.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_vector_of_standard_webhooks_is_reproduced() {
        // From standard-webhooks/standard-webhooks, libraries/rust/src/lib.rs, test_sign.
        let key = SigningKey::parse(&Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")).unwrap();
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = key.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
        assert_ne!(key.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_554, body), signature);
        assert_ne!(key.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpj", 1_649_367_553, body), signature);
    }

    #[test]
    fn a_secret_that_is_too_short_or_no_base64_is_refused_without_being_repeated() {
        for (secret, problem) in [("whsec_AAAA", "has 3 bytes"), ("whsec_geheim!", "not base64"), ("", "has 0 bytes")] {
            let refusal = SigningKey::parse(&Secret::new(secret)).unwrap_err();
            assert!(refusal.contains(problem) && !refusal.contains("AAAA") && !refusal.contains("geheim"), "{refusal}");
        }
    }
}
