//! The key figures as pictures, in the shop's language.

use std::collections::BTreeMap;

use super::Measured;
use crate::base::written::decimal;
use crate::flow::{Ctx, rescore};
use crate::model::customer::Locale;
use crate::picture::{CohortRow, CohortWords, GridCell, GridWords, ParetoWords, cohort_triangle, grid, pareto_curve};
use crate::score::kpi::ratio;
use crate::store::StoreError;

/// A picture and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `cohorts`, `pareto` or `rfm`.
    pub name: &'static str,
    /// SVG.
    pub svg: String,
}

/// The pictures of what was measured; one that would show nothing is left out. Scores are those of the same moment.
///
/// # Errors
/// When the database fails.
pub async fn pictures(ctx: &Ctx, measured: &Measured) -> Result<Vec<Picture>, StoreError> {
    let german = Locale::parse(&ctx.config.shop.locale).unwrap_or_default() == Locale::De;
    let mut pictures = Vec::new();
    if measured.cohorts.iter().any(|cohort| cohort.retention.len() > 1) {
        pictures.push(Picture { name: "cohorts", svg: cohorts(measured, german) });
    }
    if measured.pareto.curve.len() > 1 {
        pictures.push(Picture { name: "pareto", svg: pareto(measured, german) });
    }
    if measured.whole.figures.customers_ever > 0 {
        pictures.push(Picture { name: "rfm", svg: rfm(ctx, measured, german).await? });
    }
    Ok(pictures)
}

fn cohorts(measured: &Measured, german: bool) -> String {
    let rows: Vec<CohortRow> = measured
        .cohorts
        .iter()
        .map(|cohort| CohortRow { label: cohort.month.clone(), size: cohort.size, retention: cohort.retention.clone() })
        .collect();
    let words = if german {
        CohortWords {
            title: "Wer wiederkommt",
            description: "Je Monat des ersten Kaufs: wie viel Prozent dieser Kunden in den Monaten danach wieder gekauft haben.",
            months: "Monate nach dem ersten Kauf; Prozent, die in dem Monat kauften",
            new: "neu",
        }
    } else {
        CohortWords {
            title: "Who comes back",
            description: "By month of the first order: what percent of these customers ordered in the months after it.",
            months: "months after the first order; percent that ordered in the month",
            new: "new",
        }
    };
    cohort_triangle(&rows, &words)
}

fn pareto(measured: &Measured, german: bool) -> String {
    let curve = &measured.pareto.curve;
    let fifth = curve.get(20).copied().unwrap_or_default() * 100.0;
    let (whole, fifth) = (measured.pareto.customers, format!("{fifth:.1} %"));
    let (from, to) = (measured.from.unwrap_or(measured.to), measured.to);
    if german {
        let fifth = decimal(&fifth, german);
        let description = format!("{whole} Kunden vom {from} bis {to}: Die besten 20 % bringen {fifth} des Umsatzes.");
        let words = ParetoWords {
            title: "Wie viel die besten Kunden bringen",
            description: &description,
            customers: "Kunden, die besten zuerst",
            revenue: "Umsatz",
            fifth: &format!("die besten 20 %: {fifth}"),
        };
        return pareto_curve(curve, &words);
    }
    let description = format!("{whole} customers from {from} to {to}: the best 20 % bring {fifth} of the revenue.");
    let words = ParetoWords {
        title: "What the best customers bring",
        description: &description,
        customers: "customers, the best first",
        revenue: "revenue",
        fifth: &format!("the best 20 %: {fifth}"),
    };
    pareto_curve(curve, &words)
}

async fn rfm(ctx: &Ctx, measured: &Measured, german: bool) -> Result<String, StoreError> {
    let scores = rescore::preview(ctx, measured.as_of).await?.scores;
    let mut cells: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
    let mut revenue = 0_i64;
    for score in &scores {
        let cell = cells.entry((score.r, score.f)).or_default();
        *cell = (cell.0 + 1, cell.1.saturating_add(score.revenue.0));
        revenue = revenue.saturating_add(score.revenue.0);
    }
    let number = |score: i64| usize::try_from(score).unwrap_or_default();
    let cells: Vec<GridCell> = cells
        .into_iter()
        .map(|((r, f), (customers, cents))| {
            let share = ratio(cents, revenue).map_or_else(String::new, |share| decimal(&format!("{:.1} %", share * 100.0), german));
            GridCell { recency: number(r), frequency: number(f), customers, share }
        })
        .collect();
    let words = if german {
        GridWords {
            title: "Kunden nach letztem Kauf und Häufigkeit",
            description: "Zahl der Kunden und ihr Anteil am Umsatz, nach den Punkten für letzten Kauf (R) und Häufigkeit (F).",
            recency: "R: letzter Kauf, von lange her (1) bis gerade eben",
            frequency: "F: Häufigkeit, von selten (1) bis oft",
        }
    } else {
        GridWords {
            title: "Customers by last order and frequency",
            description: "How many customers, and their share of the revenue, by their scores for recency (R) and frequency (F).",
            recency: "R: last order, from long ago (1) to just now",
            frequency: "F: frequency, from seldom (1) to often",
        }
    };
    Ok(grid(&cells, number(ctx.config.score.buckets), &words))
}
