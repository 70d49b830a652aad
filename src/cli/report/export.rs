//! The CSV of `stammgast report --csv`.

use std::path::Path;

use crate::cli::replaced::replace;
use crate::flow::analyse::{ArmReport, Everybody, Ledger, Report, RuleReport};

/// One line for each arm of each rule, named as in JSON; of a rule's comparisons, verdict and ledger what belongs to the arm or the rule. What all rules earned together is in
/// two lines more, of the rule [`ALL`]. What is not known is empty. The file is complete or not there.
pub(super) fn write(path: &Path, report: &Report, currency: &str) -> anyhow::Result<()> {
    replace(path, |file| {
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        csv.write_record(HEADER)?;
        for rule in &report.rules {
            let control = (rule.control.counts.people > 0).then_some(&rule.control);
            for arm in control.into_iter().chain(&rule.variants) {
                csv.write_record(line(rule, arm, currency))?;
            }
        }
        if let Some(holdout) = &report.holdout {
            for (arm, group) in [("holdout", &holdout.control), ("rest", &holdout.rest)] {
                csv.write_record(together(arm, group, &holdout.ledger, currency))?;
            }
        }
        csv.flush()?;
        Ok(())
    })
}

/// What stands for all rules in the place of a rule's name; no rule can be called so.
const ALL: &str = "(all)";

const HEADER: [&str; 26] = [
    "rule",
    "arm",
    "people",
    "sent",
    "failed",
    "in_doubt",
    "pending",
    "unsubscribed",
    "complained",
    "converted",
    "revenue_cents",
    "rate",
    "rate_low",
    "rate_high",
    "revenue_per_person_cents",
    "against",
    "rate_difference",
    "rate_difference_low",
    "rate_difference_high",
    "p_value",
    "verdict",
    "rule_earned_cents",
    "rule_earned_low_cents",
    "rule_earned_high_cents",
    "rule_voucher_cents",
    "currency",
];

/// The comparison is the arm's first: with control where there is one. Its interval and p-value hold at every look.
fn line(rule: &RuleReport, arm: &ArmReport, currency: &str) -> [String; 26] {
    let counts = &arm.counts;
    let comparison = rule.comparisons.iter().find(|comparison| comparison.arm == counts.name);
    let valid = comparison.and_then(|comparison| comparison.always_valid);
    let ledger = rule.ledger.as_ref().filter(|_| rule.goal);
    let [earned, low, high, vouchers] = earned(ledger);
    [
        rule.rule.clone(),
        counts.name.clone(),
        counts.people.to_string(),
        counts.sent.to_string(),
        counts.failed.to_string(),
        counts.in_doubt.to_string(),
        counts.pending.to_string(),
        counts.unsubscribed.to_string(),
        counts.complained.to_string(),
        counts.converted.to_string(),
        counts.revenue_cents.to_string(),
        number(arm.rate),
        number(arm.rate_interval.map(|(low, _)| low)),
        number(arm.rate_interval.map(|(_, high)| high)),
        number(arm.revenue_per_person_cents),
        comparison.map_or_else(String::new, |comparison| comparison.against.clone()),
        number(comparison.and_then(|comparison| comparison.rate_difference)),
        number(valid.map(|valid| valid.interval.0)),
        number(valid.map(|valid| valid.interval.1)),
        number(valid.and_then(|valid| valid.p_value_adjusted)),
        rule.verdict.as_ref().map_or_else(String::new, |verdict| verdict.outcome.code().to_owned()),
        earned,
        low,
        high,
        vouchers,
        currency.to_owned(),
    ]
}

/// Those held out from all rules, or everybody else: who bought, in no goal's window; what was earned is the same in both lines.
fn together(arm: &str, group: &Everybody, ledger: &Ledger, currency: &str) -> [String; 26] {
    let told = [
        ("rule", ALL.to_owned()),
        ("arm", arm.to_owned()),
        ("people", group.people.to_string()),
        ("converted", group.bought.to_string()),
        ("revenue_cents", group.revenue_cents.to_string()),
        ("revenue_per_person_cents", number(group.revenue_per_person_cents)),
        ("currency", currency.to_owned()),
    ];
    let of_ledger =
        ["rule_earned_cents", "rule_earned_low_cents", "rule_earned_high_cents", "rule_voucher_cents"].into_iter().zip(earned(Some(ledger)));
    let told: Vec<(&str, String)> = told.into_iter().chain(of_ledger).collect();
    HEADER.map(|column| told.iter().find(|(name, _)| *name == column).map_or_else(String::new, |(_, cell)| cell.clone()))
}

/// What was earned with the ends of its interval, and vouchers.
fn earned(ledger: Option<&Ledger>) -> [String; 4] {
    let interval = ledger.and_then(|ledger| ledger.earned_interval_cents);
    [
        number(ledger.and_then(|ledger| ledger.earned_cents)),
        number(interval.map(|(low, _)| low)),
        number(interval.map(|(_, high)| high)),
        number(ledger.map(|ledger| ledger.voucher_cents)),
    ]
}

fn number(number: Option<f64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}
