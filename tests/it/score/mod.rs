//! Tests of score.

mod borders;
mod btyd;
mod columns;
mod golden;
mod interests;
mod kpi;
mod newcomers;
mod outlook;
mod settle;

use stammgast::base::id::Id;
use stammgast::base::money::Cents;
use stammgast::base::time::{DAY_MS, UnixMs, Zone};
use stammgast::model::outlook::Habit;
use stammgast::model::score::{AbcBy, AbcRule, BucketRule, OrderFacts, ScoreRules};

fn utc() -> Zone {
    Zone::parse("UTC").unwrap()
}

/// 1998-06-30T12:00:00Z; any day would do.
const AS_OF: UnixMs = UnixMs(899_208_000_000);

/// What the configuration says when nobody changes it.
fn default_rules() -> ScoreRules {
    ScoreRules {
        buckets: 5,
        bucket_rule: BucketRule::Minrank,
        weights: [1, 1, 1],
        abc_by: AbcBy::Revenue,
        abc_rule: AbcRule::Incl,
        abc_percent: [80, 95],
        newcomer_days: 0,
        clv_discount_percent: 1,
    }
}

/// A customer whose last order was so many days before [`AS_OF`].
fn customer(id: i64, recency_days: i64, orders: i64, revenue_cents: i64) -> OrderFacts {
    let last_order_at = AS_OF.plus(-recency_days * DAY_MS);
    OrderFacts {
        customer_id: Id(id),
        orders,
        revenue: Cents(revenue_cents),
        margin: Cents(0),
        first_order_at: last_order_at,
        last_order_at,
        habit: Habit { purchase_days: 1, ..Habit::default() },
    }
}
