//! The report as pictures, in the shop's language: variants and guardrails as forest plots, and each ledger as a waterfall.

use super::{AlwaysValid, Guardrail, Harm, Ledger, Report};
use crate::base::written::{decimal, grouped};
use crate::flow::Ctx;
use crate::model::customer::Locale;
use crate::picture::{ForestGroup, ForestRow, ForestWords, Step, WaterfallWords, forest, waterfall};

/// As numbers in pictures are written.
const MINUS: &str = "−";

/// A picture and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `variants`, `guardrails`, `earned-RULE`, or `earned` of all campaigns together.
    pub name: String,
    /// SVG.
    pub svg: String,
}

/// The pictures of a report; one that would show nothing is left out.
#[must_use]
pub fn pictures(ctx: &Ctx, report: &Report) -> Vec<Picture> {
    let german = Locale::parse(&ctx.config.shop.locale).unwrap_or_default() == Locale::De;
    let currency = ctx.config.shop.currency.code();
    let mut pictures: Vec<Picture> = variants(report, german).into_iter().chain(guardrails(report, german)).collect();
    let all = if german { "Alle Kampagnen zusammen" } else { "All campaigns together" };
    let together = report.holdout.iter().map(|holdout| ("earned".to_owned(), all, &holdout.ledger));
    let rules = report.rules.iter().filter_map(|rule| Some((format!("earned-{}", rule.rule), rule.rule.as_str(), rule.ledger.as_ref()?)));
    for (name, title, ledger) in together.chain(rules) {
        if let Some(svg) = earned(ledger, title, currency, german) {
            pictures.push(Picture { name, svg });
        }
    }
    pictures
}

/// Every comparison of rates, with the interval that holds at every look.
fn variants(report: &Report, german: bool) -> Option<Picture> {
    let points = |share: f64| decimal(&format!("{:+.1}", share * 100.0), german).replace('-', MINUS);
    let row = |comparison: &super::Comparison| {
        let interval = comparison.always_valid.map(|AlwaysValid { interval, .. }| interval);
        let text = match (comparison.rate_difference, interval) {
            (Some(difference), Some((low, high))) => format!("{} ({} … {})", points(difference), points(low), points(high)),
            _ => "–".to_owned(),
        };
        let named = |arm: &str| if german && arm == super::CONTROL { "Kontrolle".to_owned() } else { arm.to_owned() };
        ForestRow {
            label: format!("{} – {}", named(&comparison.arm), named(&comparison.against)),
            middle: comparison.rate_difference,
            interval,
            text,
        }
    };
    let group = |rule: &super::RuleReport| ForestGroup { title: rule.rule.clone(), rows: rule.comparisons.iter().map(row).collect() };
    let groups: Vec<ForestGroup> = report.rules.iter().map(group).filter(|group| !group.rows.is_empty()).collect();
    let words = if german {
        ForestWords {
            title: "Varianten im Vergleich",
            description: "Unterschied der Käuferquote in Prozentpunkten, mit dem Intervall, das bei jedem Blick gilt (95 %).",
            worse: "weniger kaufen",
            better: "mehr kaufen",
            unit: "Prozentpunkte (95 %)",
        }
    } else {
        ForestWords {
            title: "Variants compared",
            description: "Difference of the share of people who buy, in percentage points, with the interval that holds at every look (95 %).",
            worse: "fewer buy",
            better: "more buy",
            unit: "percentage points (95 %)",
        }
    };
    (!groups.is_empty()).then(|| Picture { name: "variants".to_owned(), svg: forest(&groups, &words) })
}

/// Every guardrail of rules that drove somebody away; the interval holds at every look.
fn guardrails(report: &Report, german: bool) -> Option<Picture> {
    let points = |share: f64| decimal(&format!("{:+.2}", share * 100.0), german).replace('-', MINUS);
    let row = |guardrail: &Guardrail| {
        let (low, high) = guardrail.interval;
        let harm = match (guardrail.harm, german) {
            (Harm::Unsubscribed, true) => "abgemeldet",
            (Harm::Unsubscribed, false) => "unsubscribed",
            (Harm::Complained, true) => "Spam gemeldet",
            (Harm::Complained, false) => "called it spam",
        };
        ForestRow {
            label: format!("{} – {}, {harm}", guardrail.arm, guardrail.against),
            middle: Some(guardrail.difference),
            interval: Some(guardrail.interval),
            text: format!("{} ({} … {})", points(guardrail.difference), points(low), points(high)),
        }
    };
    let harmed = |rule: &&super::RuleReport| rule.variants.iter().any(|arm| arm.counts.unsubscribed + arm.counts.complained > 0);
    let group = |rule: &super::RuleReport| ForestGroup { title: rule.rule.clone(), rows: rule.guardrails.iter().map(row).collect() };
    let groups: Vec<ForestGroup> = report.rules.iter().filter(harmed).map(group).filter(|group| !group.rows.is_empty()).collect();
    let words = if german {
        ForestWords {
            title: "Wer nichts mehr will",
            description: "Unterschied der Anteile, die sich abmelden oder Spam melden, in Prozentpunkten, mit dem Intervall, das bei jedem Blick gilt (95 %).",
            worse: "weniger gehen",
            better: "mehr gehen",
            unit: "Prozentpunkte (95 %)",
        }
    } else {
        ForestWords {
            title: "Who wants no more",
            description: "Difference of the shares that unsubscribe or call it spam, in percentage points, with the interval that holds at every look (95 %).",
            worse: "fewer leave",
            better: "more leave",
            unit: "percentage points (95 %)",
        }
    };
    (!groups.is_empty()).then(|| Picture { name: "guardrails".to_owned(), svg: forest(&groups, &words) })
}

/// From the margin of the revenue against control to what is left.
fn earned(ledger: &Ledger, title: &str, currency: &str, german: bool) -> Option<String> {
    let (revenue, margin, earned) = (ledger.revenue_cents?, ledger.margin_cents?, ledger.earned_cents?);
    let pick = |de: &str, en: &str| if german { de.to_owned() } else { en.to_owned() };
    let amount = |cents: f64| {
        let sign = if cents <= -0.5 { MINUS } else { "" };
        format!("{sign}{}", grouped(&format!("{:.2}", cents.abs() / 100.0), german))
    };
    let whole = |cents: f64| format!("{}{}", if cents <= -50.0 { MINUS } else { "" }, grouped(&format!("{:.0}", cents.abs() / 100.0), german));
    let step = |label: String, cents: f64| Step {
        label,
        amount: cents,
        text: format!("{} {currency}", amount(cents)),
        sum: false,
        interval: None,
        reach: String::new(),
    };
    let sum = |label: String, cents: f64, interval: Option<(f64, f64)>| {
        let reach = interval.map_or_else(String::new, |(low, high)| format!("95 %: {} … {}", whole(low), whole(high)));
        Step { sum: true, interval, reach, ..step(label, cents) }
    };
    let mut steps = vec![
        sum(pick("Mehr Umsatz", "more revenue"), revenue, ledger.revenue_interval_cents),
        step(pick("Ware, Versand", "cost of goods"), margin - revenue),
    ];
    if ledger.voucher_cents != 0.0 {
        steps.push(step(pick("Gutscheine", "vouchers"), -ledger.voucher_cents));
    }
    if ledger.sending_cents != 0.0 {
        steps.push(step(pick("Senden", "sending"), -ledger.sending_cents));
    }
    steps.push(sum(pick("verdient", "earned"), earned, ledger.earned_interval_cents));
    let title = if german { format!("Was verdient wurde: {title}") } else { format!("What was earned: {title}") };
    Some(waterfall(&steps, &WaterfallWords { title: &title, description: &ledger.sentence }))
}
