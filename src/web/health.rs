//! `/healthz`, `/readyz`, `/metrics`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::pulse::Health;
use super::{Web, problem};
use crate::model::message::MessageState;
use crate::model::pause::Pause;
use crate::store::{StoreError, pauses, report};

/// The process answers; what the stages last did and what a person should look at, as JSON.
pub(super) async fn alive(State(web): State<Web>) -> Json<Value> {
    let stages: Map<String, Value> = web
        .pulse
        .all()
        .into_iter()
        .map(|(stage, beat)| (stage.to_owned(), json!({ "at": beat.at, "well": beat.health == Health::Well, "said": beat.said })))
        .collect();
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "stages": stages, "warnings": web.pulse.warnings() }))
}

/// A probe does not wait as long as work does for a database that is away.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Counts of messages by state, and the rules that are paused; or the answer that the database is away.
async fn database(web: &Web) -> Result<(Vec<(String, i64)>, Vec<Pause>), Response> {
    let look = async {
        let mut tx = web.ctx.db.read().await?;
        Ok::<_, StoreError>((report::message_states(&mut tx).await?, pauses::open(&mut tx).await?))
    };
    match tokio::time::timeout(DATABASE_TIMEOUT, look).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())),
        Err(_) => Err(problem(StatusCode::SERVICE_UNAVAILABLE, &format!("the database has not answered for {} s", DATABASE_TIMEOUT.as_secs()))),
    }
}

/// 200 when the database answers and every stage's last step worked, else 503 with the reason. What only a person can mend (files with faults, a rule that
/// paused itself) is a warning: whoever asks takes a program that is not ready out of service, and the unsubscribe pages with it.
pub(super) async fn ready(State(web): State<Web>) -> Response {
    if let Err(away) = database(&web).await {
        return away;
    }
    let beats = web.pulse.all();
    let those = |health| beats.iter().filter(move |(_, beat)| beat.health == health).map(|(stage, beat)| format!("{stage}: {}", beat.said));
    if let Some(failing) = those(Health::Fails).next() {
        return problem(StatusCode::SERVICE_UNAVAILABLE, &failing);
    }
    Json(json!({ "status": "ready", "warnings": those(Health::Warns).collect::<Vec<_>>() })).into_response()
}

/// Prometheus text: counters of this process, and outbox and pauses as they stand in the database.
pub(super) async fn metrics(State(web): State<Web>) -> Response {
    let (states, paused) = match database(&web).await {
        Ok(found) => found,
        Err(away) => return away,
    };
    for state in MessageState::ALL {
        let count = states.iter().find(|(code, _)| code == state.code()).map_or(0, |(_, count)| *count);
        metrics::gauge!("stammgast_messages", "state" => state.code()).set(float(count));
    }
    let (warnings, campaign) = (web.pulse.warnings(), web.in_force.get());
    for rule in campaign.rules.rules().iter().map(|rule| &rule.spec.name) {
        let is = |kind| f64::from(u8::from(warnings.iter().any(|warning| warning.kind == kind && warning.rule == *rule)));
        metrics::gauge!("stammgast_rule_held", "rule" => rule.clone()).set(is("held"));
        metrics::gauge!("stammgast_rule_silent", "rule" => rule.clone()).set(is("silent"));
    }
    metrics::gauge!("stammgast_rules_loaded").set(float(web.in_force.get().rules.rules().len()));
    for (by, itself) in [("person", false), ("itself", true)] {
        let count = paused.iter().filter(|pause| pause.by_itself() == itself).count();
        metrics::gauge!("stammgast_rules_paused", "by" => by).set(float(count));
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (web.metrics)()).into_response()
}

/// A gauge is a float; of more than 32 bits it shows the most that these hold.
fn float(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::from(u32::MAX), f64::from)
}
