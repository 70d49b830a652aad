//! Counts for the report, by rule and arm.

use std::collections::BTreeMap;

use super::db::{StoreError, Tx};
use crate::base::time::UnixMs;
use crate::model::report::{ArmCounts, RuleCounts};

statements! {
    DECISIONS = "SELECT rule, slot, COALESCE(variant, ''), COUNT(*), COUNT(goal_until), SUM(CASE WHEN goal_until > $1 THEN 1 ELSE 0 END)
                 FROM decisions GROUP BY rule, slot, COALESCE(variant, '') ORDER BY 1, 2, 3";
    MESSAGES = "SELECT rule, variant, state, COUNT(*) FROM messages GROUP BY rule, variant, state";
    UNSUBSCRIBED = "SELECT d.rule, COALESCE(d.variant, ''), COUNT(*) FROM outcomes x JOIN decisions d ON d.id = x.decision_id
                    WHERE x.kind = 'unsubscribed' GROUP BY d.rule, COALESCE(d.variant, '')";
    CONVERSIONS = "SELECT rule, variant, COUNT(*), CAST(SUM(total) AS BIGINT), SUM(CAST(total AS DOUBLE PRECISION) * CAST(total AS DOUBLE PRECISION))
                   FROM (SELECT d.rule AS rule, COALESCE(d.variant, '') AS variant, CAST(SUM(o.revenue_cents) AS BIGINT) AS total
                         FROM outcomes x JOIN decisions d ON d.id = x.decision_id JOIN orders o ON o.id = x.ref
                         WHERE x.kind = 'converted' AND o.status = 'paid' GROUP BY d.id, d.rule, d.variant) AS people
                   GROUP BY rule, variant";
    STATES = "SELECT state, COUNT(*) FROM messages GROUP BY state";
}

/// Counts of every rule that has decisions, by name. An order that was cancelled after it converted does not count any more.
pub async fn rules(tx: &mut Tx, now: UnixMs) -> Result<Vec<RuleCounts>, StoreError> {
    let mut rules: BTreeMap<String, RuleCounts> = BTreeMap::new();
    let rows: Vec<(String, String, String, i64, i64, i64)> = on!(tx, DECISIONS, |c, q| sqlx::query_as(q).bind(now.0).fetch_all(c).await)?;
    for (rule, slot, variant, count, with_goal, open) in rows {
        let counts = rules.entry(rule.clone()).or_insert_with(|| RuleCounts { rule, ..RuleCounts::default() });
        counts.proposed += count;
        counts.with_goal += with_goal;
        counts.open += open;
        match (slot.as_str(), variant.as_str()) {
            ("arm", _) => arm(counts, &variant).people += count,
            (reason, _) => counts.refused.push((reason.to_owned(), count)),
        }
    }
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
    let rows: Vec<(String, String, i64)> = on!(tx, UNSUBSCRIBED, |c, q| sqlx::query_as(q).fetch_all(c).await)?;
    for (rule, variant, count) in rows {
        if let Some(counts) = rules.get_mut(&rule) {
            arm(counts, &variant).unsubscribed += count;
        }
    }
    let rows: Vec<(String, String, i64, i64, f64)> = on!(tx, CONVERSIONS, |c, q| sqlx::query_as(q).fetch_all(c).await)?;
    for (rule, variant, people, revenue_cents, revenue_squares) in rows {
        let Some(counts) = rules.get_mut(&rule) else { continue };
        let arm = arm(counts, &variant);
        arm.converted += people;
        arm.revenue_cents += revenue_cents;
        arm.revenue_squares += revenue_squares;
    }
    Ok(rules.into_values().collect())
}

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
