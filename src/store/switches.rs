//! Switches to the variant that won, and the counts that decide about them.

use super::db::{StoreError, Tx};
use crate::base::time::UnixMs;
use crate::model::report::{Again, ArmCounts, Assigned, RuleCounts};
use crate::model::switch::{Switch, Test};

macro_rules! counts {
    ($among:literal) => {
        concat!(
            "WITH people AS (SELECT COALESCE(d.variant, '') AS variant, COUNT(*) AS k, MIN(d.effective_at) AS since,
                    SUM(CASE WHEN EXISTS (SELECT 1 FROM outcomes x JOIN orders o ON o.id = x.ref WHERE x.decision_id = d.id AND x.kind = 'converted' AND o.status = 'paid')
                        THEN 1 ELSE 0 END) AS y,
                    SUM(CASE WHEN EXISTS (SELECT 1 FROM outcomes x WHERE x.decision_id = d.id AND x.kind = 'unsubscribed') THEN 1 ELSE 0 END) AS u,
                    SUM(CASE WHEN EXISTS (SELECT 1 FROM outcomes x WHERE x.decision_id = d.id AND x.kind = 'complained') THEN 1 ELSE 0 END) AS s
                    FROM decisions d WHERE d.rule = $1 AND d.slot = 'arm' AND COALESCE(d.holdout, 0) = 0 AND d.switched IS NULL
                    AND d.rule_hash ", $among, " GROUP BY d.customer_id, COALESCE(d.variant, ''))
             SELECT variant, CAST(SUM(k) AS BIGINT), CAST(SUM(y) AS BIGINT), CAST(SUM(u) AS BIGINT), CAST(SUM(s) AS BIGINT), COUNT(*), CAST(SUM(k * k) AS DOUBLE PRECISION),
                    CAST(SUM(y * y) AS DOUBLE PRECISION), CAST(SUM(k * y) AS DOUBLE PRECISION), MIN(since), MAX(k) FROM people GROUP BY variant ORDER BY variant"
        )
    };
}

macro_rules! assigned {
    // "+customer_id": grouping by the bare column SQLite walks the unique key of all rules' decisions, because it comes in that order.
    ($among:literal) => {
        concat!(
            "SELECT d.rule_hash, COALESCE(d.variant, ''), COUNT(*) FROM decisions d
             JOIN (SELECT MIN(id) AS id FROM decisions WHERE rule = $1 AND slot = 'arm' AND COALESCE(holdout, 0) = 0 AND switched IS NULL
                   AND rule_hash ",
            $among,
            " GROUP BY +customer_id) earliest ON earliest.id = d.id
             GROUP BY d.rule_hash, COALESCE(d.variant, '') ORDER BY 1, 2"
        )
    };
}

statements! {
    OF = "SELECT winner, at, rule_hash FROM switches WHERE rule = $1 AND experiment = $2 AND variants = $3";
    RULES = "SELECT DISTINCT rule FROM switches ORDER BY rule";
    ADD = "INSERT INTO switches (rule, experiment, variants, winner, at, rule_hash) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (rule, experiment, variants) DO NOTHING";
    /// Of the versions in $2 (a JSON array). Sums over people, because one may come again.
    COUNTS = { sqlite: counts!("IN (SELECT value FROM json_each($2))"), postgres: counts!("= ANY (ARRAY(SELECT json_array_elements_text($2::json)))") };
    /// Each customer once, in the version that assigned them first.
    ASSIGNED = { sqlite: assigned!("IN (SELECT value FROM json_each($2))"), postgres: assigned!("= ANY (ARRAY(SELECT json_array_elements_text($2::json)))") };
}

/// The switch of a rule that compares this, if there was one.
pub async fn of(tx: &mut Tx, rule: &str, test: &Test) -> Result<Option<Switch>, StoreError> {
    let row: Option<(String, i64, String)> =
        on!(tx, OF, |c, q| sqlx::query_as(q).bind(rule).bind(&test.experiment).bind(&test.variants).fetch_optional(c).await)?;
    let switch = |(winner, at, hash)| Switch { rule: rule.to_owned(), test: test.clone(), winner, at: UnixMs(at), hash };
    Ok(row.map(switch))
}

/// The rules whose traffic ever went to a winner.
pub async fn rules(tx: &mut Tx) -> Result<Vec<String>, StoreError> {
    on!(tx, RULES, |c, q| sqlx::query_scalar(q).fetch_all(c).await)
}

/// Notes a switch; the first stays.
pub async fn add(tx: &mut Tx, switch: &Switch) -> Result<(), StoreError> {
    let Switch { rule, test, winner, at, hash } = switch;
    on!(tx, ADD, |c, q| sqlx::query(q)
        .bind(rule)
        .bind(&test.experiment)
        .bind(&test.variants)
        .bind(winner)
        .bind(at.0)
        .bind(hash)
        .execute(c)
        .await
        .map(drop))
}

/// Who was decided about under these versions of a rule, before any switch: people, buyers, those who unsubscribed and those who complained, by arm; no money.
pub async fn counts(tx: &mut Tx, rule: &str, hashes: &[String]) -> Result<RuleCounts, StoreError> {
    let list = serde_json::json!(hashes).to_string();
    let mut counts = RuleCounts { rule: rule.to_owned(), ..RuleCounts::default() };
    let rows: Vec<Row> = on!(tx, COUNTS, |c, q| sqlx::query_as(q).bind(rule).bind(&list).fetch_all(c).await)?;
    for (name, people, converted, unsubscribed, complained, customers, decisions_squares, converted_squares, decisions_converted, since, most) in rows
    {
        let again = Again { customers, decisions_squares, converted_squares, decisions_converted, ..Again::default() };
        let again = (most > 1).then_some(again);
        counts.first_at = Some(counts.first_at.map_or(UnixMs(since), |first| first.min(UnixMs(since))));
        let arm = ArmCounts { name, people, unsubscribed, complained, converted, again, ..ArmCounts::default() };
        if arm.name.is_empty() { counts.control = arm } else { counts.variants.push(arm) }
    }
    let rows: Vec<(String, String, i64)> = on!(tx, ASSIGNED, |c, q| sqlx::query_as(q).bind(rule).bind(&list).fetch_all(c).await)?;
    for (hash, variant, people) in rows {
        match counts.assigned.last_mut() {
            Some(version) if version.hash == hash => version.people.push((variant, people)),
            _ => counts.assigned.push(Assigned { hash, people: vec![(variant, people)] }),
        }
    }
    Ok(counts)
}

/// Variant, and what [`counts`] makes of it in its order; the first decision and the most about one person.
type Row = (String, i64, i64, i64, i64, i64, f64, f64, f64, i64, i64);
