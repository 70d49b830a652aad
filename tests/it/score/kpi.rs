//! The shop's key figures: equal to the golden files, unknown where they cannot be known.

use proptest::prelude::*;
use serde_json::Value;
use stammgast::base::id::Id;
use stammgast::base::money::Cents;
use stammgast::base::time::{DAY_MS, UnixMs, Zone};
use stammgast::model::kpi::{By, Counts, Purchase, Span};
use stammgast::score::kpi::{
    Assumptions, Counted, Counter, Csat, Figures, Frame, Nps, Progress, cohorts, days_back, gross_margin, months, outlook, pareto, periods,
};

fn berlin() -> Zone {
    Zone::parse("Europe/Berlin").unwrap()
}

fn day(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../../fixtures/kpi/kpi_quarterly.json")).unwrap()
}

/// The CDNOW sample, customer by customer.
fn cdnow() -> Vec<Purchase> {
    let mut reader = csv::Reader::from_reader(include_str!("../../fixtures/cdnow/transactions.csv").as_bytes());
    let mut purchases: Vec<Purchase> = reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            let customer_id = Id(row[0].parse().unwrap());
            Purchase { customer_id, at: berlin().start_of(day(&row[1])), revenue: Cents::parse(&row[3]).unwrap(), cost: None }
        })
        .collect();
    purchases.sort_by_key(|purchase| (purchase.customer_id, purchase.at));
    purchases
}

fn counted(frame: Frame, purchases: &[Purchase]) -> Counted {
    let mut counter = Counter::new(frame);
    for purchase in purchases {
        counter.push(*purchase);
    }
    counter.finish()
}

/// The end of the CDNOW data.
fn end() -> UnixMs {
    berlin().start_of(day("1998-07-01")).plus(-1)
}

const QUARTERLY: Assumptions = Assumptions { spans_per_year: 4.0, years: 3.0, margin: Some(0.30), complete: true };

fn close(found: Option<f64>, expected: &Value, tolerance: f64, what: &str) {
    match (found, expected.as_f64()) {
        (None, None) => assert!(expected.is_null(), "{what}"),
        (Some(found), Some(expected)) => assert!((found - expected).abs() <= tolerance, "{what}: {found}, expected {expected}"),
        (found, _) => panic!("{what}: {found:?}, expected {expected}"),
    }
}

#[test]
fn every_quarter_of_cdnow_has_the_golden_figures() {
    let quarters = periods(By::Quarter, day("1997-01-01"), end(), berlin());
    assert!(quarters.iter().all(|quarter| quarter.complete));
    let spans: Vec<Span> = quarters.iter().map(|quarter| quarter.span).collect();
    let counted = counted(Frame { lists: vec![spans], until: end().plus(1), ..Frame::default() }, &cdnow());
    let golden = golden();
    let golden = golden["quarters"].as_array().unwrap();
    assert_eq!((quarters.len(), golden.len()), (6, 6));
    for ((quarter, counts), expected) in quarters.iter().zip(&counted.lists[0]).zip(golden) {
        let figures = serde_json::to_value(Figures::of(counts, &QUARTERLY)).unwrap();
        assert_eq!(quarter.label, expected["quarter"]);
        for count in ["orders", "active", "new", "returning", "retained", "repeat_customers", "customers_ever"] {
            assert_eq!(figures[count], expected[count], "{count} of {}", quarter.label);
        }
        let rates = ["retention_rate", "churn_rate", "repeat_purchase_rate", "repeat_purchase_rate_cumulative", "purchase_frequency"];
        for rate in rates {
            close(figures[rate].as_f64(), &expected[rate], 1e-9, rate);
        }
        close(figures["crr"].as_f64(), &expected["crr_formula"], 1e-9, "crr");
        for amount in ["revenue", "aov", "arpu", "clv_simple", "clv_margin_churn"] {
            // The file has amounts with 12 digits, so more is asked for than its 0.005.
            close(figures[format!("{amount}_cents")].as_f64().map(|cents| cents / 100.0), &expected[amount], 1e-6, amount);
        }
    }
}

#[test]
fn the_whole_window_and_inactivity_have_the_golden_figures() {
    let borders = [30, 60, 90, 180, 365];
    let inactive_before = borders.map(|days| berlin().start_of(day("1998-06-30") - chrono::Days::new(days))).to_vec();
    let from = berlin().start_of(day("1997-01-01"));
    let counted = counted(Frame { from, until: end().plus(1), inactive_before, ..Frame::default() }, &cdnow());
    let expected = &golden()["whole_window"];
    let whole = Figures::of(&counted.whole, &QUARTERLY);
    assert_eq!(Value::from(whole.active), expected["customers"]);
    assert_eq!(Value::from(whole.orders), expected["orders"]);
    assert_eq!(Value::from(whole.active - whole.repeat_customers), expected["one_time_customers"]);
    close(whole.aov_cents.map(|cents| cents / 100.0), &expected["aov"], 1e-6, "aov");
    close(whole.arpu_cents.map(|cents| cents / 100.0), &expected["revenue_per_customer"], 1e-6, "revenue per customer");
    close(whole.purchase_frequency, &expected["orders_per_customer"], 1e-9, "orders per customer");
    close(whole.repeat_purchase_rate, &expected["repeat_purchase_rate"], 1e-9, "repeat purchase rate");
    for (days, inactive) in borders.iter().zip(&counted.inactive) {
        assert_eq!(Value::from(*inactive), expected["inactive_churn"][days.to_string()]["inactive"], "{days} days");
    }
    let table = pareto(counted.revenues);
    assert_eq!((table.customers, table.revenue_cents), (2_357, 24_409_194));
    let top: Vec<(i64, i64)> = table.top.iter().map(|top| (top.percent, top.customers)).collect();
    assert_eq!(top, [(1, 24), (5, 118), (10, 236), (20, 472), (50, 1_179), (100, 2_357)]);
    // The golden ABC classes have 776 customers in A whose share including themselves is at most 80 %: with the next one it is reached.
    assert_eq!(table.customers_for_80_percent, Some(777));
}

#[test]
fn every_cell_of_the_cohort_table_has_the_golden_figure() {
    let labelled = months(day("1997-01-01"), end(), berlin());
    let frame = Frame { months: labelled.iter().map(|(_, start)| *start).collect(), ..Frame::default() };
    let rows = cohorts(&labelled, &counted(frame, &cdnow()).cohorts);
    let golden = golden();
    let golden = golden["monthly_cohorts"].as_object().unwrap();
    assert_eq!((rows.len(), golden.len()), (3, 3));
    for row in &rows {
        let expected = &golden[&row.month];
        assert_eq!(Value::from(row.size), expected["size"]);
        assert_eq!(Value::from(row.active.clone()), expected["active"], "{}", row.month);
        for (found, expected) in row.retention.iter().zip(expected["retention"].as_array().unwrap()) {
            close(Some(*found), expected, 1e-9, &row.month);
        }
    }
    assert_eq!(rows.iter().flat_map(|row| &row.revenue_cents).sum::<i64>(), 24_409_194);
}

#[test]
fn nps_and_csat_have_the_golden_scores() {
    let golden: Value = serde_json::from_str(include_str!("../../fixtures/kpi/nps_csat.json")).unwrap();
    let given = |case: &Value, lowest: i64, places: usize| {
        let mut given = vec![0_i64; places];
        for answer in case["answers"].as_array().unwrap() {
            given[usize::try_from(answer.as_i64().unwrap() - lowest).unwrap()] += 1;
        }
        given
    };
    for case in golden["nps"].as_array().unwrap() {
        let nps = Nps::of(given(case, 0, 11).as_slice().try_into().unwrap());
        let counts = [nps.answers, nps.promoters, nps.passives, nps.detractors];
        assert_eq!(counts.map(Value::from).to_vec(), ["n", "promoters", "passives", "detractors"].map(|key| case[key].clone()));
        close(nps.score, &case["nps"], 1e-9, "nps");
        assert_eq!(Value::from(nps.rounded), case["nps_rounded"]);
        close(nps.standard_error, &case["se_points"], 1e-9, "standard error");
        close(nps.mean, &case["mean"], 1e-9, "mean");
    }
    for case in golden["csat"].as_array().unwrap() {
        let csat = Csat::of(given(case, 1, 5).as_slice().try_into().unwrap());
        assert_eq!([csat.answers, csat.satisfied].map(Value::from).to_vec(), ["n", "satisfied_4_5"].map(|key| case[key].clone()));
        close(csat.score, &case["csat_percent"], 1e-9, "csat");
        close(csat.mean, &case["mean"], 1e-9, "mean");
    }
    let (nps, csat) = (Nps::of(&[0; 11]), Csat::of(&[0; 5]));
    assert_eq!((nps.score, nps.rounded, nps.standard_error, csat.score, csat.mean), (None, None, None, None, None));
    let half = Nps::of(&[7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!((half.score, half.rounded), (Some(-75.0), Some(-75)));
    assert_eq!(Nps::of(&[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 1]).rounded, Some(13), "12.5 is rounded up");
    assert_eq!(Nps::of(&[1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0]).rounded, Some(-12), "and so is -12.5");
}

#[test]
fn a_running_period_is_counted_but_not_compared() {
    let counts = Counts { orders: 4, revenue_cents: 1_000, active: 2, repeat: 1, before: 5, retained: 1, ever: 9, ..Counts::default() };
    let running = Figures::of(&counts, &Assumptions { complete: false, ..QUARTERLY });
    assert_eq!((running.retained, running.aov_cents, running.repeat_purchase_rate), (Some(1), Some(250.0), Some(0.5)));
    assert_eq!((running.retention_rate, running.churn_rate, running.crr), (None, None, None));
    assert_eq!((running.clv_simple_cents, running.clv_margin_churn_cents), (None, None));
    let nobody = Figures::of(&Counts::default(), &QUARTERLY);
    let unknown = [nobody.retention_rate, nobody.repeat_purchase_rate, nobody.aov_cents, nobody.arpu_cents, nobody.clv_simple_cents];
    assert_eq!((unknown, nobody.retained), ([None; 5], None));
    let nobody_left = Figures::of(&Counts { retained: 5, ..counts }, &QUARTERLY);
    assert_eq!((nobody_left.churn_rate, nobody_left.clv_margin_churn_cents), (Some(0.0), None), "a churn of 0 would mean for ever");
    assert_eq!(Figures::of(&counts, &Assumptions { margin: None, ..QUARTERLY }).clv_margin_churn_cents, None);
}

#[test]
fn the_margin_is_known_when_the_cost_of_half_the_revenue_is() {
    let margin = |revenue_cents, costed_cents, margin_cents| gross_margin(&Counts { revenue_cents, costed_cents, margin_cents, ..Counts::default() });
    assert_eq!(margin(1_000, 500, 100), Some(0.2));
    assert_eq!((margin(1_000, 499, 100), margin(1_000, 0, 0), margin(0, 0, 0)), (None, None, None));
}

#[test]
fn periods_are_the_shops_calendar_and_the_last_one_may_be_running() {
    let as_of = berlin().parse_time("2026-05-10T12:00").unwrap();
    let labels = |by| periods(by, day("2025-11-20"), as_of, berlin()).iter().map(|period| period.label.clone()).collect::<Vec<_>>();
    assert_eq!(labels(By::Month), ["2025-11", "2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05"]);
    assert_eq!(labels(By::Quarter), ["2025Q4", "2026Q1", "2026Q2"]);
    assert_eq!(labels(By::Year), ["2025", "2026"]);
    let quarters = periods(By::Quarter, day("2025-11-20"), as_of, berlin());
    assert_eq!(quarters.iter().map(|quarter| quarter.complete).collect::<Vec<_>>(), [true, true, false]);
    let first = &quarters[1];
    assert_eq!(
        [first.span.before, first.span.from, first.span.until].map(|at| at.to_string()),
        ["2025-09-30T22:00:00Z", "2025-12-31T23:00:00Z", "2026-03-31T22:00:00Z"]
    );
    assert_eq!((first.from, first.to), (day("2026-01-01"), day("2026-03-31")));
    assert!(periods(By::Year, day("2027-01-01"), as_of, berlin()).is_empty());
    let window = days_back(day("2026-04-02"), 7, berlin());
    assert_eq!([window.before, window.from, window.until].map(|at| berlin().date(at).to_string()), ["2026-03-20", "2026-03-27", "2026-04-03"]);
}

#[test]
fn a_goal_is_judged_by_the_line_through_its_values() {
    let rising = |days: i32, step: usize, slope: f64| {
        (0..=days).step_by(step).map(|day| (i64::from(day), Some(slope.mul_add(f64::from(day), 10.0)))).collect::<Vec<_>>()
    };
    let on_track = outlook(&rising(35, 7, 0.1), Some(20.0), true, 100);
    assert_eq!(on_track.progress, Progress::OnTrack);
    assert!((on_track.slope_per_day.unwrap() - 0.1).abs() < 1e-12 && (on_track.expected.unwrap() - 20.0).abs() < 1e-9);
    assert_eq!(outlook(&rising(35, 7, 0.09), Some(20.0), true, 100).progress, Progress::Behind);
    assert_eq!(outlook(&rising(35, 7, -0.1), Some(5.0), false, 60).progress, Progress::OnTrack);
    assert_eq!(outlook(&rising(35, 7, 0.1), Some(13.0), true, 100).progress, Progress::Reached);
    assert_eq!(outlook(&rising(35, 7, 0.1), Some(14.0), true, 35).progress, Progress::Missed);
    assert_eq!(outlook(&rising(27, 9, 0.1), Some(20.0), true, 100).progress, Progress::TooEarly);
    assert_eq!(outlook(&[(0, Some(1.0)), (30, Some(2.0))], Some(3.0), true, 100).progress, Progress::TooEarly);
    assert_eq!(outlook(&rising(35, 7, 0.1), None, true, 100).progress, Progress::Unknown);
    assert_eq!(outlook(&[(0, Some(1.0)), (30, None)], Some(3.0), true, 100).progress, Progress::Unknown);
    assert_eq!(outlook(&[], Some(3.0), true, 100).progress, Progress::Unknown);
}

#[test]
fn the_pareto_of_nothing_and_of_refunds_says_unknown() {
    let nothing = pareto(Vec::new());
    assert_eq!((nothing.customers, nothing.customers_for_80_percent, nothing.curve.len(), nothing.top[3].share), (0, None, 0, None));
    let refunds = pareto(vec![100, -300]);
    assert_eq!((refunds.revenue_cents, refunds.customers_for_80_percent, refunds.top[5].share), (-200, None, None));
    let one = pareto(vec![5]);
    assert_eq!((one.top[0].customers, one.top[0].share, one.customers_for_80_percent), (1, Some(1.0), Some(1)));
}

/// Purchases of a few customers on a few days.
fn some_purchases() -> impl Strategy<Value = Vec<Purchase>> {
    prop::collection::vec((1_i64..6, 0_i64..40, -500_i64..5_000, prop::option::of(0_i64..3_000)), 0..60).prop_map(|rows| {
        let purchase = |(id, day, revenue, cost): (i64, i64, i64, Option<i64>)| Purchase {
            customer_id: Id(id),
            at: UnixMs(day * DAY_MS),
            revenue: Cents(revenue),
            cost: cost.map(Cents),
        };
        let mut purchases: Vec<Purchase> = rows.into_iter().map(purchase).collect();
        purchases.sort_by_key(|purchase| (purchase.customer_id, purchase.at));
        purchases
    })
}

proptest! {
    #[test]
    fn one_pass_counts_what_looking_at_each_span_counts(purchases in some_purchases(), length in 1_i64..12, step in 1_i64..12) {
        let spans: Vec<Span> = (0..12)
            .map(|place| [place * step - length, place * step, place * step + length].map(|day| UnixMs(day * DAY_MS)))
            .map(|[before, from, until]| Span { before, from, until })
            .collect();
        let found = counted(Frame { lists: vec![spans.clone()], ..Frame::default() }, &purchases);
        for (span, counts) in spans.iter().zip(&found.lists[0]) {
            let mut expected = Counts::default();
            for id in 1..6 {
                let between = |from: UnixMs, until: UnixMs| {
                    purchases.iter().filter(|purchase| purchase.customer_id == Id(id) && purchase.at >= from && purchase.at < until).collect::<Vec<_>>()
                };
                let (ever, before, inside) = (between(UnixMs(0), span.until), between(span.before, span.from), between(span.from, span.until));
                expected.orders += i64::try_from(inside.len()).unwrap();
                expected.revenue_cents += inside.iter().map(|purchase| purchase.revenue.0).sum::<i64>();
                for purchase in inside.iter().filter(|purchase| purchase.cost.is_some()) {
                    expected.costed_cents += purchase.revenue.0;
                    expected.margin_cents += purchase.revenue.0 - purchase.cost.unwrap().0;
                }
                expected.active += i64::from(!inside.is_empty());
                expected.new += i64::from(!inside.is_empty() && between(UnixMs(0), span.from).is_empty());
                expected.repeat += i64::from(inside.len() > 1);
                expected.before += i64::from(!before.is_empty());
                expected.retained += i64::from(!before.is_empty() && !inside.is_empty());
                expected.ever += i64::from(!ever.is_empty());
                expected.repeat_ever += i64::from(ever.len() > 1);
            }
            prop_assert_eq!(*counts, expected, "{:?}", span);
        }
    }
}
