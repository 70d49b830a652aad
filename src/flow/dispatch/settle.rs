//! What the end of a try means for the message: sent, once more later, failed, in doubt. Pure.

use crate::base::retry::Curve;
use crate::base::time::{DAY_MS, UnixMs};
use crate::model::attempt::{Delivery, Fault};
use crate::model::message::{LeasedMessage, MessageState};
use crate::store::deliveries::Finish;

/// When and how tries are repeated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// The waits.
    pub(super) curve: Curve,
    /// Days after which it is over.
    pub(super) give_up_after_days: u32,
    /// 0..=1: spreads the waits.
    pub(super) jitter_ratio: f64,
}

/// The record of a try that ended with `delivery`.
pub(super) fn settle(message: &LeasedMessage, delivery: &Delivery, started_at: UnixMs, ended_at: UnixMs, patience: Patience) -> Finish {
    let mut end = Finish {
        id: message.id,
        fence: message.fence,
        state: MessageState::Sent,
        due_at: None,
        fault: None,
        reply: String::new(),
        result: "accepted",
        started_at,
        ended_at,
        bounced: false,
    };
    match delivery {
        Delivery::Accepted { reply } => {
            end.reply.clone_from(reply);
        }
        Delivery::Retry { fault, detail, after_ms } => {
            end.reply.clone_from(detail);
            end.fault = Some(fault.code());
            end.result = "retry";
            let give_up_at = message.created_at.plus(i64::from(patience.give_up_after_days) * DAY_MS);
            let wait_ms = patience.curve.wait_ms(message.attempt, patience.jitter_ratio, *after_ms);
            end.due_at = wait_ms.map(|wait_ms| ended_at.plus(wait_ms)).filter(|due_at| *due_at <= give_up_at);
            if end.due_at.is_some() {
                end.state = MessageState::Queued;
            } else {
                end.state = MessageState::Failed;
            }
        }
        Delivery::Refused { fault, detail } => {
            end.reply.clone_from(detail);
            end.fault = Some(fault.code());
            end.result = "refused";
            end.state = MessageState::Failed;
            end.bounced = *fault == Fault::BadAddress;
        }
        Delivery::InDoubt { detail } => {
            end.reply.clone_from(detail);
            end.result = "in_doubt";
            end.state = MessageState::InDoubt;
        }
        Delivery::Cancelled => {
            "the customer objected, or the address is suppressed".clone_into(&mut end.reply);
            end.result = "cancelled";
            end.state = MessageState::Cancelled;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::Id;
    use crate::model::message::Content;

    fn message(attempt: u32) -> LeasedMessage {
        LeasedMessage {
            id: Id(1),
            customer_id: Id(3),
            rule: "r".into(),
            variant: "A".into(),
            content: Content::Webhook { target: "t".into(), body: None },
            created_at: UnixMs(0),
            attempt,
            fence: 1,
            email: None,
            first_name: None,
            last_name: None,
            locale: None,
            basis: "consent".into(),
        }
    }

    fn end(attempt: u32, at: UnixMs, delivery: &Delivery) -> Finish {
        let patience = Patience { curve: Curve::Email, give_up_after_days: 5, jitter_ratio: 0.5 };
        settle(&message(attempt), delivery, at, at, patience)
    }

    fn busy() -> Delivery {
        Delivery::Retry { fault: Fault::Busy, detail: "451 later".into(), after_ms: None }
    }

    #[test]
    fn a_failed_try_is_repeated_after_a_minute_then_five() {
        assert_eq!(end(1, UnixMs(0), &busy()).due_at, Some(UnixMs(60_000)));
        assert_eq!(end(2, UnixMs(0), &busy()).due_at, Some(UnixMs(300_000)));
        assert_eq!(end(1, UnixMs(0), &busy()).state, MessageState::Queued);
    }

    #[test]
    fn after_five_days_or_the_last_wait_the_message_has_failed() {
        for (attempt, at) in [(2, UnixMs(5 * DAY_MS)), (13, UnixMs(0))] {
            let end = end(attempt, at, &busy());
            assert_eq!((end.state, end.bounced), (MessageState::Failed, false));
        }
    }

    #[test]
    fn an_unclear_end_is_in_doubt_and_never_due_again() {
        let end = end(1, UnixMs(0), &Delivery::InDoubt { detail: "no answer".into() });
        assert_eq!((end.state, end.due_at), (MessageState::InDoubt, None));
    }

    #[test]
    fn a_dead_mailbox_counts_as_bounce() {
        let end = end(1, UnixMs(0), &Delivery::Refused { fault: Fault::BadAddress, detail: "550 5.1.1".into() });
        assert_eq!((end.state, end.bounced), (MessageState::Failed, true));
    }
}
