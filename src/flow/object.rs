//! A customer objects to advertising by the link in a mail: at once and for good.

use super::{Ctx, FlowError};
use crate::base::id::Id;
use crate::model::consent::{Consent, ConsentKind};
use crate::store::{consents, messages, outcomes};

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
