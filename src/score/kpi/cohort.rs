//! The table of monthly cohorts: who first bought in a month, and how many of them bought again in each month since.

use serde::Serialize;

use super::figures::ratio;
use crate::base::time::UnixMs;

/// One cohort in one month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Customers of the cohort with an order in the month.
    pub active: i64,
    /// Their orders in it.
    pub orders: i64,
    /// What they paid in it.
    pub revenue_cents: i64,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cohort {
    /// The month of the first order ever, `2026-03`.
    pub month: String,
    /// Customers in the cohort.
    pub size: i64,
    /// How many of them ordered in the k-th calendar month after the first; k = 0 is the month itself. The last one may still be running.
    pub active: Vec<i64>,
    /// `active / size`.
    pub retention: Vec<f64>,
    /// What they paid in each of these months, in cents.
    pub revenue_cents: Vec<i64>,
    /// What the cohort has paid up to and including each of these months, per customer of the cohort, in cents.
    pub revenue_per_customer_cents: Vec<f64>,
}

/// The rows of months that had new customers, each up to the last month; `months` as they were counted by, with their labels.
#[must_use]
pub fn cohorts(months: &[(String, UnixMs)], counted: &[Vec<Cell>]) -> Vec<Cohort> {
    let rows = months.iter().zip(counted).enumerate().filter(|(_, (_, row))| !row.is_empty());
    rows.map(|(position, ((label, _), row))| {
        let cells: Vec<Cell> = (0..months.len() - position).map(|since| row.get(since).copied().unwrap_or_default()).collect();
        let size = cells.first().map_or(0, |cell| cell.active);
        let mut paid = 0_i64;
        let sums = cells.iter().map(|cell| {
            paid = paid.saturating_add(cell.revenue_cents);
            ratio(paid, size).unwrap_or_default()
        });
        let revenue_per_customer_cents = sums.collect();
        Cohort {
            month: label.clone(),
            size,
            active: cells.iter().map(|cell| cell.active).collect(),
            retention: cells.iter().map(|cell| ratio(cell.active, size).unwrap_or_default()).collect(),
            revenue_cents: cells.iter().map(|cell| cell.revenue_cents).collect(),
            revenue_per_customer_cents,
        }
    })
    .collect()
}
