//! The CSV of `stammgast report --csv`.

use std::path::Path;

use crate::cli::replaced::replace;
use crate::flow::analyse::{ArmReport, Report, RuleReport};

/// One line for each arm of each rule, named as in JSON; of a rule's comparisons, verdict and ledger what belongs to the arm or the rule. What is not known is empty. The file is
/// complete or not there.
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
        csv.flush()?;
        Ok(())
    })
}

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
    let earned = ledger.and_then(|ledger| ledger.earned_interval_cents);
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
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
        number(ledger.and_then(|ledger| ledger.earned_cents)),
        number(earned.map(|(low, _)| low)),
        number(earned.map(|(_, high)| high)),
        number(ledger.map(|ledger| ledger.voucher_cents)),
        currency.to_owned(),
    ]
}
