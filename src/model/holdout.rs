//! Held out from all rules: since when, and what came of it.

use crate::base::time::UnixMs;

/// From here on another share was held out, or other people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The first run that met it.
    pub at: UnixMs,
    /// What decides who.
    pub seed: String,
    /// Of all customers; 0: nobody.
    pub percent: u32,
}

/// A time in which the same people were held out, and the same were not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub since: UnixMs,
    /// When nobody was held out any more, or other people were; `None`: it goes on.
    pub until: Option<UnixMs>,
    /// What decides who.
    pub seed: String,
    /// The smallest share, in percent: these were held out all the time.
    pub least: u32,
    /// The largest share, in percent: all but these were never held out.
    pub most: u32,
}

impl Span {
    /// The last such time; `None` when nobody ever was held out. Changes come oldest first.
    #[must_use]
    pub fn last(changes: &[Change]) -> Option<Self> {
        let end = changes.iter().rposition(|change| change.percent > 0)?;
        let seed = &changes[end].seed;
        let others = |change: &Change| change.percent == 0 || change.seed != *seed;
        let begin = changes[..end].iter().rposition(others).map_or(0, |before| before + 1);
        let shares = changes[begin..=end].iter().map(|change| change.percent);
        Some(Self {
            since: changes[begin].at,
            until: changes.get(end + 1).map(|change| change.at),
            seed: seed.clone(),
            least: shares.clone().min()?,
            most: shares.max()?,
        })
    }
}

/// Somebody about whom a rule decided while people were held out from all rules, and what they bought since then; amounts in cents.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrant {
    /// The shop's key.
    pub external_id: String,
    /// The first such decision: orders count after it.
    pub entered: UnixMs,
    /// Whether there is a paid order.
    pub bought: bool,
    /// What was paid.
    pub revenue_cents: i64,
    /// Margin of the orders as though no voucher of ours had been used.
    pub margin_cents: f64,
    /// Orders whose cost is not known.
    pub without_cost: i64,
    /// What the vouchers that were handed to them since then took off orders, whoever redeemed them.
    pub voucher_cents: f64,
    /// So many orders.
    pub vouchers: i64,
    /// Messages of rules that hold people out, sent or in doubt.
    pub messages: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `day seed percent` each.
    fn last(changes: &[(i64, &str, u32)]) -> Option<Span> {
        let change = |&(day, seed, percent): &(i64, &str, u32)| Change { at: UnixMs(day), seed: seed.to_owned(), percent };
        Span::last(&changes.iter().map(change).collect::<Vec<_>>())
    }

    #[test]
    fn a_span_begins_where_the_people_become_others_and_keeps_both_ends_of_a_share_that_changes() {
        let span = |since, until: Option<i64>, seed: &str, least, most| {
            Some(Span { since: UnixMs(since), until: until.map(UnixMs), seed: seed.to_owned(), least, most })
        };
        assert_eq!(last(&[]), None);
        assert_eq!(last(&[(1, "a", 0)]), None);
        assert_eq!(last(&[(1, "a", 5)]), span(1, None, "a", 5, 5));
        assert_eq!(last(&[(1, "a", 5), (2, "a", 2), (3, "a", 10)]), span(1, None, "a", 2, 10));
        assert_eq!(last(&[(1, "a", 5), (2, "a", 0), (3, "a", 10)]), span(3, None, "a", 10, 10));
        assert_eq!(last(&[(1, "a", 5), (2, "b", 5)]), span(2, None, "b", 5, 5));
        assert_eq!(last(&[(1, "a", 5), (2, "b", 7), (9, "b", 0)]), span(2, Some(9), "b", 7, 7));
    }
}
