//! Signed tokens for links in mails: nobody can make one up, and one made for a purpose is worth nothing for another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::id::Id;

/// Bytes of the signature that travel in the token: 128 bits.
const TAG_BYTES: usize = 16;
/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;

/// The key that signs; one per installation.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// Wraps 32 secret bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn tag(&self, purpose: &str, data: &[u8]) -> Hmac<Sha256> {
        // HMAC fills a short key up with zeros to the block's length (RFC 2104, section 2); done here, no length can be wrong.
        let mut block = [0; BLOCK_BYTES];
        block[..self.0.len()].copy_from_slice(&self.0);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(data);
        mac
    }

    /// A token for `id`: URL-safe, 32 characters or so, never expires.
    #[must_use]
    pub fn sign(&self, purpose: &str, id: Id) -> String {
        let tag = self.tag(purpose, &id.0.to_be_bytes()).finalize().into_bytes();
        let mut bytes = id.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(&tag[..TAG_BYTES]);
        format!("v1.{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The id in a token made by [`Self::sign`] for the same purpose; `None` for anything else. Compares in constant time.
    #[must_use]
    pub fn verify(&self, purpose: &str, token: &str) -> Option<Id> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix("v1.")?).ok()?;
        let (id, tag) = bytes.split_at_checked(8)?;
        if tag.len() != TAG_BYTES {
            return None;
        }
        self.tag(purpose, id).verify_truncated_left(tag).ok()?;
        Some(Id(i64::from_be_bytes(id.try_into().ok()?)))
    }

    /// Bytes that only this installation can compute for `data`, e.g. to derive a voucher code.
    #[must_use]
    pub fn derive(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        self.tag(purpose, data).finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_hmac_of_purpose_and_data_under_the_key_itself() {
        let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
        mac.update(b"voucher\0what");
        let tag: [u8; 32] = mac.finalize().into_bytes().into();
        assert_eq!(TokenKey::new([7; 32]).derive("voucher", b"what"), tag);
    }

    #[test]
    fn a_token_is_good_for_its_purpose_only_and_cannot_be_altered() {
        let key = TokenKey::new([7; 32]);
        let token = key.sign("unsubscribe", Id(42));
        assert_eq!(key.verify("unsubscribe", &token), Some(Id(42)));
        assert_eq!(key.verify("click", &token), None);
        assert_eq!(TokenKey::new([8; 32]).verify("unsubscribe", &token), None);
        for position in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[position] = if bytes[position] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            // The last character of base64 carries spare bits, so a change there may leave the bytes as they are.
            assert!(key.verify("unsubscribe", &altered).is_none_or(|id| id == Id(42) && position == token.len() - 1), "{altered}");
        }
        assert_eq!(key.verify("unsubscribe", "v1."), None);
        assert_eq!(key.verify("unsubscribe", "v1.ä"), None);
    }
}
