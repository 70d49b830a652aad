//! The occasion's key: what makes "this customer, now" one occasion, so that the database's unique key can refuse a second message.

use chrono::Datelike;

use crate::base::time::UnixMs;
use crate::model::facts::Moment;
use crate::model::rule::Occasion;

/// The key for a customer at a moment. `taken` is how many occasions the rule has taken for the customer so far; `last_order_at` is their latest order.
///
/// A cooldown has no natural name, so its occasions are numbered: two deciders that race both come to the same number, and the second collides.
#[must_use]
pub fn key(occasion: Occasion, moment: &Moment, taken: usize, last_order_at: Option<UnixMs>) -> String {
    let today = moment.today();
    match occasion {
        Occasion::Ever => "ever".to_owned(),
        Occasion::Cooldown { .. } => format!("#{}", taken + 1),
        Occasion::Day => today.to_string(),
        Occasion::Week => {
            let week = today.iso_week();
            format!("{}-W{:02}", week.year(), week.week())
        }
        Occasion::Month => format!("{}-{:02}", today.year(), today.month()),
        Occasion::Year => today.year().to_string(),
        Occasion::Order => last_order_at.map_or_else(|| "no order".to_owned(), |at| format!("order {at}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Zone;

    #[test]
    fn keys_follow_the_calendar_of_the_shop() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        // 23:30 UTC on New Year's Eve is already the new year in Berlin, and still the last ISO week of the old one.
        let moment = Moment { now: zone.parse_time("2027-01-01T00:30").unwrap(), zone };
        let keys: Vec<String> =
            [Occasion::Ever, Occasion::Cooldown { days: 3 }, Occasion::Day, Occasion::Week, Occasion::Month, Occasion::Year, Occasion::Order]
                .into_iter()
                .map(|occasion| key(occasion, &moment, 2, Some(UnixMs(0))))
                .collect();
        assert_eq!(keys, ["ever", "#3", "2027-01-01", "2026-W53", "2027-01", "2027", "order 1970-01-01T00:00:00Z"]);
    }
}
