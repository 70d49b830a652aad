//! The key figures as text.

use comfy_table::{CellAlignment, Table, presets};

use crate::base::money::Cents;
use crate::cli::signs::Signs;
use crate::flow::measure::{Measured, PeriodFigures, Surveys};
use crate::score::kpi::{Cohort, Figures};

/// Columns of periods; more of them are in the line beside, in JSON and CSV.
const COLUMNS: usize = 6;
/// Values in a sparkline, and months in the table of cohorts.
const LATEST: usize = 24;
const MONTHS: usize = 13;
/// Fewer answers say nothing about everybody else.
const FEW: i64 = 30;
const TOO_FEW: &str = "; too few to speak for all customers";

/// A row: what it is called, as text, and as a number for the sparkline.
type Row = (&'static str, fn(&Figures) -> String, fn(&Figures) -> Option<f64>);

#[expect(clippy::cast_precision_loss, reason = "a sparkline")]
const ROWS: [Row; 14] = [
    ("orders", |of| of.orders.to_string(), |of| Some(of.orders as f64)),
    ("revenue", |of| Cents(of.revenue_cents).to_string(), |of| Some(of.revenue_cents as f64)),
    ("active customers", |of| of.active.to_string(), |of| Some(of.active as f64)),
    ("new customers", |of| of.new.to_string(), |of| Some(of.new as f64)),
    ("retained customers", |of| text(of.retained, |count| count.to_string()), |of| of.retained.map(|count| count as f64)),
    ("retention", |of| percent(of.retention_rate), |of| of.retention_rate),
    ("churn", |of| percent(of.churn_rate), |of| of.churn_rate),
    ("CRR (E−N)/S", |of| percent(of.crr), |of| of.crr),
    ("repeat-purchase rate", |of| percent(of.repeat_purchase_rate), |of| of.repeat_purchase_rate),
    ("orders per customer", |of| text(of.purchase_frequency, |number| format!("{number:.2}")), |of| of.purchase_frequency),
    ("average order value", |of| money(of.aov_cents), |of| of.aov_cents),
    ("revenue per customer", |of| money(of.arpu_cents), |of| of.arpu_cents),
    ("CLV simple", |of| money(of.clv_simple_cents), |of| of.clv_simple_cents),
    ("CLV margin/churn", |of| money(of.clv_margin_churn_cents), |of| of.clv_margin_churn_cents),
];

fn text<T>(value: Option<T>, say: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), say)
}

fn percent(share: Option<f64>) -> String {
    text(share, |share| format!("{:.1} %", share * 100.0))
}

fn money(cents: Option<f64>) -> String {
    text(cents, |cents| format!("{:.2}", cents / 100.0))
}

fn points(score: Option<f64>) -> String {
    text(score, |score| format!("{score:.1}"))
}

/// Everything, the table of cohorts only if asked for.
pub(super) fn print(measured: &Measured, with_cohorts: bool, signs: Signs) {
    let ordered = measured.whole.figures.customers_ever > 0;
    if !ordered {
        println!("There are no paid orders up to {}.", measured.to);
    }
    if !measured.periods.is_empty() {
        figures(measured, if ordered { &ROWS } else { &[] }, signs);
    }
    if ordered {
        inactive(measured, signs);
        pareto(measured, signs);
    }
    if with_cohorts && !measured.cohorts.is_empty() {
        cohorts(&measured.cohorts, signs);
    }
    if !measured.goals.is_empty() {
        println!("\nGoals");
    }
    for goal in &measured.goals {
        let mark = match goal.on_track {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "?",
        };
        let course: Vec<Option<f64>> = goal.values.iter().map(|value| value.value).collect();
        println!("{}\n  {}", format!("{mark} {}  {}", goal.goal, signs.sparkline(&course)).trim_end(), goal.sentence);
    }
}

/// With these rows, and what customers answered.
fn figures(measured: &Measured, rows: &[Row], signs: Signs) {
    let latest = &measured.periods[measured.periods.len().saturating_sub(LATEST)..];
    let shown = &latest[latest.len().saturating_sub(COLUMNS)..];
    let mut table = plain();
    let label = |period: &PeriodFigures| if period.complete { period.period.clone() } else { format!("{} so far", period.period) };
    let mut header = vec![if rows.is_empty() { String::new() } else { measured.currency.clone() }];
    header.extend(shown.iter().map(label));
    header.extend(["all".to_owned(), course(signs)]);
    table.set_header(header);
    for (name, say, number) in rows {
        let mut row = vec![(*name).to_owned()];
        row.extend(shown.iter().map(|period| say(&period.figures)));
        row.push(say(&measured.whole.figures));
        // What a running period has so far would look like a fall.
        let complete: Vec<Option<f64>> = latest.iter().filter(|period| period.complete).map(|period| number(&period.figures)).collect();
        row.push(signs.sparkline(&complete));
        table.add_row(row);
    }
    let survey = |name: &str, score: fn(&Surveys) -> Option<f64>| {
        let mut row = vec![name.to_owned()];
        row.extend(shown.iter().map(|period| points(score(&period.surveys))));
        let complete: Vec<Option<f64>> = latest.iter().filter(|period| period.complete).map(|period| score(&period.surveys)).collect();
        row.extend([points(score(&measured.whole.surveys)), signs.sparkline(&complete)]);
        row
    };
    if measured.whole.surveys.nps.is_some() {
        table.add_row(survey("NPS", |of| of.nps.as_ref()?.score));
    }
    if measured.whole.surveys.csat.is_some() {
        table.add_row(survey("CSAT", |of| of.csat.as_ref()?.score));
    }
    for column in table.column_iter_mut().skip(1).take(shown.len() + 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    let earlier = measured.periods.len() - shown.len();
    if earlier > 0 {
        println!("{earlier} earlier periods: --json, --csv, or an earlier --to");
    }
    if let Some(nps) = &measured.whole.surveys.nps {
        let margin = nps.standard_error.map_or_else(String::new, |error| format!(", give or take {:.0} points", 1.96 * error));
        println!("NPS: {}{}", answers(nps.answers), if nps.answers < FEW { TOO_FEW } else { &margin });
    }
    if let Some(csat) = &measured.whole.surveys.csat {
        let few = if csat.answers < FEW { TOO_FEW } else { "" };
        println!("CSAT: {}, {} of them 4 or 5{few}", answers(csat.answers), csat.satisfied);
    }
    let from = measured.from.map_or_else(String::new, |from| format!("{from} to "));
    if rows.is_empty() {
        println!("all: {from}{}", measured.to);
        return;
    }
    let margin = match (measured.margin, measured.margin_source) {
        (Some(margin), "configured") => format!("CLV with {} years and the configured margin of {:.1} %", measured.years, margin * 100.0),
        (Some(margin), _) => format!("CLV with {} years and the margin of {:.1} % that orders with known costs have", measured.years, margin * 100.0),
        (None, _) => format!("CLV with {} years; no margin is known: import costs, or set [shop] margin_percent", measured.years),
    };
    println!("all: {from}{}; {margin}", measured.to);
}

fn answers(count: i64) -> String {
    format!("{count} answer{}", if count == 1 { "" } else { "s" })
}

fn inactive(measured: &Measured, signs: Signs) {
    println!("\nLost customers as of {}, by days without an order", measured.to);
    let mut table = plain();
    table.set_header(["more than", "customers", "share", ""]);
    for row in &measured.inactive {
        table.add_row([format!("{} days", row.days), row.customers.to_string(), percent(row.rate), signs.share(row.rate)]);
    }
    right(&mut table, 2);
    println!("{table}");
}

fn pareto(measured: &Measured, signs: Signs) {
    let pareto = &measured.pareto;
    println!("\nBest customers by revenue");
    // One percent of ten customers is nobody.
    let somebody = |percent: i64| percent < 100 && percent.saturating_mul(pareto.customers) >= 100;
    let rows: Vec<_> = pareto.top.iter().filter(|top| somebody(top.percent)).collect();
    let mut table = plain();
    table.set_header(["best", "customers", measured.currency.as_str(), "share", ""]);
    for top in &rows {
        let name = format!("{} %", top.percent);
        table.add_row([name, top.customers.to_string(), Cents(top.revenue_cents).to_string(), percent(top.share), signs.share(top.share)]);
    }
    right(&mut table, 3);
    if !rows.is_empty() {
        println!("{table}");
    }
    if let Some(people) = pareto.customers_for_80_percent {
        println!("{people} of {} customers bring 80 % of the revenue", pareto.customers);
    }
}

fn cohorts(cohorts: &[Cohort], signs: Signs) {
    println!("\nCohorts: of those who first bought in a month, the share that bought again in the k-th month after it");
    let latest = &cohorts[cohorts.len().saturating_sub(LATEST)..];
    let months = latest.iter().map(|cohort| cohort.active.len()).max().unwrap_or_default().min(MONTHS);
    let mut table = plain();
    let header = ["month".to_owned(), "new".to_owned()].into_iter().chain((1..months).map(|since| since.to_string()));
    table.set_header(header.chain([course(signs)]));
    for cohort in latest {
        let mut row = vec![cohort.month.clone(), cohort.size.to_string()];
        row.extend((1..months).map(|since| cohort.retention.get(since).map_or_else(String::new, |share| format!("{:.0} %", share * 100.0))));
        let course: Vec<Option<f64>> = cohort.retention.iter().skip(1).take(LATEST).map(|share| Some(*share)).collect();
        row.push(signs.sparkline(&course));
        table.add_row(row);
    }
    right(&mut table, months);
    println!("{table}");
    if cohorts.len() > latest.len() || latest.iter().any(|cohort| cohort.active.len() > MONTHS) {
        println!("earlier cohorts and later months: --json");
    }
}

/// The heading of sparklines.
fn course(signs: Signs) -> String {
    if signs.drawn() { "course".to_owned() } else { String::new() }
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

/// So many columns after the first hold numbers.
fn right(table: &mut Table, columns: usize) {
    for column in table.column_iter_mut().skip(1).take(columns) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
