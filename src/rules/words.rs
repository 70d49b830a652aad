//! The words that rules are made of, beside the facts about customers: the one list that the check, the documentation and editor definitions come from.

/// What a word is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Begins a rule, or follows it with a dot.
    Verb,
    /// Makes a value: an action, a voucher, a length of time.
    Value,
}

/// A word.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// What it is for.
    pub kind: Use,
    /// Its name.
    pub name: &'static str,
    /// What stands in its brackets, as a definition says it; a verb follows a rule, but for `rule` itself. One for each form.
    pub forms: &'static [&'static str],
    /// What it gives, as a definition says it.
    pub gives: &'static str,
    /// How it is used.
    pub example: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What holds without it.
    pub default: &'static str,
}

const fn verb(name: &'static str, forms: &'static [&'static str], example: &'static str, meaning: &'static str, default: &'static str) -> Word {
    Word { kind: Use::Verb, name, forms, gives: "Rule", example, meaning, default }
}

const fn value(name: &'static str, forms: &'static [&'static str], gives: &'static str, example: &'static str, meaning: &'static str) -> Word {
    Word { kind: Use::Value, name, forms, gives, example, meaning, default: "" }
}

/// All words.
pub const WORDS: &[Word] = &[
    verb("rule", &["name: String"], "rule(\"win-back\")", "begins a rule; the name is unique: 1 to 60 of a-z, 0-9, -", "required"),
    verb(
        "every",
        &["crontab: String"],
        ".every(\"0 9 * * *\")",
        "when: a Unix crontab line of five fields (minute, hour, day of month, month, day of week; 0 and 7 are Sunday; names; @daily …) in the shop's zone",
        "never by itself: only when named, stammgast run NAME",
    ),
    verb(
        "missed",
        &["word: String"],
        ".missed(\"once\")",
        "runs that fell into a time when nothing ran: \"once\" makes up for the latest of the last 24 hours, \"skip\" for none, \"all\" for each of the last 24 hours, \
         100 at most; nothing is made up for before a rule was new or edited",
        "\"once\"",
    ),
    verb(
        "basis",
        &["word: String"],
        ".basis(\"consent\")",
        "the legal ground: \"consent\" (double opt-in), \"existing_customer\" (an own order, not objected, §7(3) UWG) or \"contract\" (order mails without advertising)",
        "required",
    ),
    verb("when", &["condition: Fn"], ".when(|c| c.orders >= 2)", "the condition; only true counts", "required"),
    verb("cooldown", &["span: Days"], ".cooldown(days(90))", "not again within so many days of the last time; a rule has this or .once_per", ""),
    verb(
        "once_per",
        &["word: String"],
        ".once_per(\"year\")",
        "once per \"year\", \"month\", \"week\", \"day\" (in the shop's zone), \"order\" (for each latest order) or \"ever\"",
        "\"ever\"",
    ),
    verb(
        "variant",
        &["name: String, weight: int, action: Fn"],
        ".variant(\"A\", 50, |c| email(\"hello\"))",
        "an arm with its weight and what it does; 20 at most; weights need not add up to 100, but the check says when they do not",
        "at least one, or .send",
    ),
    verb("send", &["action: Fn"], ".send(|c| email(\"hello\"))", "the only variant, called A", ""),
    verb("control", &["percent: int"], ".control(10)", "percent held out on purpose, 0 to 90", "0"),
    verb(
        "goal",
        &["event: String, window: Days"],
        ".goal(\"order\", days(14))",
        "success: an order within so many days of the message (or of the decision to hold out)",
        "nothing is counted",
    ),
    verb(
        "winner",
        &["after: Days", "after: Days, people: int"],
        ".winner(days(14))",
        "the variant that has won takes the traffic, not before so many days (and people in all variants, as in .winner(days(14), 500)); control stays held out",
        "never by itself",
    ),
    verb("quiet", &["from: String, until: String"], ".quiet(\"20:00\", \"08:00\")", "own quiet hours: messages wait until they end", "[policy]"),
    verb("priority", &["number: int"], ".priority(5)", "higher goes first where several rules want the same customer, -1000 to 1000", "0"),
    verb(
        "experiment",
        &["key: String"],
        ".experiment(\"key\")",
        "seed of the split; rules with the same key put the same people into the same arms",
        "the rule's name",
    ),
    verb(
        "limit",
        &["messages: int, per: String"],
        ".limit(200, \"day\")",
        "at most so many messages of the rule in a calendar \"day\" or \"hour\"; both may be said; the rest waits for the next one",
        "none",
    ),
    verb(
        "budget",
        &["amount: Worth, per: String"],
        ".budget(eur(150), \"day\")",
        "what a day's vouchers of the rule may cost if all are redeemed (a percent voucher counts as that part of the customer's average order); the rest waits for the next day",
        "none",
    ),
    verb(
        "example",
        &["name: String, customer: Map, verdict: String"],
        ".example(\"a lapsed regular\", #{ recency_days: 61, orders: 3 }, \"send\")",
        "whom the rule must or must not reach: stammgast test tries it; up to 200",
        "",
    ),
    value(
        "email",
        &["template: String", "template: String, variables: Map"],
        "Action",
        "email(\"win-back\", #{ voucher: voucher(\"WB\", percent(10), days(14)) })",
        "an email by a template, with variables for it",
    ),
    value(
        "webhook",
        &["target: String", "target: String, payload: Map"],
        "Action",
        "webhook(\"crm\", #{ revenue: c.revenue })",
        "a call of a target that the configuration names in [[webhooks]]",
    ),
    value(
        "voucher",
        &["prefix: String, worth: Worth, valid: Days"],
        "Voucher",
        "voucher(\"WB\", percent(10), days(14))",
        "a voucher with a code of its own; the prefix is 1 to 12 of A-Z and 0-9, it is valid for 1 to 3650 days",
    ),
    value("percent", &["number: int"], "Worth", "percent(10)", "so much off, 1 to 100"),
    value("amount", &["number: ?"], "Worth", "amount(7.50)", "an amount in the shop's currency, with at most two decimals"),
    value("eur", &["number: ?"], "Worth", "eur(5)", "the same as amount"),
    value("hours", &["number: int"], "Days", "hours(48)", "a length of time; where days are asked for they have to be whole"),
    value("days", &["number: int"], "Days", "days(14)", "days of 24 hours; in a window calendar days"),
    value("weeks", &["number: int"], "Days", "weeks(2)", "seven days each"),
];

const fn of_score(name: &'static str, forms: &'static [&'static str], example: &'static str, meaning: &'static str, default: &'static str) -> Word {
    Word { kind: Use::Verb, name, forms, gives: "Score", example, meaning, default }
}

/// The verbs of an own score.
pub const SCORE_WORDS: &[Word] = &[
    of_score("score", &["name: String"], "score(\"lead\")", "begins a score; the name is unique: 1 to 40 of a-z, 0-9, _", "required"),
    of_score(
        "means",
        &["text: String"],
        ".means(\"who is worth a call\")",
        "what it means, in a line; `stammgast facts` shows it",
        "nothing is said",
    ),
    of_score("unit", &["text: String"], ".unit(\"0–100\")", "unit or range, for people", "nothing is said"),
    of_score(
        "number",
        &["formula: FnPtr"],
        ".number(|c| c.orders * 10)",
        "the formula, whose value is a number; six decimals are kept",
        "one of .number, .flag and .text is required",
    ),
    of_score("flag", &["formula: FnPtr"], ".flag(|c| c.orders > 10)", "the formula, whose value is true or false", "as .number"),
    of_score(
        "text",
        &["formula: FnPtr"],
        ".text(|c| if c.orders > 10 { \"gold\" } else { \"silver\" })",
        "the formula, whose value is a text of one line, 1 to 200 characters",
        "as .number",
    ),
];

/// Names of the verbs that follow a rule.
pub(super) fn verbs() -> impl Iterator<Item = &'static str> {
    WORDS.iter().filter(|word| word.kind == Use::Verb && word.name != "rule").map(|word| word.name)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::rules::{builder, helpers, internals, sandbox, score_verbs};

    #[test]
    fn the_words_are_those_that_rules_know_with_as_many_arguments() {
        let plain = internals::known(&sandbox::engine()).functions;
        let mut engine = sandbox::engine();
        helpers::register(&mut engine);
        builder::register(&mut engine);
        let known: BTreeMap<String, BTreeSet<usize>> =
            internals::known(&engine).functions.into_iter().filter(|(name, _)| !plain.contains_key(name)).collect();
        let arguments = |word: &Word| {
            let receiver = usize::from(word.kind == Use::Verb && word.name != "rule");
            word.forms.iter().map(|form| receiver + form.split(", ").count()).collect()
        };
        let told: BTreeMap<String, BTreeSet<usize>> = WORDS.iter().map(|word| (word.name.to_owned(), arguments(word))).collect();
        assert_eq!(told, known);
        let mut engine = sandbox::engine();
        score_verbs::register(&mut engine);
        let known: BTreeSet<String> = internals::known(&engine).functions.into_keys().filter(|name| !plain.contains_key(name)).collect();
        assert_eq!(SCORE_WORDS.iter().map(|word| word.name.to_owned()).collect::<BTreeSet<_>>(), known);
    }
}
