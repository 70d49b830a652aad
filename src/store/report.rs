//! Counts for the report, by rule and arm.

use std::collections::BTreeMap;

use super::db::{StoreError, Tx};
use crate::base::time::UnixMs;
use crate::model::report::{Again, ArmCounts, ArmMoney, Assigned, RuleCounts};

// Statements about the rules in $1, a JSON array.
macro_rules! decisions {
    ($among:literal) => {
        concat!(
            "SELECT rule, CASE WHEN holdout = 1 THEN 'holdout' ELSE slot END, COALESCE(variant, ''), rule_hash, COUNT(*), COUNT(goal_until), SUM(CASE WHEN goal_until > $2 THEN 1 ELSE 0 END), MIN(effective_at)
             FROM decisions WHERE COALESCE(switched, 0) <= $3 AND rule ", $among, " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
        )
    };
}

macro_rules! assigned {
    ($among:literal) => {
        concat!(
            "SELECT d.rule, d.rule_hash, COALESCE(d.variant, ''), COUNT(*) FROM decisions d
             JOIN (SELECT MIN(id) AS id FROM decisions WHERE slot = 'arm' AND COALESCE(holdout, 0) = 0 AND COALESCE(switched, 0) <= $2 AND rule ",
            $among,
            "
                   GROUP BY rule, customer_id) earliest ON earliest.id = d.id
             GROUP BY d.rule, d.rule_hash, COALESCE(d.variant, '') ORDER BY 1, 2, 3"
        )
    };
}

macro_rules! again {
    ($among:literal) => {
        concat!(
            "WITH bought AS (SELECT x.decision_id AS id, CAST(SUM(o.revenue_cents) AS DOUBLE PRECISION) AS total
                   FROM outcomes x JOIN orders o ON o.id = x.ref WHERE x.kind = 'converted' AND o.status = 'paid' GROUP BY x.decision_id),
             people AS (SELECT d.rule AS rule, COALESCE(d.variant, '') AS variant, CAST(COUNT(*) AS DOUBLE PRECISION) AS k,
                   CAST(COUNT(b.id) AS DOUBLE PRECISION) AS y, COALESCE(SUM(b.total), 0.0) AS r
                   FROM decisions d LEFT JOIN bought b ON b.id = d.id WHERE d.slot = 'arm' AND COALESCE(d.holdout, 0) = 0 AND COALESCE(d.switched, 0) <= $2 AND d.rule ", $among, "
                   GROUP BY d.rule, COALESCE(d.variant, ''), d.customer_id)
             SELECT rule, variant, COUNT(*), SUM(k * k), SUM(y * y), SUM(k * y), SUM(r * r), SUM(k * r)
             FROM people GROUP BY rule, variant HAVING MAX(k) > 1"
        )
    };
}

statements! {
    RULES = "SELECT DISTINCT rule FROM decisions ORDER BY rule";
    /// Rules that have decided about somebody more than once: the unique key's index tells, without the rows.
    COME_AGAIN = "SELECT DISTINCT rule FROM (SELECT rule FROM decisions WHERE slot = 'arm' GROUP BY customer_id, rule HAVING COUNT(*) > 1) repeated ORDER BY rule";
    /// By version, too: where nobody comes again that says how many each version has assigned.
    DECISIONS = { sqlite: decisions!("IN (SELECT value FROM json_each($1))"), postgres: decisions!("= ANY (ARRAY(SELECT json_array_elements_text($1::json)))") };
    /// Each customer once, in the version that assigned them first: an arm's later decisions depend on what its messages did.
    ASSIGNED = { sqlite: assigned!("IN (SELECT value FROM json_each($1))"), postgres: assigned!("= ANY (ARRAY(SELECT json_array_elements_text($1::json)))") };
    /// Arms in which somebody was decided about more than once.
    AGAIN = { sqlite: again!("IN (SELECT value FROM json_each($1))"), postgres: again!("= ANY (ARRAY(SELECT json_array_elements_text($1::json)))") };
    MESSAGES = "SELECT m.rule, m.variant, d.state, COUNT(*) FROM messages m JOIN deliveries d ON d.message_id = m.id GROUP BY m.rule, m.variant, d.state";
    /// Somebody may complain of a message twice.
    LEFT = "SELECT d.rule, COALESCE(d.variant, ''), COUNT(DISTINCT CASE WHEN x.kind = 'unsubscribed' THEN d.id END), COUNT(DISTINCT CASE WHEN x.kind = 'complained' THEN d.id END)
            FROM outcomes x JOIN decisions d ON d.id = x.decision_id
            WHERE x.kind IN ('unsubscribed', 'complained') AND COALESCE(d.switched, 0) <= $1 GROUP BY d.rule, COALESCE(d.variant, '')";
    /// The cap is the 95th percentile of the decisions that converted, over all arms of the rule, so that it knows nothing of the arms.
    CONVERSIONS = "WITH people AS (SELECT d.rule AS rule, COALESCE(d.variant, '') AS variant, CAST(SUM(o.revenue_cents) AS BIGINT) AS total
                         FROM outcomes x JOIN decisions d ON d.id = x.decision_id JOIN orders o ON o.id = x.ref
                         WHERE x.kind = 'converted' AND o.status = 'paid' AND COALESCE(d.switched, 0) <= $1 GROUP BY d.id, d.rule, d.variant),
                   placed AS (SELECT rule, total, ROW_NUMBER() OVER (PARTITION BY rule ORDER BY total) AS place, COUNT(*) OVER (PARTITION BY rule) AS bought
                         FROM people),
                   caps AS (SELECT rule, MAX(total) AS cap FROM placed WHERE place <= (bought * 95 + 99) / 100 GROUP BY rule),
                   capped AS (SELECT p.rule AS rule, p.variant AS variant, p.total AS total, c.cap AS cap, CASE WHEN p.total < c.cap THEN p.total ELSE c.cap END AS held
                         FROM people p JOIN caps c ON c.rule = p.rule)
                   SELECT rule, variant, COUNT(*), CAST(SUM(total) AS BIGINT), SUM(CAST(total AS DOUBLE PRECISION) * CAST(total AS DOUBLE PRECISION)),
                          CAST(SUM(held) AS BIGINT), SUM(CAST(held AS DOUBLE PRECISION) * CAST(held AS DOUBLE PRECISION)), CAST(MAX(cap) AS BIGINT)
                   FROM capped GROUP BY rule, variant";
    /// $1: the margin's share of the price where an order's cost is not known.
    /// "CROSS": SQLite keeps this order, the few ids before the many decisions.
    MONEY = "WITH redeemed AS (SELECT order_id, decision_id, worth FROM redemptions),
                   bought AS (SELECT x.decision_id AS id,
                         SUM((o.revenue_cents + COALESCE(r.worth, 0.0)) * CASE WHEN o.cost_cents IS NULL THEN CAST($1 AS DOUBLE PRECISION) ELSE 1.0 END
                             - COALESCE(o.cost_cents, 0)) AS margin,
                         SUM(CASE WHEN o.cost_cents IS NULL THEN 1 ELSE 0 END) AS without_cost
                         FROM outcomes x JOIN orders o ON o.id = x.ref AND o.status = 'paid' LEFT JOIN redeemed r ON r.order_id = o.id
                         WHERE x.kind = 'converted' GROUP BY x.decision_id),
                   spent AS (SELECT r.decision_id AS id, SUM(r.worth) AS worth, COUNT(*) AS used, SUM(CASE WHEN x.ref IS NULL THEN 1 ELSE 0 END) AS outside
                         FROM redeemed r LEFT JOIN outcomes x ON x.decision_id = r.decision_id AND x.kind = 'converted' AND x.ref = r.order_id GROUP BY r.decision_id),
                   ids AS (SELECT id FROM bought UNION SELECT id FROM spent),
                   people AS (SELECT d.rule AS rule, COALESCE(d.variant, '') AS variant, COALESCE(b.margin, 0.0) AS margin, COALESCE(s.worth, 0.0) AS worth,
                         COALESCE(s.used, 0) AS used, COALESCE(s.outside, 0) AS outside, COALESCE(b.without_cost, 0) AS without_cost
                         FROM ids CROSS JOIN decisions d LEFT JOIN bought b ON b.id = ids.id LEFT JOIN spent s ON s.id = ids.id WHERE d.id = ids.id)
                   SELECT rule, variant, SUM(margin), SUM(margin * margin), SUM((margin - worth) * (margin - worth)), SUM(worth),
                          CAST(SUM(used) AS BIGINT), CAST(SUM(outside) AS BIGINT), CAST(SUM(without_cost) AS BIGINT)
                   FROM people GROUP BY rule, variant";
    STATES = "SELECT state, COUNT(*) FROM deliveries GROUP BY state";
}

/// Which decisions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All: what a rule has done and earned.
    All,
    /// Those before a variant had won: what compares variants. Messages and money are left out.
    BeforeSwitch,
}

/// Counts of every rule that has decisions, by name; of these only, if some are given. An order that was cancelled after it converted does not count any more. `margin` is the margin's
/// share of the price of orders whose cost is not known, 0 to 1.
pub async fn rules(tx: &mut Tx, now: UnixMs, margin: f64, which: Which, only: Option<&[String]>) -> Result<Vec<RuleCounts>, StoreError> {
    let most = i64::from(which == Which::All);
    let mut rules: BTreeMap<String, RuleCounts> = BTreeMap::new();
    let known: Vec<String> = on!(tx, RULES, |c, q| sqlx::query_scalar(q).fetch_all(c).await)?;
    let known: Vec<String> = known.into_iter().filter(|rule| only.is_none_or(|only| only.contains(rule))).collect();
    let come_again: Vec<String> = on!(tx, COME_AGAIN, |c, q| sqlx::query_scalar(q).fetch_all(c).await)?;
    let come_again: Vec<String> = come_again.into_iter().filter(|rule| known.contains(rule)).collect();
    let (all, repeated) = (serde_json::json!(known).to_string(), serde_json::json!(come_again).to_string());
    let rows: Vec<Decided> = on!(tx, DECISIONS, |c, q| sqlx::query_as(q).bind(&all).bind(now.0).bind(most).fetch_all(c).await)?;
    let mut assigned: BTreeMap<(String, String, String), i64> = BTreeMap::new();
    for (rule, slot, variant, hash, count, with_goal, open, first_at) in rows {
        let counts = rules.entry(rule.clone()).or_insert_with(|| RuleCounts { rule: rule.clone(), ..RuleCounts::default() });
        counts.proposed += count;
        counts.with_goal += with_goal;
        counts.open += open;
        match slot.as_str() {
            "arm" => {
                arm(counts, &variant).people += count;
                counts.first_at = Some(counts.first_at.map_or(UnixMs(first_at), |known| known.min(UnixMs(first_at))));
                if !come_again.contains(&rule) {
                    *assigned.entry((rule, hash, variant)).or_default() += count;
                }
            }
            "holdout" => counts.holdout += count,
            reason => match counts.refused.last_mut() {
                Some((known, refused)) if known == reason => *refused += count,
                _ => counts.refused.push((reason.to_owned(), count)),
            },
        }
    }
    if !come_again.is_empty() {
        let rows: Vec<(String, String, String, i64)> = on!(tx, ASSIGNED, |c, q| sqlx::query_as(q).bind(&repeated).bind(most).fetch_all(c).await)?;
        assigned.extend(rows.into_iter().map(|(rule, hash, variant, people)| ((rule, hash, variant), people)));
    }
    for ((rule, hash, variant), people) in assigned {
        let Some(counts) = rules.get_mut(&rule) else { continue };
        match counts.assigned.last_mut() {
            Some(version) if version.hash == hash => version.people.push((variant, people)),
            _ => counts.assigned.push(Assigned { hash, people: vec![(variant, people)] }),
        }
    }
    if which == Which::All {
        messages_and_money(tx, margin, &mut rules).await?;
    }
    let rows: Vec<(String, String, i64, i64)> = on!(tx, LEFT, |c, q| sqlx::query_as(q).bind(most).fetch_all(c).await)?;
    for (rule, variant, unsubscribed, complained) in rows {
        if let Some(counts) = rules.get_mut(&rule) {
            let arm = arm(counts, &variant);
            arm.unsubscribed += unsubscribed;
            arm.complained += complained;
        }
    }
    let rows: Vec<Converted> = on!(tx, CONVERSIONS, |c, q| sqlx::query_as(q).bind(most).fetch_all(c).await)?;
    for (rule, variant, people, revenue_cents, revenue_squares, capped_cents, capped_squares, cap_cents) in rows {
        let Some(counts) = rules.get_mut(&rule) else { continue };
        counts.cap_cents = cap_cents;
        let arm = arm(counts, &variant);
        arm.converted += people;
        arm.revenue_cents += revenue_cents;
        arm.revenue_squares += revenue_squares;
        arm.capped_cents += capped_cents;
        arm.capped_squares += capped_squares;
    }
    if !come_again.is_empty() {
        let rows: Vec<Repeated> = on!(tx, AGAIN, |c, q| sqlx::query_as(q).bind(&repeated).bind(most).fetch_all(c).await)?;
        for (rule, variant, customers, decisions_squares, converted_squares, decisions_converted, revenue_squares, decisions_revenue) in rows {
            if let Some(counts) = rules.get_mut(&rule) {
                arm(counts, &variant).again =
                    Some(Again { customers, decisions_squares, converted_squares, decisions_converted, revenue_squares, decisions_revenue });
            }
        }
    }
    Ok(rules.into_values().collect())
}

async fn messages_and_money(tx: &mut Tx, margin: f64, rules: &mut BTreeMap<String, RuleCounts>) -> Result<(), StoreError> {
    let rows: Vec<(String, String, String, i64)> = on!(tx, MESSAGES, |c, q| sqlx::query_as(q).fetch_all(c).await)?;
    for (rule, variant, state, count) in rows {
        let Some(counts) = rules.get_mut(&rule) else { continue };
        let arm = arm(counts, &variant);
        match state.as_str() {
            "sent" => arm.sent += count,
            "failed" | "cancelled" => arm.failed += count,
            "in_doubt" => arm.in_doubt += count,
            _ => arm.pending += count,
        }
    }
    let rows: Vec<Earned> = on!(tx, MONEY, |c, q| sqlx::query_as(q).bind(margin).fetch_all(c).await)?;
    for (rule, variant, margin_cents, margin_squares, net_squares, voucher_cents, vouchers, vouchers_outside, without_cost) in rows {
        if let Some(counts) = rules.get_mut(&rule) {
            arm(counts, &variant).money =
                ArmMoney { margin_cents, margin_squares, net_squares, voucher_cents, vouchers, vouchers_outside, without_cost };
        }
    }
    Ok(())
}

/// Rule, reason or `arm`, variant, version; decisions, those with a goal, those whose window is open, the first moment.
type Decided = (String, String, String, String, i64, i64, i64, i64);

/// Rule, variant, and the sums of [`Again`] in its order.
type Repeated = (String, String, i64, f64, f64, f64, f64, f64);

/// Rule, variant, people, revenue and its squares, the same capped, and the cap.
type Converted = (String, String, i64, i64, f64, i64, f64, i64);

/// Rule, variant, and the sums of [`ArmMoney`] in its order.
type Earned = (String, String, f64, f64, f64, f64, i64, i64, i64);

/// The arm with this variant's counts; the empty name is control.
fn arm<'a>(counts: &'a mut RuleCounts, variant: &str) -> &'a mut ArmCounts {
    if variant.is_empty() {
        return &mut counts.control;
    }
    let position = counts.variants.iter().position(|arm| arm.name == variant).unwrap_or_else(|| {
        counts.variants.push(ArmCounts { name: variant.to_owned(), ..ArmCounts::default() });
        counts.variants.len() - 1
    });
    &mut counts.variants[position]
}

/// How many messages stand in which state.
pub async fn message_states(tx: &mut Tx) -> Result<Vec<(String, i64)>, StoreError> {
    on!(tx, STATES, |c, q| sqlx::query_as(q).fetch_all(c).await)
}
