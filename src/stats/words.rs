//! The verdict as one plain sentence, in German and English.

use super::verdict::{Outcome, Verdict};
use crate::base::written::{decimal, grouped};
use crate::model::customer::Locale;

/// What the sentence tells of.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// Name and rate of each arm, in the verdict's order; `None` is control.
    pub arms: &'a [(Option<&'a str>, f64)],
    /// The smallest effect worth having, in percent.
    pub smallest_percent: u32,
    /// About so many days until there are enough people; `None`: it cannot be told.
    pub more_days: Option<i64>,
}

/// One sentence, two where something is clear already.
#[must_use]
pub fn sentence(verdict: &Verdict, told: &Told<'_>, locale: Locale) -> String {
    let german = locale == Locale::De;
    let names = |places: &[usize]| listed(places.iter().map(|place| name(told, *place, german)).collect(), german);
    let percent = |place: usize| share(told.arms[place].1, german);
    match verdict.outcome {
        Outcome::Broken if german => {
            "Die Aufteilung stimmt nicht: Auf die Arme kommen andere Anteile, als die Regel sagt. Bis die Ursache gefunden ist, sagt der Vergleich nichts.".to_owned()
        }
        Outcome::Broken => "The split is broken: the arms hold other shares of people than the rule says. Until the cause is found, the comparison says nothing.".to_owned(),
        Outcome::Winner => {
            let (best, others) = (verdict.leaders[0], &verdict.beaten);
            let behind: Vec<String> = others.iter().map(|place| format!("{} {}", with(told, *place, german), percent(*place))).collect();
            let end = match (told.arms[best].0, german) {
                (None, true) => ": Die Nachricht schadet",
                (None, false) => ": the message does harm",
                _ => "",
            };
            let (rate, behind) = (percent(best), listed(behind, german));
            if german {
                format!("{} gewinnt: Es kaufen {rate}, {behind}{end}.", name(told, best, german))
            } else {
                format!("{} wins: {rate} buy, {behind}{end}.", capital(&name(told, best, german)))
            }
        }
        Outcome::NoDifference => {
            let clear = already_clear(verdict, told, german);
            if german {
                format!("Kein Unterschied, der sich lohnt: {} liegen weniger als {} % auseinander.{clear}", names(&verdict.leaders), told.smallest_percent)
            } else {
                format!("No difference worth having: {} are less than {} % apart.{clear}", names(&verdict.leaders), told.smallest_percent)
            }
        }
        Outcome::NotEnough => {
            let clear = already_clear(verdict, told, german);
            let (arms, smallest) = (names(&verdict.leaders), told.smallest_percent);
            match (need(verdict, told, german), german) {
                (Some(need), true) => format!("Noch nicht genug Daten: {need}, um zwischen {arms} einen Unterschied von {smallest} % zu sehen.{clear}"),
                (Some(need), false) => format!("Not enough data yet: {need} to see a difference of {smallest} % between {arms}.{clear}"),
                (None, true) => format!(
                    "Noch nicht genug Daten, um zwischen {arms} einen Unterschied von {smallest} % zu sehen; wie viele Personen noch fehlen, ist nicht abzusehen.{clear}"
                ),
                (None, false) => {
                    format!("Not enough data yet to see a difference of {smallest} % between {arms}; how many more people are needed cannot be told.{clear}")
                }
            }
        }
    }
}

/// ` B is better than A already.`, or nothing.
fn already_clear(verdict: &Verdict, told: &Told<'_>, german: bool) -> String {
    if verdict.beaten.is_empty() {
        return String::new();
    }
    let (best, others) =
        (name(told, verdict.leaders[0], german), listed(verdict.beaten.iter().map(|place| name(told, *place, german)).collect(), german));
    if german { format!(" Schon klar: {best} ist besser als {others}.") } else { format!(" Clear already: {best} is better than {others}.") }
}

/// How many people are missing; `None`: it cannot be told.
fn need(verdict: &Verdict, told: &Told<'_>, german: bool) -> Option<String> {
    let people = whole(verdict.more_people?, german);
    Some(match (told.more_days, german) {
        (Some(days), true) => format!("es braucht noch etwa {people} Personen ({})", duration(days, german)),
        (Some(days), false) => format!("about {people} more people are needed ({})", duration(days, german)),
        (None, true) => format!("es braucht noch etwa {people} Personen"),
        (None, false) => format!("about {people} more people are needed"),
    })
}

/// Days, or years where days say nothing any more.
fn duration(days: i64, german: bool) -> String {
    match (days, german) {
        (..=1, true) => "etwa ein Tag".to_owned(),
        (..=1, false) => "about a day".to_owned(),
        (..=730, true) => format!("etwa {days} Tage"),
        (..=730, false) => format!("about {days} days"),
        (_, true) => format!("etwa {} Jahre", whole(days / 365, german)),
        (_, false) => format!("about {} years", whole(days / 365, german)),
    }
}

fn name(told: &Told<'_>, place: usize, german: bool) -> String {
    match (told.arms[place].0, german) {
        (Some(name), _) => name.to_owned(),
        (None, true) => "Kontrolle".to_owned(),
        (None, false) => "control".to_owned(),
    }
}

fn with(told: &Told<'_>, place: usize, german: bool) -> String {
    match (told.arms[place].0, german) {
        (Some(name), true) => format!("mit {name}"),
        (Some(name), false) => format!("with {name}"),
        (None, true) => "ohne Nachricht".to_owned(),
        (None, false) => "without a message".to_owned(),
    }
}

fn listed(mut names: Vec<String>, german: bool) -> String {
    let Some(last) = names.pop() else { return String::new() };
    if names.is_empty() {
        return last;
    }
    format!("{} {} {last}", names.join(", "), if german { "und" } else { "and" })
}

/// `12.4 %` or `12,4 %`.
fn share(rate: f64, german: bool) -> String {
    decimal(&format!("{:.1} %", rate * 100.0), german)
}

/// A count as people write it: two digits that say something, from a thousand on with a mark.
fn whole(count: i64, german: bool) -> String {
    let mut unit = 1;
    while count / unit >= 100 {
        unit *= 10;
    }
    // Rounded up: the last person counts.
    let digits = (count.saturating_add(unit - 1) / unit).saturating_mul(unit).to_string();
    grouped(&digits, german)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
