//! What belongs to this installation: the key that signs links and derives voucher codes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::db::{Db, StoreError, Tx};
use crate::base::time::UnixMs;
use crate::base::token::TokenKey;

statements! {
    READ = "SELECT value FROM settings WHERE name = $1";
    WRITE = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    ADD = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
}

const TOKEN_KEY: &str = "token_key";

/// The installation's key; made at the first call. Two daemons that start together agree on one.
pub async fn token_key(db: &Db) -> Result<TokenKey, StoreError> {
    let mut tx = db.write().await?;
    let fresh = STANDARD.encode(rand::random::<[u8; 32]>());
    on!(&mut tx, ADD, |c, q| sqlx::query(q).bind(TOKEN_KEY).bind(&fresh).execute(c).await.map(drop))?;
    let stored: String = on!(&mut tx, READ, |c, q| sqlx::query_scalar(q).bind(TOKEN_KEY).fetch_one(c).await)?;
    tx.commit().await?;
    let bytes = STANDARD.decode(&stored).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.map(TokenKey::new).ok_or(StoreError::Corrupt { table: "settings", column: "value", value: "(the token key)".to_owned() })
}

/// A moment that a stage remembers under `name`.
pub async fn moment(tx: &mut Tx, name: &str) -> Result<Option<UnixMs>, StoreError> {
    let text: Option<String> = on!(tx, READ, |c, q| sqlx::query_scalar(q).bind(name).fetch_optional(c).await)?;
    Ok(text.and_then(|text| text.parse().ok()).map(UnixMs))
}

/// Remembers a moment under `name`.
pub async fn remember(tx: &mut Tx, name: &str, at: UnixMs) -> Result<(), StoreError> {
    on!(tx, WRITE, |c, q| sqlx::query(q).bind(name).bind(at.0.to_string()).execute(c).await.map(drop))
}
