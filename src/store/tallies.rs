//! What was decided in each hour, by rule: so that a limit costs no look through the log.

use super::db::{StoreError, Tx};
use crate::base::time::UnixMs;
use crate::policy::guard::Window;

statements! {
    ADD = "INSERT INTO tallies (hour_at, rule, messages, voucher_cents) VALUES ($1, $2, $3, $4)
           ON CONFLICT (hour_at, rule) DO UPDATE SET messages = tallies.messages + excluded.messages,
           voucher_cents = tallies.voucher_cents + excluded.voucher_cents";
    OF = "SELECT hour_at, rule, messages, voucher_cents FROM tallies WHERE hour_at >= $1 AND hour_at < $2";
}

/// What a rule decided to send in an hour.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Tally {
    /// When the hour began, in Unix milliseconds.
    pub hour_at: i64,
    /// The rule.
    pub rule: String,
    /// Messages.
    pub messages: i64,
    /// What their vouchers may cost.
    pub voucher_cents: i64,
}

/// Counts messages of a rule, in the transaction that writes them.
pub async fn add(tx: &mut Tx, hour: Window, rule: &str, messages: i64, voucher_cents: i64) -> Result<(), StoreError> {
    let hour_at = hour.from.0;
    on!(tx, ADD, |c, q| sqlx::query(q).bind(hour_at).bind(rule).bind(messages).bind(voucher_cents).execute(c).await.map(drop))
}

/// All rules' tallies of a day's hours.
pub async fn of(tx: &mut Tx, day: Window) -> Result<Vec<Tally>, StoreError> {
    let (UnixMs(from), UnixMs(until)) = (day.from, day.until);
    on!(tx, OF, |c, q| sqlx::query_as(q).bind(from).bind(until).fetch_all(c).await)
}
