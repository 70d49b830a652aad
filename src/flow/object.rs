//! A customer objects to advertising, by the link in a mail or by calling it spam: at once and for good.

use super::{Ctx, FlowError};
use crate::base::id::Id;
use crate::base::time::DAY_MS;
use crate::model::consent::{Consent, ConsentKind};
use crate::model::event::Complaint;
use crate::model::import::ComplaintCounts;
use crate::store::events::Stored;
use crate::store::{StoreError, Tx, consents, messages, outcomes};

/// Records the objection of the customer who got message `message`, cancels what waits for them, and notes the outcome for the decision behind it.
/// Everything in one transaction: when this returns, no further mail begins. False when there is no such message (any more).
pub async fn unsubscribe(ctx: &Ctx, message: Id) -> Result<bool, FlowError> {
    let now = ctx.clock.now();
    let mut tx = ctx.db.write().await?;
    let Some((decision, customer)) = messages::owner(&mut tx, message).await? else { return Ok(false) };
    let objection = Consent { kind: ConsentKind::Objected, at: now, source: "unsubscribe link".to_owned() };
    consents::append(&mut tx, &[(customer, &objection)]).await?;
    let cancelled = messages::cancel_for(&mut tx, customer, now).await?;
    outcomes::unsubscribed(&mut tx, decision, now).await?;
    tx.commit().await?;
    tracing::info!(message = %message, cancelled, "a customer unsubscribed");
    Ok(true)
}

/// What follows from complaints that have just been stored: whoever they are from has objected, what waits for them is cancelled, and the decision behind the message
/// has an outcome. What an event said before that has changed counts no more; the objection stays.
pub(super) async fn complaints(ctx: &Ctx, tx: &mut Tx, stored: &Stored) -> Result<ComplaintCounts, StoreError> {
    let now = ctx.clock.now();
    for (event, customer) in &stored.withdrawn {
        outcomes::withdraw(tx, *event, *customer).await?;
    }
    let mut counts = ComplaintCounts::default();
    for complaint in &stored.complaints {
        let Complaint { customer, at, .. } = complaint;
        // From then on, not from the import on: a later opt-in has the last word.
        let objection = Consent { kind: ConsentKind::Objected, at: (*at).min(now), source: "complaint".to_owned() };
        consents::append(tx, &[(*customer, &objection)]).await?;
        messages::cancel_for(tx, *customer, now).await?;
        // Many exports tell the day alone: then it is about a message of that day, too.
        let zone = ctx.config.shop.zone();
        let day = zone.date(*at);
        let until = if zone.start_of(day) == *at { day.succ_opt().map_or(*at, |next| zone.start_of(next)) } else { *at };
        let since = at.plus(-i64::from(ctx.config.experiments.complaint_days) * DAY_MS);
        counts.complaints += 1;
        counts.attributed += u64::from(outcomes::complained(tx, complaint, (since, until)).await?);
    }
    Ok(counts)
}
