//! How long to wait before the next try.

use super::time::{DAY_MS, HOUR_MS};

const MINUTE_MS: i64 = 60_000;

/// Waits after the 1st, 2nd … failed try of an email: as Postfix does, minutes at first, then hours, five days in all.
const EMAIL_MS: [i64; 12] =
    [MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, 8 * HOUR_MS, 12 * HOUR_MS, DAY_MS / 2, DAY_MS / 2, DAY_MS, DAY_MS, DAY_MS];

/// Waits after the 1st, 2nd … failed try of a webhook: the schedule of the Standard Webhooks specification, about 75 hours.
const WEBHOOK_MS: [i64; 9] = [5_000, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 5 * HOUR_MS, 10 * HOUR_MS, 14 * HOUR_MS, 20 * HOUR_MS, 24 * HOUR_MS];

/// Which schedule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// Email: up to 12 retries in about five and a half days.
    Email,
    /// Webhook: up to 9 retries in about 75 hours.
    Webhook,
}

impl Curve {
    /// Milliseconds to wait after failed try number `attempt` (1 = the first), or `None` when it is time to give up.
    /// `jitter_ratio` in 0..=1 spreads the wait over ±20 %, so that a crowd does not come back as a crowd; `asked_ms` is what the
    /// receiver asked for (Retry-After), which is obeyed up to one day when it is longer.
    #[must_use]
    pub fn wait_ms(self, attempt: u32, jitter_ratio: f64, asked_ms: Option<i64>) -> Option<i64> {
        let steps: &[i64] = match self {
            Self::Email => &EMAIL_MS,
            Self::Webhook => &WEBHOOK_MS,
        };
        let base = *steps.get(attempt.checked_sub(1)? as usize)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "milliseconds below a day, spread by a fifth")]
        let spread = (base as f64 * (0.8 + 0.4 * jitter_ratio.clamp(0.0, 1.0))) as i64;
        Some(spread.max(asked_ms.unwrap_or(0).clamp(0, DAY_MS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_spread_by_a_fifth_and_end() {
        assert_eq!(Curve::Email.wait_ms(1, 0.5, None), Some(MINUTE_MS));
        assert_eq!(Curve::Email.wait_ms(1, 0.0, None), Some(48_000));
        assert_eq!(Curve::Email.wait_ms(1, 1.0, None), Some(72_000));
        assert_eq!(Curve::Email.wait_ms(13, 0.5, None), None);
        assert_eq!(Curve::Webhook.wait_ms(10, 0.5, None), None);
        assert_eq!(Curve::Webhook.wait_ms(0, 0.5, None), None);
    }

    #[test]
    fn a_longer_wait_that_the_receiver_asks_for_is_obeyed_up_to_a_day() {
        assert_eq!(Curve::Webhook.wait_ms(1, 0.5, Some(120_000)), Some(120_000));
        assert_eq!(Curve::Webhook.wait_ms(1, 0.5, Some(1)), Some(5_000));
        assert_eq!(Curve::Webhook.wait_ms(1, 0.5, Some(i64::MAX)), Some(DAY_MS));
    }
}
