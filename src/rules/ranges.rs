//! Which values the fields of a customer can have: what is outside is never true, what is all of it is always true.

use crate::model::crossing::CHURN;
use crate::model::fact::Fact;

/// The values that a field can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// Any.
    Any,
    /// Whole numbers from … to, as far as there is an end.
    Whole(i64, Option<i64>),
    /// Decimal numbers from … to.
    Decimal(i64, i64),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
}

/// Most buckets that a shop can have for r, f and m.
pub(super) const MOST_BUCKETS: i64 = 20;

/// The fact's values and whether it can be missing. `buckets` is the greatest r, f and m
/// (`[score] buckets`).
pub(super) fn range(fact: Fact, buckets: i64) -> (Range, bool) {
    match fact {
        // Refunds may exceed what was paid, returns what was bought.
        Fact::Id | Fact::Tags | Fact::Interests | Fact::Revenue | Fact::RevenueIn | Fact::Pieces | Fact::PiecesOfCategory | Fact::DaysUntil => {
            (Range::Any, false)
        }
        Fact::Locale => (Range::OneOf(&["de", "en"]), true),
        Fact::HasEmail | Fact::Bought | Fact::BoughtCategory | Fact::BirthdayThisWeek => (Range::Flag, false),
        Fact::Age => (Range::Whole(0, Some(115)), true),
        Fact::BirthdayInDays | Fact::AnniversaryInDays => (Range::Whole(0, Some(366)), true),
        Fact::RecencyDays | Fact::TenureDays | Fact::FirstOrderDays | Fact::AnniversaryYears | Fact::DaysSince => (Range::Whole(0, None), true),
        Fact::Orders
        | Fact::OrdersIn
        | Fact::EmailsIn
        | Fact::EmailsOf
        | Fact::AnswersIn
        | Fact::EventsOf
        | Fact::DifferentProducts
        | Fact::DifferentCategories
        | Fact::Referrals => (Range::Whole(0, None), false),
        Fact::Nps => (Range::Whole(0, Some(10)), true),
        Fact::NpsClass => (Range::OneOf(&["detractor", "passive", "promoter"]), true),
        Fact::Csat => (Range::Whole(1, Some(5)), true),
        Fact::R | Fact::F | Fact::M | Fact::RWas | Fact::FWas | Fact::MWas => (Range::Whole(1, Some(buckets)), true),
        // With ten or more buckets a score takes two digits.
        Fact::Rfm => (Range::Whole(111, Some(if buckets < 10 { buckets * 111 } else { buckets * 10_101 })), true),
        Fact::RfmWeighted => (Range::Decimal(1, buckets), true),
        Fact::ChurnWas => (Range::OneOf(&CHURN), true),
        Fact::Abc | Fact::AbcAdjusted | Fact::AbcWas => (Range::OneOf(&["A", "B", "C"]), true),
        Fact::RevenueRank => (Range::Whole(1, None), true),
        Fact::TopPercent => (Range::Whole(1, Some(100)), true),
        Fact::Interest | Fact::InterestDrift => (Range::Decimal(0, 1), true),
        Fact::ChurnRisk => (Range::Decimal(0, 100), true),
        Fact::BirthdayMonth => (Range::Whole(1, Some(12)), true),
        Fact::Month => (Range::Whole(1, Some(12)), false),
        Fact::Day => (Range::Whole(1, Some(31)), false),
        Fact::Weekday => (Range::Whole(1, Some(7)), false),
        Fact::FirstName
        | Fact::LastName
        | Fact::Attr
        | Fact::Score
        | Fact::TopInterest
        | Fact::ShareOfWallet
        | Fact::ReferredBy
        | Fact::AverageOrderValue
        | Fact::TypicalGapDays
        | Fact::NextOrderInDays
        | Fact::ExpectedOrders365
        | Fact::ExpectedOrderValue
        | Fact::Clv12m => (Range::Any, true),
    }
}

impl Range {
    /// In a marketer's words; `None` for anything.
    pub(super) fn words(self) -> Option<String> {
        Some(match self {
            Self::Whole(from, Some(to)) | Self::Decimal(from, to) => format!("{from} to {to}"),
            Self::Whole(from, None) => format!("{from} or more"),
            Self::OneOf(texts) => texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(" or "),
            Self::Any | Self::Flag => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::{ALL, Kind};

    #[test]
    fn a_range_is_of_its_facts_kind() {
        for about in ALL {
            let fits = match range(about.fact, 5).0 {
                Range::Any => true,
                Range::Whole(..) => about.kind == Kind::Whole,
                Range::Decimal(..) => about.kind == Kind::Decimal,
                Range::OneOf(_) => about.kind == Kind::Text,
                Range::Flag => about.kind == Kind::Flag,
            };
            assert!(fits, "{}", about.name);
        }
    }
}
