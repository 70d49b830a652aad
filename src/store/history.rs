//! What happened to customers: their paid orders, the lines of these, the emails they got, events, the customers they brought, the classes they were in.

use std::collections::HashMap;
use std::sync::Arc;

use super::crossings;
use super::db::{StoreError, Tx, id_list};
use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::UnixMs;
use crate::model::event::Survey;
use crate::model::fact::Source;
use crate::model::facts::{Facts, History, Needs, PastEmail, PastEvent, PastLine, PastOrder};

statements! {
    ORDERS = ["SELECT customer_id, ordered_at, revenue_cents FROM orders WHERE status = 'paid' AND customer_id ", ids "$1", " ORDER BY ordered_at, id"];
    LINES = ["SELECT o.customer_id, o.ordered_at, l.sku, l.name, l.category, l.quantity FROM orders o JOIN order_lines l ON l.order_id = o.id
              WHERE o.status = 'paid' AND o.customer_id ", ids "$1", " ORDER BY o.ordered_at, o.id, l.line_no"];
    REFERRALS = ["SELECT c.id, r.created_at FROM customers c JOIN customers r ON r.referred_by = c.external_id WHERE c.id ", ids "$1", " ORDER BY r.created_at"];
    EMAILS = ["SELECT customer_id, at, rule FROM email_log WHERE state NOT IN ('failed', 'cancelled') AND customer_id ", ids "$1", " ORDER BY at, decision_id"];
    // Of other kinds the value says nothing to a rule, and may be long.
    EVENTS = ["SELECT customer_id, at, kind, CASE WHEN kind IN ('nps', 'csat') THEN value END FROM events WHERE customer_id ", ids "$1", " ORDER BY at, id"];
}

type EventRow = (i64, i64, String, Option<String>);
type LineRow = (i64, i64, Option<String>, Option<String>, Option<String>, i64);

/// Gives each of the customers the parts of their history that are asked for.
pub async fn fill(tx: &mut Tx, people: &mut [Facts], needs: Needs) -> Result<(), StoreError> {
    let sources = [Source::Orders, Source::Lines, Source::Emails, Source::Events, Source::Referrals, Source::Classes];
    let [orders, lines, emails, events, referrals, classes] = sources.map(|source| needs.from(source));
    if people.is_empty() || !needs.any(Needs::HISTORY) {
        return Ok(());
    }
    let list = id_list(people.iter().map(|facts| facts.customer.id));
    let mut found: HashMap<i64, History> = HashMap::new();
    if orders {
        let rows: Vec<(i64, i64, i64)> = on!(tx, ORDERS, |c, q| sqlx::query_as(q).bind(&list).fetch_all(c).await)?;
        for (id, at, revenue) in rows {
            found.entry(id).or_default().orders.push(PastOrder { at: UnixMs(at), revenue: Cents(revenue) });
        }
    }
    if lines {
        let rows: Vec<LineRow> = on!(tx, LINES, |c, q| sqlx::query_as(q).bind(&list).fetch_all(c).await)?;
        for (id, at, sku, name, category, quantity) in rows {
            found.entry(id).or_default().lines.push(PastLine { at: UnixMs(at), sku, name, category, quantity });
        }
    }
    if emails {
        let rows: Vec<(i64, i64, String)> = on!(tx, EMAILS, |c, q| sqlx::query_as(q).bind(&list).fetch_all(c).await)?;
        for (id, at, rule) in rows {
            found.entry(id).or_default().emails.push(PastEmail { at: UnixMs(at), rule });
        }
    }
    if events {
        let rows: Vec<EventRow> = on!(tx, EVENTS, |c, q| sqlx::query_as(q).bind(&list).fetch_all(c).await)?;
        for (id, at, kind, value) in rows {
            let answer = value.map(|value| {
                let answer = Survey::of_kind(&kind).and_then(|survey| survey.answer(&value).ok());
                answer.ok_or(StoreError::Corrupt { table: "events", column: "value", value })
            });
            found.entry(id).or_default().events.push(PastEvent { at: UnixMs(at), kind, answer: answer.transpose()? });
        }
    }
    if referrals {
        let rows: Vec<(i64, i64)> = on!(tx, REFERRALS, |c, q| sqlx::query_as(q).bind(&list).fetch_all(c).await)?;
        for (id, at) in rows {
            found.entry(id).or_default().referrals.push(UnixMs(at));
        }
    }
    if classes {
        for (id, past) in crossings::past(tx, &list).await? {
            found.entry(id).or_default().classes = past;
        }
    }
    for facts in people {
        let Id(id) = facts.customer.id;
        facts.history = found.remove(&id).map(Arc::new);
    }
    Ok(())
}
