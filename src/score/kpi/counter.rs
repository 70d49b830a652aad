//! Counts purchases customer by customer in one pass: memory grows with customers (8 bytes each, for Pareto) and periods, not with orders.

use super::cohort::Cell;
use crate::base::time::UnixMs;
use crate::model::kpi::{Counts, Purchase, Span};

/// What is to be counted.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Lists of spans; in each list `before`, `from` and `until` never fall.
    pub lists: Vec<Vec<Span>>,
    /// The first moments of the months, rising; the first is not later than the first purchase.
    pub months: Vec<UnixMs>,
    /// The stretch that [`Counted::whole`] and [`Counted::revenues`] are about.
    pub from: UnixMs,
    /// Its end (the first moment after it).
    pub until: UnixMs,
    /// Who bought last before such a moment is inactive.
    pub inactive_before: Vec<UnixMs>,
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// As [`Frame::lists`].
    pub lists: Vec<Vec<Counts>>,
    /// By month of the first purchase, then by months since then; rows end with the last month that somebody bought in.
    pub cohorts: Vec<Vec<Cell>>,
    /// The whole stretch.
    pub whole: Counts,
    /// What each customer paid in it, in cents, in no order; only those who bought in it.
    pub revenues: Vec<i64>,
    /// Everybody who ever bought.
    pub customers: i64,
    /// As [`Frame::inactive_before`].
    pub inactive: Vec<i64>,
}

/// Takes purchases and counts them.
#[derive(Debug)]
pub struct Counter {
    frame: Frame,
    counted: Counted,
    whole: [Span; 1],
    /// The purchases of the customer whose turn it is.
    open: Vec<Purchase>,
}

impl Counter {
    /// Nothing is counted yet.
    #[must_use]
    pub fn new(frame: Frame) -> Self {
        let counted = Counted {
            lists: frame.lists.iter().map(|spans| vec![Counts::default(); spans.len()]).collect(),
            cohorts: vec![Vec::new(); frame.months.len()],
            inactive: vec![0; frame.inactive_before.len()],
            ..Counted::default()
        };
        let whole = [Span { before: frame.from, from: frame.from, until: frame.until }];
        Self { frame, counted, whole, open: Vec::new() }
    }

    /// The next purchase: all of one customer follow one another, oldest first.
    pub fn push(&mut self, purchase: Purchase) {
        if self.open.last().is_some_and(|last| last.customer_id != purchase.customer_id) {
            self.settle();
        }
        self.open.push(purchase);
    }

    /// What was counted.
    #[must_use]
    pub fn finish(mut self) -> Counted {
        self.settle();
        let Self { mut counted, .. } = self;
        // The customers of a span were added where they came first; the later spans have them too.
        for list in &mut counted.lists {
            let (mut ever, mut repeat_ever) = (0, 0);
            for counts in list {
                ever += counts.ever;
                repeat_ever += counts.repeat_ever;
                (counts.ever, counts.repeat_ever) = (ever, repeat_ever);
            }
        }
        counted
    }

    fn settle(&mut self) {
        let purchases = std::mem::take(&mut self.open);
        if let (Some(first), Some(last)) = (purchases.first(), purchases.last()) {
            let Self { frame, counted, whole, .. } = self;
            for (spans, counts) in frame.lists.iter().zip(&mut counted.lists) {
                count(spans, counts, &purchases);
            }
            let before = counted.whole;
            count(whole.as_slice(), std::slice::from_mut(&mut counted.whole), &purchases);
            if counted.whole.active > before.active {
                counted.revenues.push(counted.whole.revenue_cents.saturating_sub(before.revenue_cents));
            }
            cohort(&frame.months, &mut counted.cohorts, &purchases, first.at);
            counted.customers += 1;
            for (border, inactive) in frame.inactive_before.iter().zip(&mut counted.inactive) {
                *inactive += i64::from(last.at < *border);
            }
        }
        self.open = purchases;
        self.open.clear();
    }
}

/// Adds one customer's purchases to the spans that they fall in.
fn count(spans: &[Span], counts: &mut [Counts], purchases: &[Purchase]) {
    let (Some(first), Some(last)) = (purchases.first(), purchases.last()) else { return };
    let begun = |at: UnixMs| spans.partition_point(|span| span.until <= at);
    if let Some(counts) = counts.get_mut(begun(first.at)) {
        counts.ever += 1;
    }
    if let Some(counts) = purchases.get(1).and_then(|second| counts.get_mut(begun(second.at))) {
        counts.repeat_ever += 1;
    }
    let touched = begun(first.at)..spans.partition_point(|span| span.before <= last.at);
    for (span, counts) in spans.iter().zip(counts).take(touched.end).skip(touched.start) {
        let earlier = |at: UnixMs| purchases.partition_point(|purchase| purchase.at < at);
        let [before, from, until] = [span.before, span.from, span.until].map(earlier);
        let (inside, was_active) = (&purchases[from..until], from > before);
        counts.before += i64::from(was_active);
        if inside.is_empty() {
            continue;
        }
        counts.active += 1;
        counts.new += i64::from(from == 0);
        counts.retained += i64::from(was_active);
        counts.repeat += i64::from(inside.len() > 1);
        for purchase in inside {
            counts.orders += 1;
            counts.revenue_cents = counts.revenue_cents.saturating_add(purchase.revenue.0);
            if let Some(cost) = purchase.cost {
                counts.costed_cents = counts.costed_cents.saturating_add(purchase.revenue.0);
                counts.margin_cents = counts.margin_cents.saturating_add(purchase.revenue.0.saturating_sub(cost.0));
            }
        }
    }
}

/// Adds one customer's purchases to the row of the cohort.
fn cohort(months: &[UnixMs], cohorts: &mut [Vec<Cell>], purchases: &[Purchase], first: UnixMs) {
    let month = |at: UnixMs| months.partition_point(|start| *start <= at).saturating_sub(1);
    let of = month(first);
    let Some(row) = cohorts.get_mut(of) else { return };
    let mut latest = None;
    for purchase in purchases {
        let since = month(purchase.at) - of;
        if row.len() <= since {
            row.resize(since + 1, Cell::default());
        }
        let cell = &mut row[since];
        cell.active += i64::from(latest != Some(since));
        cell.orders += 1;
        cell.revenue_cents = cell.revenue_cents.saturating_add(purchase.revenue.0);
        latest = Some(since);
    }
}
