//! Every fact about a customer that a rule may read: the one list that getters, checks, pushdown, documentation and editor definitions come from.

use std::fmt;
use std::sync::Arc;

/// What kind of value a fact has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Whole,
    /// An exact decimal number.
    Decimal,
    /// `true` or `false`.
    Flag,
    /// A list of texts.
    Texts,
    /// Text, number or flag, as the shop declares it.
    Any,
}

impl Kind {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Whole => "whole number",
            Self::Decimal => "decimal number",
            Self::Flag => "true or false",
            Self::Texts => "list of texts",
            Self::Any => "text, number or flag",
        }
    }
}

/// What stands in the brackets behind a fact's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// No brackets: `c.orders`.
    Nothing,
    /// A window: `c.orders_in(days(30))`.
    Days,
    /// A name: `c.attr("city")`.
    Name,
    /// A name and perhaps a window: `c.bought("P-1")`, `c.bought("P-1", days(90))`.
    NameAndDays,
}

/// What a fact is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The day of the run: nothing is read.
    Calendar,
    /// This column of the customer's record.
    Customer(&'static str),
    /// This column of their scores.
    Score(&'static str),
    /// Their paid orders.
    Orders,
    /// The lines of these.
    Lines,
    /// The emails they got.
    Emails,
    /// Events that were imported.
    Events,
    /// The shop's own scores.
    Own,
    /// The customers whom they brought.
    Referrals,
    /// The classes they moved between.
    Classes,
}

impl Source {
    /// Whether it is a list that grows with what happens to a customer: read by itself, only for whom it is asked about.
    #[must_use]
    pub const fn is_history(self) -> bool {
        match self {
            Self::Orders | Self::Lines | Self::Emails | Self::Events | Self::Referrals | Self::Classes => true,
            Self::Calendar | Self::Customer(_) | Self::Score(_) | Self::Own => false,
        }
    }
}

/// How a fact stands in its column as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The power of ten that the stored whole number is larger by.
    pub scale: u32,
    /// Whether no row means 0, not missing.
    pub or_zero: bool,
}

/// What there is to say about a fact.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Which one.
    pub fact: Fact,
    /// Its name after `c.`.
    pub name: &'static str,
    /// What stands in brackets behind it.
    pub takes: Takes,
    /// What kind of value it has.
    pub kind: Kind,
    /// Unit or range, e.g. `days`, `1–5`; empty when there is none.
    pub unit: &'static str,
    /// What it means, and when it is missing.
    pub meaning: &'static str,
    /// A clause that uses it.
    pub example: &'static str,
    /// What it is read from.
    pub source: Source,
    /// How it stands there; `None`: it is worked out.
    pub stored: Option<Stored>,
}

impl Fact {
    /// What there is to say about it.
    #[must_use]
    pub fn about(self) -> &'static About {
        &ALL[self as usize]
    }

    /// The fact of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().find(|about| about.name == name).map(|about| about.fact)
    }

    /// The fact of that name that is read without brackets.
    #[must_use]
    pub fn field(name: &str) -> Option<Self> {
        Self::named(name).filter(|fact| fact.about().takes == Takes::Nothing)
    }
}

/// A fact with what stands in its brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reading {
    /// The fact.
    pub fact: Fact,
    /// The name in brackets.
    pub of: Option<Arc<str>>,
    /// The window in calendar days, today included.
    pub days: Option<i64>,
}

impl From<Fact> for Reading {
    fn from(fact: Fact) -> Self {
        Self { fact, of: None, days: None }
    }
}

/// As a rule's text says it.
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fact.about().name)?;
        match (&self.of, self.days) {
            (None, None) => Ok(()),
            (None, Some(days)) => write!(f, "(days({days}))"),
            (Some(of), None) => write!(f, "({of:?})"),
            (Some(of), Some(days)) => write!(f, "({of:?}, days({days}))"),
        }
    }
}

const fn fact(name: &'static str, source: Source, kind: Kind, unit: &'static str, meaning: &'static str, example: &'static str) -> About {
    About { fact: Fact::Id, name, takes: Takes::Nothing, kind, unit, meaning, example, source, stored: None }
}

impl About {
    const fn takes(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    const fn stored(self, scale: u32) -> Self {
        Self { stored: Some(Stored { scale, or_zero: false }), ..self }
    }

    const fn stored_or_zero(self, scale: u32) -> Self {
        Self { stored: Some(Stored { scale, or_zero: true }), ..self }
    }
}

macro_rules! facts {
    ($($fact:ident => $about:expr;)*) => {
        /// A fact about a customer; [`Fact::about`] says what it means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the table says it")]
        pub enum Fact { $($fact),* }

        /// All facts.
        pub const ALL: &[About] = &[$(About { fact: Fact::$fact, ..$about }),*];
    };
}

facts! {
    Id => fact("id", Source::Customer("external_id"), Kind::Text, "", "the shop's key of the customer", "c.id != \"1001\"").stored(0);
    FirstName => fact("first_name", Source::Customer("first_name"), Kind::Text, "", "given name; missing when unknown", "c.has(\"first_name\")").stored(0);
    LastName => fact("last_name", Source::Customer("last_name"), Kind::Text, "", "family name; missing when unknown", "c.has(\"last_name\")").stored(0);
    Locale => fact("locale", Source::Customer("locale"), Kind::Text, "de, en", "language of their mails; missing: the shop's", "c.locale == \"de\"");
    Tags => fact("tags", Source::Customer("tags"), Kind::Texts, "", "the shop's labels", "c.tags.contains(\"vip\")");
    HasEmail => fact("has_email", Source::Customer("email"), Kind::Flag, "", "whether there is an address to write to", "c.has_email");
    Attr => fact(
        "attr", Source::Customer("attributes"), Kind::Any, "", "an own fact of the shop's, declared in [attributes] of the configuration; missing when the customer has none", "c.attr(\"city\") == \"Bonn\"",
    ).takes(Takes::Name);
    Score => fact(
        "score", Source::Own, Kind::Any, "", "an own score of the shop's, written in scores/*.rhai; missing when it is unknown for the customer", "c.score(\"lead\") >= 50",
    ).takes(Takes::Name);
    BirthdayInDays => fact("birthday_in_days", Source::Customer("birthday"), Kind::Whole, "days", "days to the next birthday, 0 = today; missing without a birthday", "c.birthday_in_days == 0");
    Age => fact("age", Source::Customer("birthday"), Kind::Whole, "years", "age in full years; missing without a birthday or with a made-up year", "c.age >= 18");
    RecencyDays => fact("recency_days", Source::Score("recency_days"), Kind::Whole, "days", "calendar days since the last order, 0 = today; missing without an order", "c.recency_days > 60")
        .stored(0);
    Orders => fact("orders", Source::Score("orders"), Kind::Whole, "", "number of paid orders; 0 without one", "c.orders >= 2").stored_or_zero(0);
    Revenue => fact("revenue", Source::Score("revenue_cents"), Kind::Decimal, "currency", "sum of what was paid; 0 without an order", "c.revenue > 199.90").stored_or_zero(2);
    AverageOrderValue => fact("average_order_value", Source::Score("average_order_value_cents"), Kind::Decimal, "currency", "revenue per order; missing without an order", "c.average_order_value < 25")
        .stored(2);
    TenureDays => fact("tenure_days", Source::Score("tenure_days"), Kind::Whole, "days", "calendar days since the first order; missing without an order", "c.tenure_days > 365")
        .stored(0);
    FirstOrderDays => fact("first_order_days", Source::Score("tenure_days"), Kind::Whole, "days", "the same as tenure_days", "c.first_order_days == 30").stored(0);
    AnniversaryInDays => fact(
        "anniversary_in_days", Source::Score("first_order_at"), Kind::Whole, "days",
        "days to the next return of the first order's day, 0 = today; missing without an order and on its own day", "c.anniversary_in_days == 0",
    );
    AnniversaryYears => fact("anniversary_years", Source::Score("first_order_at"), Kind::Whole, "years", "full years since the first order; missing without an order", "c.anniversary_years == 1");
    R => fact("r", Source::Score("r"), Kind::Whole, "1–5", "recency score: 5 = ordered just now; missing without an order", "c.r >= 4").stored(0);
    F => fact("f", Source::Score("f"), Kind::Whole, "1–5", "frequency score: 5 = orders often; missing without an order", "c.f >= 4").stored(0);
    M => fact("m", Source::Score("m"), Kind::Whole, "1–5", "monetary score: 5 = pays most; missing without an order", "c.m >= 4").stored(0);
    Rfm => fact("rfm", Source::Score("rfm"), Kind::Whole, "111–555", "the three scores as one number; missing without an order", "c.rfm == 555").stored(0);
    RfmWeighted => fact("rfm_weighted", Source::Score("rfm_weighted_e4"), Kind::Decimal, "1–5", "weighted mean of the three scores; missing without an order", "c.rfm_weighted >= 4.5")
        .stored(4);
    Abc => fact("abc", Source::Score("abc"), Kind::Text, "A, B, C", "class by revenue: A = the customers of the first 80 %; missing without an order", "c.abc == \"A\"").stored(0);
    AbcAdjusted => fact(
        "abc_adjusted", Source::Score("abc_adjusted"), Kind::Text, "A, B, C",
        "class by revenue as abc, but newcomers ([score] newcomer_days) are compared only with those who came in the same 30 days; missing without an order, among fewer than 30 of them, and when newcomer_days is 0",
        "c.abc_adjusted == \"A\" && c.tenure_days < 90",
    ).stored(0);
    RevenueRank => fact("revenue_rank", Source::Score("revenue_rank"), Kind::Whole, "from 1", "place by revenue, 1 = the best customer; missing without an order", "c.revenue_rank <= 100")
        .stored(0);
    TopPercent => fact(
        "top_percent", Source::Score("top_percent"), Kind::Whole, "1–100", "the customer is among the top so many percent by revenue; missing without an order", "c.top_percent <= 10",
    ).stored(0);
    Month => fact("month", Source::Calendar, Kind::Whole, "1–12", "the month of the run's day", "c.month == 12");
    Day => fact("day", Source::Calendar, Kind::Whole, "1–31", "the day of the month of the run's day", "c.day <= 7");
    Weekday => fact("weekday", Source::Calendar, Kind::Whole, "1–7", "the weekday of the run's day, 1 = Monday", "c.weekday <= 5");
    BirthdayMonth => fact("birthday_month", Source::Customer("birthday"), Kind::Whole, "1–12", "the month of the birthday; missing without a birthday", "c.birthday_month == c.month");
    BirthdayThisWeek => fact(
        "birthday_this_week", Source::Customer("birthday"), Kind::Flag, "", "whether the birthday falls into the calendar week (Monday to Sunday) of the run's day",
        "c.birthday_this_week",
    );
    DaysUntil => fact(
        "days_until", Source::Calendar, Kind::Whole, "days", "days to the next return of a day of the year (month-day), or to a date (year-month-day; negative when it has passed)",
        "c.days_until(\"12-24\") <= 10",
    ).takes(Takes::Name);
    OrdersIn => fact("orders_in", Source::Orders, Kind::Whole, "", "number of paid orders in the window", "c.orders_in(days(90)) >= 2").takes(Takes::Days);
    RevenueIn => fact("revenue_in", Source::Orders, Kind::Decimal, "currency", "sum of what was paid in the window", "c.revenue_in(days(365)) > 100").takes(Takes::Days);
    Bought => fact(
        "bought", Source::Lines, Kind::Flag, "", "whether a paid order, of the window if there is one, has a line with this article number or product name",
        "c.bought(\"P-101\", days(180))",
    ).takes(Takes::NameAndDays);
    BoughtCategory => fact(
        "bought_category", Source::Lines, Kind::Flag, "", "whether a paid order, of the window if there is one, has a line of this category", "c.bought_category(\"Pralinen\")",
    ).takes(Takes::NameAndDays);
    Pieces => fact(
        "pieces", Source::Lines, Kind::Whole, "pieces", "how many pieces with this article number or product name were bought, in the window if there is one",
        "c.pieces(\"P-101\") >= 10",
    ).takes(Takes::NameAndDays);
    PiecesOfCategory => fact(
        "pieces_of_category", Source::Lines, Kind::Whole, "pieces", "how many pieces of this category were bought, in the window if there is one",
        "c.pieces_of_category(\"Pralinen\", days(365)) >= 5",
    ).takes(Takes::NameAndDays);
    EmailsIn => fact("emails_in", Source::Emails, Kind::Whole, "", "number of emails from all rules in the window; those that failed or were withdrawn do not count", "c.emails_in(days(14)) == 0")
        .takes(Takes::Days);
    EmailsOf => fact(
        "emails_of", Source::Emails, Kind::Whole, "", "number of emails from this rule, in the window if there is one", "c.emails_of(\"win-back\", days(180)) == 0",
    ).takes(Takes::NameAndDays);
    TypicalGapDays => fact(
        "typical_gap_days", Source::Score("typical_gap_e1"), Kind::Decimal, "days", "median of the days between two purchase days: the customer's own rhythm; missing with fewer than three purchase days",
        "c.typical_gap_days <= 30",
    ).stored(1);
    NextOrderInDays => fact(
        "next_order_in_days", Source::Score("next_order_in_days"), Kind::Whole, "days",
        "days until the next order by the customer's own rhythm, 0 = today, -14 = two weeks late; missing with fewer than three purchase days", "c.next_order_in_days <= -14",
    ).stored(0);
    ChurnRisk => fact(
        "churn_risk", Source::Score("churn_risk_e2"), Kind::Decimal, "percent, 0–100", "chance that the customer has left for good (BG/NBD); missing with one purchase day, or while the shop's orders tell too little",
        "c.churn_risk >= 70",
    ).stored(2);
    ExpectedOrders365 => fact(
        "expected_orders_365", Source::Score("expected_orders_365_e4"), Kind::Decimal, "purchase days", "orders to expect in the next 365 days (BG/NBD); missing while the shop's orders tell too little", "c.expected_orders_365 >= 2.5",
    ).stored(4);
    ExpectedOrderValue => fact(
        "expected_order_value", Source::Score("expected_order_value_cents"), Kind::Decimal, "currency", "what an order is to be expected to bring (Gamma-Gamma); missing while the shop's orders tell too little",
        "c.expected_order_value > 40",
    ).stored(2);
    DifferentProducts => fact("different_products", Source::Lines, Kind::Whole, "", "number of different products bought, by article number, else by name; 0 without one", "c.different_products >= 3");
    DifferentCategories => fact("different_categories", Source::Lines, Kind::Whole, "", "number of different categories bought; 0 without one", "c.different_categories == 1");
    Interests => fact(
        "interests", Source::Lines, Kind::Texts, "", "categories that the customer is interested in, the strongest first: a tenth of their purchases at least (newer ones count more), five at most",
        "c.interests.contains(\"Pralinen\")",
    );
    TopInterest => fact("top_interest", Source::Lines, Kind::Text, "", "the strongest of these; missing without a purchase of a category", "c.top_interest == \"Pralinen\"");
    Interest => fact(
        "interest", Source::Lines, Kind::Decimal, "0–1",
        "share of this category in the customer's purchases, each of which counts half after 180 days, or after the days given; missing without a purchase of a category", "c.interest(\"Pralinen\", days(90)) >= 0.5",
    ).takes(Takes::NameAndDays);
    InterestDrift => fact(
        "interest_drift", Source::Lines, Kind::Decimal, "0–1",
        "how far the categories bought in the window are from those before it: 0 = the same mix, 1 = nothing in common; missing with fewer than five purchases on either side", "c.interest_drift(days(180)) >= 0.5",
    ).takes(Takes::Days);
    ShareOfWallet => fact(
        "share_of_wallet", Source::Orders, Kind::Decimal, "percent",
        "what the customer paid in the last 365 days, in percent of the yearly need (in the shop's currency, above 0) that this own fact states; missing without one", "c.share_of_wallet(\"yearly_need\") < 30",
    ).takes(Takes::Name);
    ReferredBy => fact("referred_by", Source::Customer("referred_by"), Kind::Text, "", "the shop's key of the customer who brought this one; missing when nobody did", "c.has(\"referred_by\")").stored(0);
    Referrals => fact("referrals", Source::Referrals, Kind::Whole, "", "number of customers whom this one brought: their record says so (referred_by)", "c.referrals >= 1");
    Clv12m => fact(
        "clv_12m", Source::Score("clv_12m_cents"), Kind::Decimal, "currency",
        "customer lifetime value: revenue to expect in the next twelve months, discounted (BG/NBD with Gamma-Gamma); missing while the shop's orders tell too little", "c.clv_12m > 100",
    ).stored(2);
    Nps => fact("nps", Source::Events, Kind::Whole, "0–10", "the latest answer to \"would you recommend us?\" (events of the kind nps); missing without one", "c.nps <= 6");
    NpsClass => fact(
        "nps_class", Source::Events, Kind::Text, "promoter, passive, detractor", "what that answer makes of the customer: 9 and 10, 7 and 8, 0 to 6; missing without one", "c.nps_class == \"promoter\"",
    );
    Csat => fact("csat", Source::Events, Kind::Whole, "1–5", "the latest answer to \"how satisfied are you?\" (events of the kind csat); missing without one", "c.csat >= 4");
    AnswersIn => fact("answers_in", Source::Events, Kind::Whole, "", "number of survey answers (nps and csat) in the window", "c.answers_in(days(180)) == 0").takes(Takes::Days);
    EventsOf => fact("events_of", Source::Events, Kind::Whole, "", "number of imported events of this kind, in the window if there is one", "c.events_of(\"click\", days(30)) >= 1")
        .takes(Takes::NameAndDays);
    DaysSince => fact("days_since", Source::Events, Kind::Whole, "days", "calendar days since the latest event of this kind, 0 = today; missing without one", "c.days_since(\"nps\") > 180")
        .takes(Takes::Name);
    AbcWas => fact(
        "abc_was", Source::Classes, Kind::Text, "A, B, C", "class by revenue that the customer was settled in, right before the window began; missing when there was none, or when the history does not reach back so far",
        "c.abc == \"B\" && c.abc_was(days(90)) == \"A\"",
    ).takes(Takes::Days);
    RWas => fact(
        "r_was", Source::Classes, Kind::Whole, "1–5", "recency score that the customer was settled in, right before the window began; missing when there was none, or when the history does not reach back so far",
        "c.r_was(days(30)) >= 4 && c.r <= 2",
    ).takes(Takes::Days);
    FWas => fact(
        "f_was", Source::Classes, Kind::Whole, "1–5", "frequency score that the customer was settled in, right before the window began; missing when there was none, or when the history does not reach back so far",
        "c.f > c.f_was(days(180))",
    ).takes(Takes::Days);
    MWas => fact(
        "m_was", Source::Classes, Kind::Whole, "1–5", "monetary score that the customer was settled in, right before the window began; missing when there was none, or when the history does not reach back so far",
        "c.m > c.m_was(days(180))",
    ).takes(Takes::Days);
    ChurnWas => fact(
        "churn_was", Source::Classes, Kind::Text, "low, medium, high", "band of the churn risk that the customer was settled in, right before the window began; missing when there was none, or when the history does not reach back so far",
        "c.churn_was(days(30)) == \"low\" && c.churn_risk >= 70",
    ).takes(Takes::Days);
}
