//! How a rule reads the facts that `model::fact` lists: the getters that scripts call and clauses are told from.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext};
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive as _, ToPrimitive as _};

use super::explain::always;
use super::helpers::{MAX_DAYS, Span, expected};
use super::suggest;
use crate::base::money::Cents;
use crate::base::time::{UnixMs, days_between, days_until_anniversary, is_marked_in_week_of, years_since};
use crate::model::crossing::Tracked;
use crate::model::customer::Locale;
use crate::model::event::{NpsClass, Survey};
use crate::model::fact::{ALL, Fact, Reading, Takes};
use crate::model::facts::{Facts, FieldValue, Moment, PastEmail, PastEvent, PastLine, PastOrder};
use crate::model::interest;
use crate::model::predicate::Literal;
use crate::model::score::{Abc, Score};

/// A customer as a script sees them: one of a page that is shared, because scripts hold their values themselves, and copying a customer takes as long as
/// asking for two facts.
#[derive(Clone)]
pub(super) struct Customer {
    page: Arc<Vec<Facts>>,
    place: usize,
    moment: Moment,
    today: NaiveDate,
}

/// A customer at a moment.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub facts: &'a Facts,
    moment: Moment,
    pub today: NaiveDate,
}

impl<'a> View<'a> {
    /// `today` is the moment's day, which takes longer to find than a fact.
    pub(super) fn new(facts: &'a Facts, moment: Moment, today: NaiveDate) -> Self {
        Self { facts, moment, today }
    }

    /// A copy.
    pub(super) fn customer(&self) -> Customer {
        Customer::of(Arc::new(vec![self.facts.clone()]), 0, self.moment, self.today)
    }
}

impl Customer {
    /// The one at `place`, which is one of the page; `today` as for [`View::new`].
    pub(super) fn of(page: Arc<Vec<Facts>>, place: usize, moment: Moment, today: NaiveDate) -> Self {
        Self { page, place, moment, today }
    }

    fn view(&self) -> View<'_> {
        View::new(&self.page[self.place], self.moment, self.today)
    }
}

/// Names of all facts.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|about| about.name)
}

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// Teaches an engine the customer.
pub(super) fn register(engine: &mut Engine) {
    type Call<'a> = NativeCallContext<'a>;
    engine.register_type_with_name::<Customer>("Customer");
    for about in ALL {
        let (name, fact) = (about.name, about.fact);
        match about.takes {
            Takes::Nothing => {
                engine.register_get(name, move |at: Call, customer: &mut Customer| read(&at, customer, Ok(fact.into())));
            }
            Takes::Days => {
                engine
                    .register_fn(name, move |at: Call, customer: &mut Customer, days: Dynamic| read(&at, customer, reading(fact, None, Some(&days))));
            }
            Takes::Name | Takes::NameAndDays => {
                engine.register_fn(name, move |at: Call, customer: &mut Customer, of: Dynamic| read(&at, customer, reading(fact, Some(&of), None)));
            }
        }
        if about.takes == Takes::NameAndDays {
            engine.register_fn(name, move |at: Call, customer: &mut Customer, of: Dynamic, days: Dynamic| {
                read(&at, customer, reading(fact, Some(&of), Some(&days)))
            });
        }
    }
    engine.register_fn("has", |customer: &mut Customer, name: &str| -> Outcome<bool> {
        let fact = Fact::field(name).ok_or_else(|| unknown_field(name))?;
        Ok(!customer.view().value(&fact.into())?.is_unit())
    });
}

/// Answers a script; what means nothing fails at the place of the call, whoever the customer is.
fn read(at: &NativeCallContext, customer: &Customer, reading: Result<Reading, String>) -> Outcome<Dynamic> {
    let value = reading.and_then(|reading| customer.view().value(&reading));
    value.map_err(|problem| Box::new(always(problem, at.call_position())))
}

/// A fact with what a script put into its brackets.
fn reading(fact: Fact, of: Option<&Dynamic>, days: Option<&Dynamic>) -> Result<Reading, String> {
    let name = fact.about().name;
    let word = |of: &Dynamic| match of.as_immutable_string_ref() {
        Ok(text) => Ok(Arc::from(text.as_str())),
        Err(_) => Err(format!("{name}(…): {}", expected("a text", of))),
    };
    let window = |days: &Dynamic| {
        let span = days.clone().try_cast::<Span>().and_then(Span::days).filter(|days| (1..=MAX_DAYS).contains(days));
        span.ok_or_else(|| format!("{name}(…): {}", expected(&format!("days(1) to days({MAX_DAYS}), whole days"), days)))
    };
    Ok(Reading { fact, of: of.map(word).transpose()?, days: days.map(window).transpose()? })
}

/// The sentence about a field that does not exist.
pub(super) fn unknown_field(name: &str) -> String {
    match Fact::named(name).map(Fact::about) {
        Some(about) if about.takes != Takes::Nothing => format!("'{name}' needs its brackets, e.g. {}", about.example),
        _ => format!("unknown field '{name}'{}", suggest::hint(name, names(), "")),
    }
}

fn text(value: Option<&str>) -> Dynamic {
    value.map_or(Dynamic::UNIT, |text| text.to_owned().into())
}

fn whole(value: Option<i64>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Dynamic::from)
}

fn value_of(literal: &Literal) -> Dynamic {
    match literal {
        Literal::Text(text) => text.clone().into(),
        Literal::Flag(flag) => (*flag).into(),
        // Whole numbers are whole, as literals of a rule are.
        Literal::Number(number) => number.to_i64().filter(|_| number.is_integer()).map_or_else(|| (*number).into(), Dynamic::from),
    }
}

fn stated(value: &FieldValue) -> Dynamic {
    match value {
        FieldValue::Text(text) => text.clone().into(),
        FieldValue::Whole(number) => (*number).into(),
        FieldValue::Decimal(number) => (*number).into(),
        FieldValue::Flag(flag) => (*flag).into(),
        FieldValue::Texts(list) => list.iter().map(|text| Dynamic::from(text.clone())).collect::<rhai::Array>().into(),
    }
}

/// Cents as an exact number of euros (or what the shop's currency is).
fn amount(cents: Cents) -> Dynamic {
    Decimal::new(cents.0, 2).into()
}

impl View<'_> {
    /// What a fact says; `()` when it is missing.
    ///
    /// # Errors
    /// When the brackets hold something that means nothing, or when the history was not read.
    pub(super) fn value(&self, reading: &Reading) -> Result<Dynamic, String> {
        if let Some(value) = self.facts.stated.as_ref().and_then(|stated| stated.get(reading)) {
            return Ok(stated(value));
        }
        if !self.facts.read.has(reading.fact) {
            return Err(format!("what c.{reading} asks for was not read: name it in the rule's own text"));
        }
        let record = &self.facts.customer;
        Ok(match reading.fact {
            Fact::Id => record.external_id.clone().into(),
            Fact::FirstName => text(record.first_name.as_deref()),
            Fact::LastName => text(record.last_name.as_deref()),
            Fact::Locale => text(record.locale.map(Locale::code)),
            Fact::Tags => record.tags.iter().map(|tag| Dynamic::from(tag.clone())).collect::<rhai::Array>().into(),
            Fact::Attr => record.attributes.get(reading.of.as_deref().unwrap_or_default()).map_or(Dynamic::UNIT, value_of),
            Fact::Score => self.facts.own.get(reading.of.as_deref().unwrap_or_default()).map_or(Dynamic::UNIT, value_of),
            Fact::HasEmail => record.email.is_some().into(),
            Fact::BirthdayInDays => whole(record.birthday.map(|born| days_until_anniversary(born, self.today))),
            Fact::Age => whole(self.age()),
            Fact::AnniversaryInDays => whole(self.anniversary_in_days()),
            Fact::AnniversaryYears => whole(self.first_order().map(|day| years_since(day, self.today))),
            Fact::Abc => text(self.score(|score| score.abc.code())),
            Fact::AbcAdjusted => text(self.score(|score| score.abc_adjusted).flatten().map(Abc::code)),
            Fact::RecencyDays
            | Fact::Orders
            | Fact::Revenue
            | Fact::AverageOrderValue
            | Fact::TenureDays
            | Fact::FirstOrderDays
            | Fact::R
            | Fact::F
            | Fact::M
            | Fact::Rfm
            | Fact::RfmWeighted
            | Fact::RevenueRank
            | Fact::TopPercent
            | Fact::TypicalGapDays
            | Fact::NextOrderInDays
            | Fact::ChurnRisk
            | Fact::ExpectedOrders365
            | Fact::ExpectedOrderValue
            | Fact::Clv12m => match (self.figure(reading.fact), reading.fact.about().stored) {
                (Some(figure), Some(stored)) if stored.scale > 0 => Decimal::new(figure, stored.scale).into(),
                (figure, _) => whole(figure),
            },
            Fact::Month => i64::from(self.today.month()).into(),
            Fact::Day => i64::from(self.today.day()).into(),
            Fact::Weekday => i64::from(self.today.weekday().number_from_monday()).into(),
            Fact::BirthdayMonth => whole(record.birthday.map(|born| i64::from(born.month()))),
            Fact::BirthdayThisWeek => record.birthday.is_some_and(|born| is_marked_in_week_of(born, self.today)).into(),
            Fact::DaysUntil => self.days_until(reading.of.as_deref().unwrap_or_default())?.into(),
            Fact::OrdersIn => count(self.orders(reading)).into(),
            Fact::RevenueIn => amount(self.orders(reading).fold(Cents(0), |sum, order| Cents(sum.0.saturating_add(order.revenue.0)))),
            Fact::Bought | Fact::BoughtCategory => self.lines(reading).next().is_some().into(),
            Fact::Pieces | Fact::PiecesOfCategory => self.lines(reading).fold(0_i64, |sum, line| sum.saturating_add(line.quantity)).into(),
            Fact::EmailsIn | Fact::EmailsOf => count(self.emails(reading)).into(),
            Fact::Nps => whole(self.answer(Survey::Nps).map(i64::from)),
            Fact::NpsClass => text(self.answer(Survey::Nps).and_then(NpsClass::of).map(NpsClass::code)),
            Fact::Csat => whole(self.answer(Survey::Csat).map(i64::from)),
            Fact::AnswersIn => count(self.events(reading).filter(|event| event.answer.is_some())).into(),
            Fact::EventsOf => count(self.events(reading)).into(),
            Fact::AbcWas => self.was(Tracked::Abc, reading),
            Fact::RWas => self.was(Tracked::R, reading),
            Fact::FWas => self.was(Tracked::F, reading),
            Fact::MWas => self.was(Tracked::M, reading),
            Fact::ChurnWas => self.was(Tracked::Churn, reading),
            Fact::DaysSince => whole(self.events(reading).next_back().map(|event| days_between(self.moment.zone.date(event.at), self.today))),
            Fact::DifferentProducts => different(self.bought(), |line| line.sku.as_ref().or(line.name.as_ref())),
            Fact::DifferentCategories => different(self.bought(), |line| line.category.as_ref()),
            Fact::Interests => {
                interest::strongest(&self.shares(None)).into_iter().map(|name| Dynamic::from(name.to_owned())).collect::<rhai::Array>().into()
            }
            Fact::TopInterest => text(self.shares(None).first().map(|(name, _)| *name)),
            Fact::Interest => self.interest(reading),
            Fact::InterestDrift => {
                let since = self.moment.window(reading.days.unwrap_or_default());
                let drift = interest::drift(&self.facts.history().lines, since, self.moment.now);
                drift.map_or(Dynamic::UNIT, |(part, whole)| (Decimal::from(part) / Decimal::from(whole)).round_dp(4).into())
            }
            Fact::ShareOfWallet => self.share_of_wallet(reading),
            Fact::ReferredBy => text(record.referred_by.as_deref()),
            Fact::Referrals => count(self.facts.history().referrals.iter().filter(|at| **at <= self.moment.now)).into(),
        })
    }

    /// A number of the scores as it is stored; `None` when it is missing.
    pub(super) fn figure(&self, fact: Fact) -> Option<i64> {
        let figure = self.score(|score| {
            Some(match fact {
                Fact::RecencyDays => score.recency_days,
                Fact::Orders => score.orders,
                Fact::Revenue => score.revenue.0,
                Fact::AverageOrderValue => score.average_order_value.0,
                Fact::TenureDays | Fact::FirstOrderDays => score.tenure_days,
                Fact::R => score.r,
                Fact::F => score.f,
                Fact::M => score.m,
                Fact::Rfm => score.rfm,
                Fact::RfmWeighted => score.rfm_weighted_e4,
                Fact::RevenueRank => score.revenue_rank,
                Fact::TopPercent => score.top_percent,
                Fact::TypicalGapDays => score.outlook.typical_gap_e1?,
                Fact::NextOrderInDays => score.outlook.next_order_in_days?,
                Fact::ChurnRisk => score.outlook.churn_risk_e2?,
                Fact::ExpectedOrders365 => score.outlook.expected_orders_365_e4?,
                Fact::ExpectedOrderValue => score.outlook.expected_order_value?.0,
                Fact::Clv12m => score.outlook.clv_12m?.0,
                _ => return None,
            })
        });
        figure.unwrap_or_else(|| fact.about().stored.filter(|stored| stored.or_zero).map(|_| 0))
    }

    fn score<T>(&self, read: impl FnOnce(&Score) -> T) -> Option<T> {
        self.facts.score.as_deref().map(read)
    }

    fn first_order(&self) -> Option<NaiveDate> {
        self.score(|score| self.moment.zone.date(score.first_order_at))
    }

    fn age(&self) -> Option<i64> {
        // Shops that do not ask for the year store 1900 or 0001: nobody is that old.
        self.facts.customer.birthday.map(|born| years_since(born, self.today)).filter(|age| (0..=115).contains(age))
    }

    fn anniversary_in_days(&self) -> Option<i64> {
        self.first_order().filter(|day| *day < self.today).map(|day| days_until_anniversary(day, self.today))
    }

    fn days_until(&self, day: &str) -> Result<i64, String> {
        if let Ok(date) = NaiveDate::parse_from_str(day, "%Y-%m-%d") {
            return Ok(days_between(self.today, date));
        }
        // A leap year, so that 29 February is a day.
        let annual = NaiveDate::parse_from_str(&format!("2024-{day}"), "%Y-%m-%d");
        annual.map(|date| days_until_anniversary(date, self.today)).map_err(|_| {
            let got: String = day.chars().take(20).collect();
            format!("days_until(…): expected a day such as \"12-24\" (month-day) or \"2026-12-24\", got \"{got}\"")
        })
    }

    /// Whether something happened in the reading's window, and not after the moment.
    fn within(&self, reading: &Reading) -> impl Fn(UnixMs) -> bool {
        let (now, since) = (self.moment.now, reading.days.map(|days| self.moment.window(days)));
        move |at| at <= now && since.is_none_or(|since| at >= since)
    }

    fn orders(&self, reading: &Reading) -> impl Iterator<Item = &PastOrder> {
        let within = self.within(reading);
        self.facts.history().orders.iter().filter(move |order| within(order.at))
    }

    fn lines(&self, reading: &Reading) -> impl Iterator<Item = &PastLine> {
        let (within, of) = (self.within(reading), reading.of.clone().unwrap_or_default());
        let by_category = matches!(reading.fact, Fact::BoughtCategory | Fact::PiecesOfCategory);
        let is = move |value: &Option<String>| value.as_deref() == Some(&*of);
        self.facts
            .history()
            .lines
            .iter()
            .filter(move |line| within(line.at) && if by_category { is(&line.category) } else { is(&line.sku) || is(&line.name) })
    }

    /// All that was bought up to the moment.
    fn bought(&self) -> impl Iterator<Item = &PastLine> {
        self.facts.history().lines.iter().filter(|line| line.at <= self.moment.now)
    }

    fn shares(&self, half_life_days: Option<i64>) -> Vec<(&str, f64)> {
        interest::shares(&self.facts.history().lines, self.moment.now, half_life_days.unwrap_or(interest::HALF_LIFE_DAYS))
    }

    fn interest(&self, reading: &Reading) -> Dynamic {
        let shares = self.shares(reading.days);
        if shares.is_empty() {
            return Dynamic::UNIT;
        }
        let share = shares.iter().find(|(name, _)| reading.of.as_deref() == Some(*name)).map_or(0.0, |(_, share)| *share);
        Decimal::from_f64(share).map_or(Dynamic::UNIT, |share| share.round_dp(4).normalize().into())
    }

    fn share_of_wallet(&self, reading: &Reading) -> Dynamic {
        let need = match self.facts.customer.attributes.get(reading.of.as_deref().unwrap_or_default()) {
            Some(Literal::Number(need)) if need.is_sign_positive() && !need.is_zero() => need,
            _ => return Dynamic::UNIT,
        };
        let since = self.moment.window(365);
        let year = self.facts.history().orders.iter().filter(|order| order.at >= since && order.at <= self.moment.now);
        let cents = year.fold(0_i64, |sum, order| sum.saturating_add(order.revenue.0));
        // Cents are hundredths, so a part of the need in cents is one of a hundred of it.
        Decimal::from(cents).checked_div(*need).map_or(Dynamic::UNIT, |share| share.round_dp(2).normalize().into())
    }

    fn emails(&self, reading: &Reading) -> impl Iterator<Item = &PastEmail> {
        let (within, of) = (self.within(reading), reading.of.clone());
        self.facts.history().emails.iter().filter(move |email| within(email.at) && of.as_deref().is_none_or(|rule| rule == email.rule))
    }

    /// Kinds are stored in lower case.
    fn events(&self, reading: &Reading) -> impl DoubleEndedIterator<Item = &PastEvent> {
        let (within, of) = (self.within(reading), reading.of.clone());
        self.facts
            .history()
            .events
            .iter()
            .filter(move |event| within(event.at) && of.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case(&event.kind)))
    }

    /// The class before the window.
    fn was(&self, score: Tracked, reading: &Reading) -> Dynamic {
        let class = reading.days.and_then(|days| self.facts.history().classes.before(score, self.moment.window(days)));
        match (class, score.words()) {
            (Some(class), Some(_)) => score.name(class).into(),
            (class, _) => whole(class.map(i64::from)),
        }
    }

    /// The latest answer.
    fn answer(&self, survey: Survey) -> Option<u8> {
        let answers = self.facts.history().events.iter().filter(|event| event.at <= self.moment.now && event.kind == survey.kind());
        answers.filter_map(|event| event.answer).next_back()
    }
}

/// How many different values there are.
fn different<'a>(lines: impl Iterator<Item = &'a PastLine>, of: impl Fn(&'a PastLine) -> Option<&'a String>) -> Dynamic {
    count(lines.filter_map(of).collect::<BTreeSet<_>>().into_iter()).into()
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}
