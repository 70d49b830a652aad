//! A customer objects to advertising, by the link in a mail or by calling it spam: at once and for good.

use super::{Ctx, FlowError};
use crate::base::id::Id;
use crate::base::time::{DAY_MS, UnixMs};
use crate::model::consent::{Consent, ConsentKind};
use crate::model::import::ComplaintCounts;
use crate::store::events::Stored;
use crate::store::{StoreError, Tx, consents, customers, messages, outcomes};

/// Records the objection of the customer who got message `message`, cancels what waits for them, and notes the outcome for the decision behind it.
/// Everything in one transaction: when this returns, no further mail begins. False when there is no such message (any more).
pub async fn unsubscribe(ctx: &Ctx, message: Id) -> Result<bool, FlowError> {
    let now = ctx.clock.now();
    let mut tx = ctx.db.write().await?;
    let Some((decision, customer)) = messages::owner(&mut tx, message).await? else { return Ok(false) };
    let people = customers::with_address_of(&mut tx, customer).await?;
    let cancelled = objected(&mut tx, &people, "unsubscribe link", now, now).await?;
    outcomes::unsubscribed(&mut tx, decision, now).await?;
    tx.commit().await?;
    tracing::info!(message = %message, cancelled, "a customer unsubscribed");
    Ok(true)
}

/// What follows from complaints that have just been stored: whoever they are from has objected, what waits for them is cancelled, and the decision behind the message
/// has an outcome. What an event said before that has changed counts no more; the objection stays.
pub(super) async fn complaints(ctx: &Ctx, tx: &mut Tx, stored: &Stored) -> Result<ComplaintCounts, StoreError> {
    let (now, zone) = (ctx.clock.now(), ctx.config.shop.zone());
    for (event, customer) in &stored.withdrawn {
        let people = customers::with_address_of(tx, *customer).await?;
        outcomes::withdraw(tx, *event, &people).await?;
    }
    let mut counts = ComplaintCounts::default();
    for complaint in &stored.complaints {
        let at = complaint.at;
        // A report names an address: whoever has it objects, by whatever key the shop knows them.
        let people = customers::with_address_of(tx, complaint.customer).await?;
        // Many exports tell the day alone: then it is about a message of that day, too, and said when the day was over.
        let day = zone.date(at);
        let until = if zone.start_of(day) == at { day.succ_opt().map_or(at, |next| zone.start_of(next).plus(-1)) } else { at };
        // From then on, not from the import on: a later opt-in has the last word.
        objected(tx, &people, "complaint", until.min(now), now).await?;
        let since = at.plus(-i64::from(ctx.config.experiments.complaint_days) * DAY_MS);
        counts.complaints += 1;
        counts.attributed += u64::from(outcomes::complained(tx, complaint, &people, (since, until)).await?);
    }
    Ok(counts)
}

/// Records what people with one address said at a moment, and cancels what waits for them; how many messages that were. All of them said it, so it stays theirs when one of
/// them moves to another address. Whoever becomes known by the address later is told from them by the gates and by the last look before an email leaves.
async fn objected(tx: &mut Tx, people: &[Id], source: &str, at: UnixMs, now: UnixMs) -> Result<u64, StoreError> {
    let objection = Consent { kind: ConsentKind::Objected, at, source: source.to_owned() };
    consents::append(tx, &people.iter().map(|customer| (*customer, &objection)).collect::<Vec<_>>()).await?;
    messages::cancel_for(tx, people, at, now).await
}
