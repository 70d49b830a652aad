//! What a rule earned, or all together, as one plain sentence, in German and English.

use super::Interval;
use super::earned::{Increment, Unknown};
use crate::base::written::grouped;
use crate::model::customer::Locale;

/// What the sentence tells of; amounts in the currency's unit, not in cents.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// Who earned it.
    pub whose: Whose,
    /// What was earned; the revenue when only that is known.
    pub found: Result<Increment, Unknown>,
    /// By how much the revenue is higher, when the margin is not known.
    pub revenue: Option<Increment>,
    /// People held out.
    pub control: i64,
    /// The currency's code.
    pub currency: &'a str,
}

/// Who earned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// One rule.
    Rule,
    /// All rules together, against those held out from all.
    Campaigns {
        /// Whole days that people have been in the comparison on average, where these are too few.
        early: Option<i64>,
    },
}

/// So many days people should have been in the comparison of all campaigns on average: what a message brings forward would have come later anyway.
pub const EARLY_DAYS: i64 = 28;

/// Control makes the interval wide, and not the rule's effect, when so much of its square comes from there.
const MOSTLY: f64 = 2.0 / 3.0;

/// One sentence, two where there is a remedy.
#[must_use]
pub fn sentence(told: &Told<'_>, locale: Locale) -> String {
    let german = locale == Locale::De;
    match (told.found, told.revenue) {
        (Ok(earned), _) if told.whose != Whose::Rule => together(told, earned, german),
        (Ok(earned), _) => format!("{}{}", earnings(told, earned, german), width(told, earned, german)),
        (Err(Unknown::NoMargin), Some(revenue)) => {
            let (total, interval) = (money(revenue.total, told.currency, german), between(revenue.interval, told.currency, german));
            if german {
                format!(
                    "Umsatz gegenüber der Kontrolle: etwa {total} (95 %: {interval}). Was davon verdient ist, lässt sich nicht sagen: [shop] margin_percent oder die Kosten der Bestellungen fehlen."
                )
            } else {
                format!(
                    "Revenue against control: about {total} (95 %: {interval}). What of it is earned cannot be told: [shop] margin_percent or the costs of orders are missing."
                )
            }
        }
        (Err(unknown), _) if told.whose != Whose::Rule => {
            let why = if unknown == Unknown::NoControl {
                nobody_held_out(german)
            } else if german {
                why_german(unknown)
            } else {
                why(unknown)
            };
            if german {
                format!("Was alle Kampagnen zusammen verdient haben, lässt sich noch nicht sagen: {why}.")
            } else {
                format!("What all campaigns earned together cannot be told yet: {why}.")
            }
        }
        (Err(unknown), _) if german => format!("Was die Regel verdient hat, lässt sich nicht sagen: {}.", why_german(unknown)),
        (Err(unknown), _) => format!("What the rule earned cannot be told: {}.", why(unknown)),
    }
}

fn earnings(told: &Told<'_>, earned: Increment, german: bool) -> String {
    let (low, high) = earned.interval;
    let (total, lost) = (money(earned.total, told.currency, german), money(-earned.total, told.currency, german));
    let (interval, losses) = (between(earned.interval, told.currency, german), between((-high, -low), told.currency, german));
    match (low > 0.0, high < 0.0, german) {
        (true, _, true) => format!("Die Regel hat etwa {total} verdient (95 %: {interval})."),
        (true, _, false) => format!("The rule earned about {total} (95 %: {interval})."),
        (_, true, true) => format!("Die Regel hat etwa {lost} gekostet (95 %: {losses})."),
        (_, true, false) => format!("The rule cost about {lost} (95 %: {losses})."),
        (_, _, true) => format!("Ob die Regel etwas verdient, ist noch nicht klar: etwa {total}, es kann aber alles sein {interval}."),
        (_, _, false) => format!("Whether the rule earns anything is not clear yet: about {total}, but it may be anything {interval}."),
    }
}

/// What all campaigns earned together.
fn together(told: &Told<'_>, earned: Increment, german: bool) -> String {
    let (low, high) = earned.interval;
    let (total, lost) = (money(earned.total, told.currency, german), money(-earned.total, told.currency, german));
    let (interval, losses) = (between(earned.interval, told.currency, german), between((-high, -low), told.currency, german));
    if let Whose::Campaigns { early: Some(days) } = told.whose {
        return if german {
            format!(
                "Noch zu früh, um zu sagen, was alle Kampagnen zusammen verdienen: im Mittel sind die Personen erst {days} von {EARLY_DAYS} Tagen dabei, und Nachrichten ziehen zuerst Käufe vor, die später ohnehin gekommen wären. Bisher etwa {total} (95 %: {interval})."
            )
        } else {
            format!(
                "Too early to tell what all campaigns earn together: people have been in the comparison for {days} of {EARLY_DAYS} days on average, and messages first bring forward what would have been bought later anyway. So far about {total} (95 %: {interval})."
            )
        };
    }
    let people = told.control;
    match (low > 0.0, high < 0.0, german) {
        (true, _, true) => format!("Alle Kampagnen zusammen haben etwa {total} verdient (95 %: {interval})."),
        (true, _, false) => format!("All campaigns together earned about {total} (95 %: {interval})."),
        (_, true, true) => format!("Alle Kampagnen zusammen haben etwa {lost} gekostet (95 %: {losses})."),
        (_, true, false) => format!("All campaigns together cost about {lost} (95 %: {losses})."),
        (_, _, true) => {
            let wide = if earned.from_control < MOSTLY {
                String::new()
            } else {
                format!(
                    " So weit ist das vor allem, weil nur {people} Personen von allem ausgenommen sind; mehr davon und mehr Zeit machen es enger."
                )
            };
            format!("Ob alle Kampagnen zusammen etwas verdienen, ist noch nicht klar: etwa {total}, es kann aber alles sein {interval}.{wide}")
        }
        (_, _, false) => {
            let wide = if earned.from_control < MOSTLY {
                String::new()
            } else {
                format!(
                    " That is so wide mostly because only {people} people are held out from all of them; more of these narrow it, and so does time."
                )
            };
            format!("Whether all campaigns together earn anything is not clear yet: about {total}, but it may be anything {interval}.{wide}")
        }
    }
}

fn nobody_held_out(german: bool) -> &'static str {
    if german {
        "niemand, der von allem ausgenommen ist, ist bisher an der Reihe gewesen"
    } else {
        "nobody who is held out from all of them has come up yet"
    }
}

/// Who is to blame for a wide interval that leaves open whether anything is earned.
fn width(told: &Told<'_>, earned: Increment, german: bool) -> String {
    let open = earned.interval.0 <= 0.0 && earned.interval.1 >= 0.0;
    if !open || earned.from_control < MOSTLY {
        return String::new();
    }
    let people = told.control;
    if german {
        format!(" So weit ist das vor allem, weil nur {people} Personen nichts bekommen haben; eine größere Kontrollgruppe macht es enger.")
    } else {
        format!(" That is so wide mostly because only {people} people were held out; a larger control narrows it.")
    }
}

fn why(unknown: Unknown) -> &'static str {
    match unknown {
        Unknown::NoGoal => "it has no goal, so nothing is counted as bought (.goal(\"order\", days(14)))",
        Unknown::NoControl => "nobody is held out, so nobody knows what people would have bought without a message (.control(10))",
        Unknown::BrokenSplit => "the split is broken",
        Unknown::TooFew => "fewer than two people are in an arm",
        Unknown::NobodyBought => "nobody has bought anything yet",
        Unknown::NoMargin => "[shop] margin_percent or the costs of orders are missing",
    }
}

fn why_german(unknown: Unknown) -> &'static str {
    match unknown {
        Unknown::NoGoal => "sie hat kein Ziel, also zählt nichts als gekauft (.goal(\"order\", days(14)))",
        Unknown::NoControl => "niemand bleibt ohne Nachricht, also weiß niemand, was ohne sie gekauft worden wäre (.control(10))",
        Unknown::BrokenSplit => "die Aufteilung stimmt nicht",
        Unknown::TooFew => "in einem Arm sind weniger als zwei Personen",
        Unknown::NobodyBought => "noch hat niemand etwas gekauft",
        Unknown::NoMargin => "[shop] margin_percent oder die Kosten der Bestellungen fehlen",
    }
}

fn between((low, high): Interval, currency: &str, german: bool) -> String {
    let (low, high) = (money(low, currency, german), money(high, currency, german));
    if german { format!("von {low} bis {high}") } else { format!("from {low} to {high}") }
}

/// Whole units from a hundred on: more digits would claim more than is known.
fn money(amount: f64, currency: &str, german: bool) -> String {
    let digits = if amount.abs() < 99.995 { format!("{:.2}", amount.abs()) } else { format!("{:.0}", amount.abs()) };
    let sign = if amount < 0.0 && digits.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) { "-" } else { "" };
    format!("{sign}{} {currency}", grouped(&digits, german))
}
