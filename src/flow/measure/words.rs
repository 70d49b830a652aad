//! A goal in one plain sentence, German or English.

use chrono::NaiveDate;

use super::goals::GoalReport;
use crate::base::written::decimal;
use crate::config::goals::{Goal, Kpi, Target, Unit};
use crate::config::shop::Shop;
use crate::model::customer::Locale;
use crate::score::kpi::Progress;

/// Start, target, today, trend, on track or not; `ordered`: whether anybody ever did.
pub(super) fn sentence(shop: &Shop, goal: &Goal, report: &GoalReport, progress: Progress, ordered: bool) -> String {
    let german = Locale::parse(&shop.locale).unwrap_or_default() == Locale::De;
    let say = Say { german, currency: shop.currency.code(), unit: goal.kpi.unit() };
    let pick = |de: &str, en: &str| if german { de.to_owned() } else { en.to_owned() };
    let unknown = || pick("noch nicht bekannt", "not known yet");
    let value = |value: Option<f64>| value.map_or_else(unknown, |value| say.value(value));
    let wanted = if german { decimal(&goal.target_text, german).replace("points", "Punkte") } else { goal.target_text.clone() };
    let change = match goal.target {
        Target::Value(_) => String::new(),
        _ => format!(" ({wanted})"),
    };
    let target = report.target.map_or_else(|| wanted.clone(), |target| format!("{}{change}", say.value(target)));
    let name = format!("{} ({})", name(goal.kpi, german), days(goal.days, german));
    let (from, by) = (say.day(goal.from), say.day(goal.by));
    let is_over = report.values.last().is_some_and(|value| value.date >= goal.by);
    let ends = match progress {
        Progress::NotBegun => {
            let today = value(report.today);
            return if german {
                format!("{name}: heute {today}; das Ziel {target} bis {by} beginnt am {from}.")
            } else {
                format!("{name}: {today} today; the goal of {target} by {by} begins on {from}.")
            };
        }
        Progress::Unknown => unknown_because(goal, ordered, german).to_owned(),
        Progress::TooEarly => {
            pick("für einen Trend ist es zu früh (er braucht 28 Tage und 4 Werte)", "too early for a trend (it takes 28 days and 4 values)")
        }
        Progress::Reached if is_over => pick("erreicht", "reached"),
        Progress::Reached => pick("zurzeit erreicht", "reached for now"),
        Progress::Missed => pick("verfehlt", "missed"),
        Progress::OnTrack => pick("auf Kurs", "on track"),
        Progress::Behind => pick("nicht auf Kurs", "not on track"),
    };
    let trend = match (report.slope_30_days, report.expected) {
        (Some(slope), Some(expected)) if matches!(progress, Progress::OnTrack | Progress::Behind) => {
            let (slope, expected) = (say.change(slope), say.value(expected));
            if german {
                format!("; Trend {slope} in 30 Tagen, das wären {expected} am Ende")
            } else {
                format!("; trend {slope} in 30 days, which would be {expected} in the end")
            }
        }
        _ => String::new(),
    };
    let (start, today) = (value(report.start), value(report.today));
    let now = match (german, is_over) {
        (true, false) => "heute",
        (true, true) => "am Ende",
        (false, false) => "today",
        (false, true) => "in the end",
    };
    if german {
        format!("{name}: am {from} {start}, Ziel {target} bis {by}, {now} {today}{trend}: {ends}.")
    } else {
        format!("{name}: {start} on {from}, goal {target} by {by}, {today} {now}{trend}: {ends}.")
    }
}

/// Why a goal's figure is not known at its beginning or today.
fn unknown_because(goal: &Goal, ordered: bool, german: bool) -> &'static str {
    let (de, en) = match goal.kpi.unit() {
        Unit::Points => ("zu wenige Antworten für ein Urteil, 30 müssen es sein", "too few answers to tell, it takes 30"),
        _ if !ordered => ("es gibt noch keine Bestellungen", "there are no orders yet"),
        Unit::Count => ("die Bestellungen reichen nicht weit genug zurück", "the orders do not go back far enough"),
        _ if goal.kpi == Kpi::Revenue => ("die Bestellungen reichen nicht weit genug zurück", "the orders do not go back far enough"),
        _ => (
            "zu wenige Kunden für ein Urteil (30 müssen es sein), oder die Bestellungen reichen nicht weit genug zurück",
            "too few customers to tell (it takes 30), or orders that do not go back far enough",
        ),
    };
    if german { de } else { en }
}

fn days(days: u32, german: bool) -> String {
    if german { format!("letzte {days} Tage") } else { format!("last {days} days") }
}

/// What people call a figure.
fn name(kpi: Kpi, german: bool) -> &'static str {
    let (de, en) = match kpi {
        Kpi::Orders => ("Bestellungen", "Orders"),
        Kpi::Revenue => ("Umsatz", "Revenue"),
        Kpi::Active => ("Aktive Kunden", "Active customers"),
        Kpi::New => ("Neue Kunden", "New customers"),
        Kpi::RetentionRate => ("Kundenbindung", "Retention"),
        Kpi::ChurnRate => ("Abwanderung", "Churn"),
        Kpi::Crr => ("Kundenbindung (CRR)", "Customer retention rate (CRR)"),
        Kpi::RepeatPurchaseRate => ("Wiederkaufrate", "Repeat-purchase rate"),
        Kpi::PurchaseFrequency => ("Bestellungen je Kunde", "Orders per customer"),
        Kpi::Aov => ("Durchschnittlicher Bestellwert", "Average order value"),
        Kpi::Arpu => ("Umsatz je Kunde", "Revenue per customer"),
        Kpi::ClvSimple => ("Kundenwert (einfach)", "Customer lifetime value (simple)"),
        Kpi::Nps => ("NPS", "NPS"),
        Kpi::Csat => ("CSAT", "CSAT"),
        Kpi::ClvMarginChurn => ("Kundenwert (Marge / Abwanderung)", "Customer lifetime value (margin / churn)"),
    };
    if german { de } else { en }
}

/// Numbers and days as the language writes them.
struct Say<'a> {
    german: bool,
    currency: &'a str,
    unit: Unit,
}

impl Say<'_> {
    fn value(&self, value: f64) -> String {
        match self.unit {
            Unit::Count => self.number(&format!("{value:.0}")),
            Unit::Number => self.number(&format!("{value:.2}")),
            Unit::Points => self.number(&format!("{value:.1}")),
            Unit::Share => self.number(&format!("{:.1} %", value * 100.0)),
            Unit::Cents => format!("{} {}", self.number(&format!("{:.2}", value / 100.0)), self.currency),
        }
    }

    fn change(&self, change: f64) -> String {
        match self.unit {
            Unit::Count | Unit::Points => self.number(&format!("{change:+.1}")),
            Unit::Number => self.number(&format!("{change:+.2}")),
            Unit::Share => format!("{} {}", self.number(&format!("{:+.1}", change * 100.0)), if self.german { "Punkte" } else { "points" }),
            Unit::Cents => format!("{} {}", self.number(&format!("{:+.2}", change / 100.0)), self.currency),
        }
    }

    fn number(&self, plain: &str) -> String {
        decimal(plain, self.german)
    }

    fn day(&self, day: NaiveDate) -> String {
        let form = if self.german { "%d.%m.%Y" } else { "%-d %b %Y" };
        day.format(form).to_string()
    }
}
