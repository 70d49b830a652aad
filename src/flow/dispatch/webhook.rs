//! Delivers webhooks: the same id and the same bytes on each try, so that the receiver can tell a repeat; a crash means one more try.

use std::time::Instant;

use super::queue::Queue;
use super::settle::{Patience, settle};
use super::{Dispatcher, Ordering, Pass};
use crate::base::retry::Curve;
use crate::model::attempt::{Delivery, Fault};
use crate::model::message::Content;

/// Delivers messages until the queue ends.
pub(super) async fn work(dispatcher: &Dispatcher, pass: &Pass, queue: &Queue) {
    while let Some(message) = pass.next(queue).await {
        let started_at = dispatcher.ctx.clock.now();
        let delivery = match &message.content {
            Content::Webhook { target, .. } if pass.is_put_off(&message, target).await => continue,
            Content::Webhook { target, body: Some(body) } => {
                let delivery = dispatcher.webhooks.post(target, message.id, started_at, body).await;
                pass.targets.note(
                    target,
                    !matches!(delivery, Delivery::Retry { fault: Fault::Connect | Fault::Timeout | Fault::Closed, .. }),
                    Instant::now(),
                );
                delivery
            }
            _ => Delivery::Refused { fault: Fault::Missing, detail: "the webhook has no body".to_owned() },
        };
        let give_up_after_days = dispatcher.ctx.config.dispatch.give_up_after_days;
        let patience = Patience { curve: Curve::Webhook, give_up_after_days, jitter_ratio: rand::random() };
        let end = settle(&message, &delivery, started_at, dispatcher.ctx.clock.now(), patience);
        dispatcher.ended.fetch_add(1, Ordering::Relaxed);
        pass.end(&message, end, None).await;
    }
}
