//! Who the customers of Konditorei Sommer are: names, addresses at reserved domains, languages, birthdays, consents.

use std::collections::{BTreeMap, HashSet};

use chrono::{Datelike, NaiveDate};

use super::dice::Dice;
use crate::base::time::{DAY_MS, UnixMs};
use crate::model::consent::{Consent, ConsentKind};
use crate::model::customer::{Locale, NewCustomer};
use crate::model::email_address::EmailAddress;

const FIRST_NAMES: &str = "Anna Lena Julia Katharina Sabine Petra Monika Ursula Renate Christine Susanne Birgit Heike Martina Andrea Claudia Nicole \
    Stefanie Sandra Melanie Jana Franziska Lisa Laura Sarah Marie Sophie Johanna Charlotte Emma Mia Greta Frieda Ilse Helga Gisela Ingrid Karin Brigitte \
    Antje Kerstin Silke Anke Ulrike Dorothea Käthe Jörg Uwe Thomas Michael Andreas Stefan Frank Peter Wolfgang Klaus Jürgen Günter Dieter Manfred Hans \
    Werner Matthias Christian Sebastian Daniel Tobias Florian Felix Maximilian Paul Jonas Lukas Leon Ben Emil Anton Karl Friedrich Heinrich Götz Sören \
    Björn Holger Torsten Ralf Bernd Rainer Norbert Volker Mehmet Ayşe Fatma Giulia Marek Agnieszka Nguyen Olga Dimitri";
const LAST_NAMES: &str = "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein Wolf Schröder \
    Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Meier Lehmann Schmid Schulze Maier Köhler Herrmann König Walter \
    Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Schubert Vogel Friedrich Keller Günther Frank Berger Winkler Roth Beck Lorenz \
    Baumann Franke Albrecht Schuster Simon Ludwig Böhm Winter Kraus Martin Schumacher Krämer Vogt Stein Jäger Otto Sommerfeld Groß Seidel Heinrich Brandt \
    Haas Schreiber Graf Dietrich Ziegler Kuhn Kühn Pohl Engel Horn Busch Bergmann Thomas Voigt Sauer Arnold Wolff Pfeiffer Yılmaz Kowalski Nowak Rossi";
const ENGLISH_FIRST_NAMES: &str = "James Oliver Emily Charlotte Amelia Harry George Grace Alice Thomas William Daniel Hannah Rachel Megan Ryan Sean \
    Aoife Fiona Ian Priya Arjun Chloe Ethan Mason Ava Sophia Logan Kate Hugh";
const ENGLISH_LAST_NAMES: &str = "Smith Jones Taylor Brown Williams Wilson Johnson Davies Robinson Wright Thompson Evans Walker White Roberts Green \
    Hall Wood Jackson Clarke Patel Murphy O'Brien Kelly Campbell Stewart Morgan Cooper Reed Bailey";
/// All reserved by RFC 2606: no mail of the demo can reach anybody.
const DOMAINS: [(i64, &str); 6] =
    [(30, "post.example"), (25, "mail.example"), (20, "web.example"), (10, "example.com"), (10, "example.net"), (5, "example.org")];

/// The shop's key of a customer.
pub(super) fn external_id(number: usize) -> String {
    format!("K{}", 10_001 + number)
}

/// A made-up customer who placed the first order at `first_at`. `loyal` ones hold the loyalty card, so their birthday is known.
pub(super) fn person(
    dice: &mut Dice,
    number: usize,
    taken: &mut HashSet<String>,
    (first_at, end_at): (UnixMs, UnixMs),
    loyal: bool,
    tags: Vec<String>,
) -> NewCustomer {
    let english = dice.chance(8);
    let (first_names, last_names) = if english { (ENGLISH_FIRST_NAMES, ENGLISH_LAST_NAMES) } else { (FIRST_NAMES, LAST_NAMES) };
    let first_name = word(dice, first_names);
    let last_name = word(dice, last_names);
    let email = if dice.chance(96) { address(dice, first_name, last_name, taken) } else { None };
    let locale = if dice.chance(95) { Some(if english { Locale::En } else { Locale::De }) } else { None };
    let birthday = dice.chance(if loyal { 97 } else { 78 }).then(|| birthday(dice, first_at)).flatten();
    let consent = if email.is_some() { consent(dice, first_at, end_at) } else { None };
    NewCustomer {
        attributes: BTreeMap::new(),
        referred_by: None,
        external_id: external_id(number),
        email: Some(email),
        first_name: Some(Some(first_name.to_owned())),
        last_name: Some(Some(last_name.to_owned())),
        birthday: Some(birthday),
        locale: Some(locale),
        tags: Some(tags),
        consent,
        created_at: Some(first_at),
    }
}

fn word(dice: &mut Dice, words: &'static str) -> &'static str {
    let words: Vec<&str> = words.split_whitespace().collect();
    dice.pick(&words)
}

/// An address that nobody else has.
fn address(dice: &mut Dice, first_name: &str, last_name: &str, taken: &mut HashSet<String>) -> Option<EmailAddress> {
    let (first, last) = (ascii(first_name), ascii(last_name));
    let initial = first.get(..1).unwrap_or_default();
    let name = match dice.between(0, 2) {
        0 => format!("{first}.{last}"),
        1 => format!("{initial}.{last}"),
        _ => format!("{first}{last}"),
    };
    let domain = dice.weighted(&DOMAINS);
    let free =
        (0..10_000).map(|n| if n == 0 { format!("{name}@{domain}") } else { format!("{name}{n}@{domain}") }).find(|text| !taken.contains(text))?;
    taken.insert(free.clone());
    EmailAddress::parse(&free).ok()
}

/// Lower-case ASCII letters of a name, umlauts written out.
fn ascii(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .map(|letter| match letter {
            'ä' => "ae".to_owned(),
            'ö' => "oe".to_owned(),
            'ü' => "ue".to_owned(),
            'ß' => "ss".to_owned(),
            'ş' => "s".to_owned(),
            'ı' => "i".to_owned(),
            letter if letter.is_ascii_alphabetic() => letter.to_string(),
            _ => String::new(),
        })
        .collect()
}

/// A day of birth of somebody aged 18 to 82 at the first order.
fn birthday(dice: &mut Dice, first_at: UnixMs) -> Option<NaiveDate> {
    let age = dice.weighted(&[(15, 18), (25, 28), (25, 40), (20, 54), (15, 68)]) + dice.between(0, 14);
    let year = first_at.utc().year() - i32::try_from(age).unwrap_or(40);
    NaiveDate::from_yo_opt(year, u32::try_from(dice.between(1, 365)).unwrap_or(1))
}

/// The birthday moved to the month and day of `day`, its year kept, or for 29 February the latest year before that has one.
pub(super) fn on_day_of_year(birthday: NaiveDate, day: NaiveDate) -> NaiveDate {
    (0..8).find_map(|back| NaiveDate::from_ymd_opt(birthday.year() - back, day.month(), day.day())).unwrap_or(birthday)
}

/// What the customer said about advertising: mostly at the first order, objections later.
fn consent(dice: &mut Dice, first_at: UnixMs, end_at: UnixMs) -> Option<Consent> {
    let later = |dice: &mut Dice, days: i64| UnixMs(dice.between(first_at.0, first_at.plus(days * DAY_MS).0.min(end_at.0)));
    let (kind, at, source) = match dice.between(1, 100) {
        1..=57 => (ConsentKind::DoubleOptIn, first_at.plus(dice.between(60_000, 3_600_000)), dice.pick(&["checkout", "loyalty card", "website"])),
        58..=68 => (ConsentKind::SingleOptIn, first_at, "paper form"),
        69..=80 => (ConsentKind::ExistingCustomer, first_at, "checkout"),
        81..=85 => (ConsentKind::Objected, later(dice, 700), "phone"),
        _ => return None,
    };
    Some(Consent { kind, at, source: source.to_owned() })
}
