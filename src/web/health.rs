//! `/healthz`, `/readyz`, `/metrics`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::{Web, problem};
use crate::store::report;

/// The process answers; what the stages last did, as JSON.
pub(super) async fn alive(State(web): State<Web>) -> Json<Value> {
    let stages: Map<String, Value> =
        web.pulse.all().into_iter().map(|(stage, beat)| (stage.to_owned(), json!({ "at": beat.at, "well": beat.well, "said": beat.said }))).collect();
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION"), "stages": stages }))
}

/// A probe does not wait as long as work does for a database that is away.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Counts of messages by state, or the answer that the database is away.
async fn message_states(web: &Web) -> Result<Vec<(String, i64)>, Response> {
    let states = async { report::message_states(&mut web.ctx.db.read().await?).await };
    match tokio::time::timeout(DATABASE_TIMEOUT, states).await {
        Ok(Ok(states)) => Ok(states),
        Ok(Err(error)) => Err(problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())),
        Err(_) => Err(problem(StatusCode::SERVICE_UNAVAILABLE, &format!("the database has not answered for {} s", DATABASE_TIMEOUT.as_secs()))),
    }
}

/// 200 when the database answers and every stage's last step worked, else 503 with the reason.
pub(super) async fn ready(State(web): State<Web>) -> Response {
    if let Err(away) = message_states(&web).await {
        return away;
    }
    match web.pulse.all().into_iter().find(|(_, beat)| !beat.well) {
        Some((stage, beat)) => problem(StatusCode::SERVICE_UNAVAILABLE, &format!("{stage}: {}", beat.said)),
        None => Json(json!({ "status": "ready" })).into_response(),
    }
}

/// Prometheus text: counters of this process, and the outbox as it stands in the database.
pub(super) async fn metrics(State(web): State<Web>) -> Response {
    match message_states(&web).await {
        Ok(states) => {
            for state in crate::model::message::MessageState::ALL {
                let count = states.iter().find(|(code, _)| code == state.code()).map_or(0, |(_, count)| *count);
                #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; counts stay far below 2^52")]
                metrics::gauge!("stammgast_messages", "state" => state.code()).set(count as f64);
            }
            ([(axum::http::header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (web.metrics)()).into_response()
        }
        Err(away) => away,
    }
}
