//! A held run: which guard stopped it, with what figures, and what became of it.

use serde::{Serialize, Serializer};

use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::{UnixMs, Zone};

/// What stops a run before a limit is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// More than a multiple of what the rule usually writes in a day.
    Norm,
    /// More than a share of all customers.
    Percent,
    /// The rule's own limit of messages per hour.
    RuleHour,
    /// The rule's own limit of messages per day.
    RuleDay,
    /// The rule's own budget of vouchers per day.
    RuleVouchers,
    /// The shop's limit of messages per hour.
    ShopHour,
    /// The shop's limit of messages per day.
    ShopDay,
    /// The shop's budget of vouchers per day.
    ShopVouchers,
}

impl Guard {
    /// All guards.
    pub const ALL: [Self; 8] =
        [Self::Norm, Self::Percent, Self::RuleHour, Self::RuleDay, Self::RuleVouchers, Self::ShopHour, Self::ShopDay, Self::ShopVouchers];

    /// The word in JSON and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Norm => "norm",
            Self::Percent => "percent",
            Self::RuleHour => "rule_hour",
            Self::RuleDay => "rule_day",
            Self::RuleVouchers => "rule_vouchers",
            Self::ShopHour => "shop_hour",
            Self::ShopDay => "shop_day",
            Self::ShopVouchers => "shop_vouchers",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guard| guard.code() == text)
    }

    /// Whether it asks a person because a run is unusually large; the others count what was written in an hour or a day.
    #[must_use]
    pub fn is_of_size(self) -> bool {
        matches!(self, Self::Norm | Self::Percent)
    }

    /// Whether a person who let a run pass `other` has let it pass this one too: both guards of size ask the same question.
    #[must_use]
    pub fn is_waived_by(self, other: Self) -> bool {
        self == other || self.is_of_size() && other.is_of_size()
    }

    /// What it guards, for people; `most` and the rest are the figures of a [`Barrier`].
    #[must_use]
    pub fn sentence(self, barrier: &Barrier, currency: &str) -> String {
        let Barrier { most, norm, today, customers, .. } = barrier;
        let money = || format!("{} {currency}", Cents(*most));
        let before = if *today > 0 { format!(" ({today} today so far)") } else { String::new() };
        match self {
            Self::Norm => format!("it usually writes {} a day, and up to {most} are let through{before}", norm.unwrap_or_default()),
            Self::Percent => format!("up to {most} a day, of {customers} customers, are let through{before}"),
            Self::RuleHour => format!("the rule writes at most {most} messages an hour"),
            Self::RuleDay => format!("the rule writes at most {most} messages a day"),
            Self::RuleVouchers => format!("the rule's vouchers may cost at most {} a day", money()),
            Self::ShopHour => format!("all rules together write at most {most} messages an hour"),
            Self::ShopDay => format!("all rules together write at most {most} messages a day"),
            Self::ShopVouchers => format!("the vouchers of all rules together may cost at most {} a day", money()),
        }
    }
}

impl Serialize for Guard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// A guard with the figures that it goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Barrier {
    /// Which.
    pub guard: Guard,
    /// Most messages, or cents of vouchers.
    pub most: i64,
    /// Messages that the rule usually writes on a day on which it writes.
    pub norm: Option<i64>,
    /// Messages of the rule's other runs of the day, which count for a guard of size.
    pub today: i64,
    /// Customers there were, for a guard of size; else 0.
    pub customers: i64,
}

/// How a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A person let the run go on.
    Released,
    /// A person discarded the rest.
    Discarded,
    /// Nobody answered in time: the rest is discarded.
    Expired,
    /// The next hour or day began.
    WentOn,
}

impl Ending {
    const ALL: [Self; 4] = [Self::Released, Self::Discarded, Self::Expired, Self::WentOn];

    /// The word in JSON and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::WentOn => "went_on",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.code() == text)
    }
}

impl Serialize for Ending {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// A run that a guard stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// Our key.
    pub id: Id,
    /// The rule.
    pub rule: String,
    /// The moment that the run is for.
    pub tick_at: UnixMs,
    /// The rule's version that was held; a release counts for this one only.
    pub rule_hash: String,
    /// What stopped it.
    #[serde(flatten)]
    pub barrier: Barrier,
    /// Messages of this run that were written before.
    pub written: i64,
    /// Messages that the rest of the run would write, as it looked then.
    pub waiting: i64,
    /// Since when.
    pub held_at: UnixMs,
    /// Until when, if nobody answers before; `None`: until somebody does.
    pub until: Option<UnixMs>,
    /// What happens at `until`: the run goes on, or the rest is discarded.
    pub goes_on: bool,
    /// When it ended.
    pub ended_at: Option<UnixMs>,
    /// How it ended.
    pub ended_how: Option<Ending>,
    /// Who ended it, if a person did.
    pub ended_by: Option<String>,
}

impl Hold {
    /// What waits and why, in a sentence without the rule's name.
    #[must_use]
    pub fn sentence(&self, zone: Zone, currency: &str) -> String {
        let Self { written, waiting, barrier, .. } = self;
        let more = if *written > 0 { format!("{waiting} more messages after {written}") } else { format!("{waiting} messages") };
        let then = match (self.until, self.goes_on) {
            (None, _) => "it waits for you".to_owned(),
            (Some(until), true) => format!("it goes on at {}", zone.format(until)),
            (Some(until), false) => format!("it waits for you until {}, then the rest is discarded", zone.format(until)),
        };
        format!("the run for {} would write {more}: {}; {then}", zone.format(self.tick_at), barrier.guard.sentence(barrier, currency))
    }
}
