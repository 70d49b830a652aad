//! What a rule says about itself, without its code.

use super::consent::LegalBasis;

/// The key that prevents a second message: what makes "this customer, now" one occasion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Occasion {
    /// Once in a customer's life: what a rule gets that says nothing.
    #[default]
    Ever,
    /// Not again within so many days of the last time.
    Cooldown {
        /// Days of 24 hours.
        days: i64,
    },
    /// Once in a calendar day of the shop's zone.
    Day,
    /// Once in a calendar week (Monday to Sunday).
    Week,
    /// Once in a calendar month.
    Month,
    /// Once in a calendar year: birthdays.
    Year,
    /// Once for each latest order: thank-you mails.
    Order,
}

/// Hours in which nobody is written to, in minutes after midnight in the shop's zone; `from` > `until` goes over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// First quiet minute of the day, 0..1440.
    pub from_minute: u32,
    /// First minute that is not quiet any more, 0..1440.
    pub until_minute: u32,
}

/// One arm of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantSpec {
    /// `A`, `B` … or what the marketer calls it; unique in the rule.
    pub name: String,
    /// Its weight among the variants; any positive whole number (weights need not add up to 100).
    pub weight: i64,
}

/// What counts as success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// What has to happen; `order` is the only goal there is.
    pub event: String,
    /// Days of 24 hours after the message in which it has to happen.
    pub window_days: i64,
}

/// A rule as the other floors see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpec {
    /// Unique name: lower-case letters, digits and hyphens.
    pub name: String,
    /// SHA-256 of the files' text it was made from, 64 hex digits.
    pub hash: String,
    /// File and line where it begins, e.g. `rules/win-back.rhai:3`.
    pub place: String,
    /// Unix crontab line in the shop's zone; `None`: runs only when named on the command line.
    pub schedule: Option<String>,
    /// What to do with runs that were missed while the daemon was down.
    pub missed: MissedPolicy,
    /// The ground it writes on.
    pub basis: LegalBasis,
    /// What prevents the second message.
    pub occasion: Occasion,
    /// Own quiet hours; `None`: the shop's.
    pub quiet: Option<QuietHours>,
    /// Higher goes first when several rules want the same customer at the same time.
    pub priority: i64,
    /// Percent held out on purpose, 0..=90.
    pub control_percent: i64,
    /// At least one.
    pub variants: Vec<VariantSpec>,
    /// Seed of the split: the rule's name unless `.experiment(…)` gives another.
    pub experiment: String,
    /// What counts as success; `None`: nothing is counted.
    pub goal: Option<Goal>,
    /// When the variant that has won takes the traffic; `None`: never by itself.
    pub winner: Option<WinnerAfter>,
    /// How much it may write.
    pub limits: RuleLimits,
}

/// The earliest moment at which a variant may take the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WinnerAfter {
    /// Days of 24 hours since the first decision.
    pub days: i64,
    /// People in all variants together.
    pub people: i64,
}

/// How much a rule may write by calendar hour and day of the shop's zone; `None`: as much as it wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleLimits {
    /// Messages per hour.
    pub messages_per_hour: Option<i64>,
    /// Messages per day.
    pub messages_per_day: Option<i64>,
    /// What a day's vouchers may cost if all are redeemed, in cents of the shop's currency.
    pub voucher_cents_per_day: Option<i64>,
}

impl RuleSpec {
    /// Weights as GrowthBook takes them, control first: `[0.1, 0.45, 0.45]` for 10 % control and two equal variants; without control only the variants.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "weights are small whole numbers")]
    pub fn split_weights(&self) -> Vec<f64> {
        let total: i64 = self.variants.iter().map(|variant| variant.weight).sum();
        let control = self.control_percent as f64 / 100.0;
        let arms = self.variants.iter().map(|variant| (1.0 - control) * variant.weight as f64 / total as f64);
        if self.control_percent > 0 { std::iter::once(control).chain(arms).collect() } else { arms.collect() }
    }
}

/// What happens to runs that fell into a time when nothing ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedPolicy {
    /// The latest missed run is made up for, if it is less than 24 hours old.
    #[default]
    Once,
    /// Nothing is made up for.
    Skip,
    /// Every missed run of the last 24 hours is made up for, oldest first, 100 at most.
    All,
}
