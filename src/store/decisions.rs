//! The log of decisions, and with each "send" its message and vouchers: all in the caller's one transaction.

use super::db::{MAX_BINDS, StoreError, Tx};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::action::{Action, Voucher, VoucherWorth};
use crate::model::decision::{Decision, Refusal, Verdict};
use crate::model::rule::RuleSpec;

statements! {
    COUNT = "SELECT COUNT(*) FROM decisions";
    OF_CUSTOMER = "SELECT d.last_at, d.decided_at, d.slot, d.variant, d.detail, d.times, d.holdout, s.state, s.reply
                   FROM decisions d LEFT JOIN messages m ON m.decision_id = d.id LEFT JOIN deliveries s ON s.message_id = m.id WHERE d.customer_id = $1 AND d.rule = $2
                   ORDER BY d.last_at DESC, d.id DESC LIMIT $3";
    OF_RUN = "SELECT c.external_id, c.first_name, c.last_name, c.locale, d.slot, d.variant, d.effective_at, d.detail, m.action
              FROM decisions d JOIN customers c ON c.id = d.customer_id LEFT JOIN messages m ON m.decision_id = d.id
              WHERE d.rule = $1 AND d.last_at = $2 ORDER BY c.external_id";
}

/// A decision with what belongs to a "send".
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The decision.
    pub decision: Decision,
    /// Vouchers that the message hands out.
    pub vouchers: Vec<Voucher>,
    /// A webhook's exact body.
    pub body: Option<String>,
    /// The outbox id of the message, if one is made; the Message-ID comes from it.
    pub message_id: Id,
    /// What the vouchers may cost if all are redeemed ([`crate::policy::exposure::of`]).
    pub voucher_cents: i64,
}

impl Entry {
    /// Whether a message is made.
    #[must_use]
    pub fn is_message(&self) -> bool {
        matches!(self.decision.verdict, Verdict::Send { .. })
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Messages.
    pub messages: i64,
    /// Messages, and people held out.
    pub reached: i64,
    /// What the messages' vouchers may cost if all are redeemed.
    pub voucher_cents: i64,
}

/// Appends decisions made for one tick of a rule. An occasion that is taken already (by another daemon, or before a crash) is left alone, together
/// with its message; a refusal that comes again for the same occasion and reason is counted, not repeated. Returns what is new.
pub async fn append(tx: &mut Tx, rule: &RuleSpec, tick_at: UnixMs, now: UnixMs, entries: &[Entry]) -> Result<Written, StoreError> {
    let (arms, refusals): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.decision.verdict.refusal().is_none());
    let mut written = Written::default();
    for chunk in refusals.chunks(MAX_BINDS / COLUMNS) {
        insert(tx, rule, tick_at, now, chunk, ON_REFUSAL_AGAIN).await?;
    }
    for chunk in arms.chunks(MAX_BINDS / COLUMNS) {
        let taken: std::collections::HashSet<i64> = insert(tx, rule, tick_at, now, chunk, ON_OCCASION_TAKEN).await?.into_iter().collect();
        let sends: Vec<(&Entry, &str, &Action)> = chunk
            .iter()
            .filter(|entry| taken.contains(&entry.decision.id.0))
            .filter_map(|entry| match &entry.decision.verdict {
                Verdict::Send { variant, action } => Some((*entry, variant.as_str(), action.as_ref())),
                _ => None,
            })
            .collect();
        written.messages += i64::try_from(sends.len()).unwrap_or(i64::MAX);
        written.reached += i64::try_from(taken.len()).unwrap_or(i64::MAX);
        written.voucher_cents = sends.iter().fold(written.voucher_cents, |sum, (entry, ..)| sum.saturating_add(entry.voucher_cents));
        insert_messages(tx, rule, now, &sends).await?;
        insert_vouchers(tx, rule, now, &sends).await?;
    }
    Ok(written)
}

const COLUMNS: usize = 18;
const ON_OCCASION_TAKEN: &str = " ON CONFLICT (customer_id, rule, occasion, slot) DO NOTHING RETURNING id";
const ON_REFUSAL_AGAIN: &str =
    " ON CONFLICT (customer_id, rule, occasion, slot) DO UPDATE SET times = decisions.times + 1, last_at = excluded.last_at,
    detail = excluded.detail WHERE decisions.last_at < excluded.last_at RETURNING id";

async fn insert(tx: &mut Tx, rule: &RuleSpec, tick_at: UnixMs, now: UnixMs, entries: &[&Entry], on_conflict: &str) -> Result<Vec<i64>, StoreError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    on!(tx, |c| {
        let mut insert = sqlx::QueryBuilder::new(
            "INSERT INTO decisions (id, customer_id, rule, occasion, slot, rule_hash, tick_at, decided_at, verdict, variant, detail, effective_at, goal_until, inputs, times, last_at, holdout, switched) ",
        );
        insert.push_values(entries, |mut row, entry| {
            let decision = &entry.decision;
            let slot = decision.verdict.refusal().map_or("arm", Refusal::code);
            // The schema knows three words; the column `holdout` tells whom a rule held out from whom all of them did.
            let verdict = if decision.verdict == Verdict::Holdout { Verdict::Control.code() } else { decision.verdict.code() };
            row.push_bind(decision.id.0)
                .push_bind(decision.customer_id.0)
                .push_bind(&rule.name)
                .push_bind(&decision.occasion)
                .push_bind(slot)
                .push_bind(&rule.hash)
                .push_bind(tick_at.0)
                .push_bind(now.0)
                .push_bind(verdict)
                .push_bind(decision.verdict.variant())
                .push_bind(&decision.detail)
                .push_bind(decision.effective_at.0)
                .push_bind(decision.goal_until.map(|at| at.0))
                .push_bind(&decision.inputs)
                .push_bind(1_i64)
                .push_bind(tick_at.0)
                .push_bind(decision.holdout.map(i64::from))
                .push_bind(decision.switched.then_some(1_i64));
        });
        insert.push(on_conflict);
        insert.build_query_scalar().persistent(false).fetch_all(c).await
    })
}

async fn insert_messages(tx: &mut Tx, rule: &RuleSpec, now: UnixMs, sends: &[(&Entry, &str, &Action)]) -> Result<(), StoreError> {
    for chunk in sends.chunks(MAX_BINDS / 11) {
        on!(tx, |c| {
            let mut insert = sqlx::QueryBuilder::new(
                "INSERT INTO messages (id, decision_id, customer_id, rule, variant, occasion, channel, basis, action, body, created_at) ",
            );
            insert.push_values(chunk, |mut row, (entry, variant, action)| {
                row.push_bind(entry.message_id.0)
                    .push_bind(entry.decision.id.0)
                    .push_bind(entry.decision.customer_id.0)
                    .push_bind(&rule.name)
                    .push_bind(*variant)
                    .push_bind(&entry.decision.occasion)
                    .push_bind(action.channel().code())
                    .push_bind(rule.basis.code())
                    .push_bind(serde_json::to_string(action).unwrap_or_default())
                    .push_bind(entry.body.as_deref())
                    .push_bind(now.0);
            });
            insert.build().persistent(false).execute(c).await.map(drop)
        })?;
        on!(tx, |c| {
            let mut insert = sqlx::QueryBuilder::new("INSERT INTO deliveries (message_id, channel, rule, state, due_at, attempts, fence) ");
            insert.push_values(chunk, |mut row, (entry, _, action)| {
                row.push_bind(entry.message_id.0)
                    .push_bind(action.channel().code())
                    .push_bind(&rule.name)
                    .push_bind("queued")
                    .push_bind(entry.decision.effective_at.0)
                    .push_bind(0_i64)
                    .push_bind(0_i64);
            });
            insert.build().persistent(false).execute(c).await.map(drop)
        })?;
    }
    Ok(())
}

async fn insert_vouchers(tx: &mut Tx, rule: &RuleSpec, now: UnixMs, sends: &[(&Entry, &str, &Action)]) -> Result<(), StoreError> {
    let vouchers: Vec<(&Decision, &Voucher)> =
        sends.iter().flat_map(|(entry, ..)| entry.vouchers.iter().map(|voucher| (&entry.decision, voucher))).collect();
    for chunk in vouchers.chunks(MAX_BINDS / 8) {
        on!(tx, |c| {
            let mut insert = sqlx::QueryBuilder::new(
                "INSERT INTO vouchers (code, decision_id, customer_id, rule, percent, amount_cents, valid_until, created_at) ",
            );
            insert.push_values(chunk, |mut row, (decision, voucher)| {
                let percent = match voucher.worth {
                    VoucherWorth::Percent(percent) => Some(percent),
                    VoucherWorth::Amount(_) => None,
                };
                row.push_bind(&voucher.code)
                    .push_bind(decision.id.0)
                    .push_bind(decision.customer_id.0)
                    .push_bind(&rule.name)
                    .push_bind(percent)
                    .push_bind(voucher.worth.cents().map(|cents| cents.0))
                    .push_bind(voucher.valid_until.to_string())
                    .push_bind(now.0);
            });
            insert.build().persistent(false).execute(c).await.map(drop)
        })?;
    }
    Ok(())
}

/// Number of decisions in the log.
pub async fn count(tx: &mut Tx) -> Result<i64, StoreError> {
    on!(tx, COUNT, |c, q| sqlx::query_scalar(q).fetch_one(c).await)
}

/// A decision as the log shows it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Logged {
    /// The moment that it was last made for, in Unix milliseconds.
    pub last_at: i64,
    /// When it was made for the first time, in Unix milliseconds.
    pub decided_at: i64,
    /// `arm`, or the reason of a refusal.
    pub slot: String,
    /// The variant of a message.
    pub variant: Option<String>,
    /// More about it.
    pub detail: String,
    /// How often a refusal came again.
    pub times: i64,
    /// 1: held out from all rules.
    pub holdout: Option<i64>,
    /// What became of the message.
    pub state: Option<String>,
    /// What its receiver said.
    pub reply: Option<String>,
}

/// The latest decisions of a rule about a customer.
pub async fn of_customer(tx: &mut Tx, customer: Id, rule: &str, limit: i64) -> Result<Vec<Logged>, StoreError> {
    on!(tx, OF_CUSTOMER, |c, q| sqlx::query_as(q).bind(customer.0).bind(rule).bind(limit).fetch_all(c).await)
}

/// A decision of one run.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OfRun {
    /// The shop's key of the customer.
    pub external_id: String,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Language of the customer; `None`: the shop's.
    pub locale: Option<String>,
    /// `arm`, or the reason of a refusal.
    pub slot: String,
    /// The variant of a message; `None` in `arm`: held out.
    pub variant: Option<String>,
    /// When the message may leave, in Unix milliseconds.
    pub effective_at: i64,
    /// More about it.
    pub detail: String,
    /// What the message does, as JSON; `None`: there is none.
    pub action: Option<String>,
}

/// What a rule decided for a moment, by customer; a refusal that came again later is only with the last.
pub async fn of_run(tx: &mut Tx, rule: &str, at: UnixMs) -> Result<Vec<OfRun>, StoreError> {
    on!(tx, OF_RUN, |c, q| sqlx::query_as(q).bind(rule).bind(at.0).fetch_all(c).await)
}
