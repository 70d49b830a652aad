//! `/api/v1/rules`: what runs, a reload, and the brake.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::super::{Web, problem, problem_with};
use super::read;
use crate::flow::{FlowError, pause, survey};
use crate::model::text::one_line;

/// As `stammgast rules list --json`: what runs, against the files as they are now.
pub(super) async fn list(State(web): State<Web>) -> Response {
    let (in_force, config) = (Arc::clone(&web.in_force), Arc::clone(&web.ctx.config));
    // One at a time: a file system that does not answer takes one thread, however often it is asked, and keeps it when the call is given up.
    let Ok(permit) = Arc::clone(&web.reading).try_acquire_owned() else {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "The files are being read: try again.");
    };
    // Files are read away from the async workers.
    let reading = tokio::task::spawn_blocking(move || {
        let files = in_force.load_next(&config);
        drop(permit);
        files
    });
    let Ok(files) = reading.await else { return unexpected() };
    match survey::survey(&web.ctx, files.as_ref().ok()).await {
        Ok(standings) => {
            let faults: Vec<String> = files.err().iter().flatten().map(ToString::to_string).collect();
            Json(json!({ "rules": standings, "faults": faults })).into_response()
        }
        Err(error) => failed(&error),
    }
}

/// Has the daemon read its files now: 200 with what is in force, or 422 with all faults, and the running version stays.
pub(super) async fn reload(State(web): State<Web>) -> Response {
    let (wish, came) = oneshot::channel();
    match web.wishes.try_send(wish) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "Several reloads are waiting for the one under way: try again.");
        }
        Err(TrySendError::Closed(_)) => return ending(),
    }
    match came.await {
        Ok(Ok(swap)) => Json(swap).into_response(),
        Ok(Err(faults)) => {
            let count = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
            let detail = format!("{count}: nothing was reloaded, the running rules and templates stay in force.");
            problem_with(StatusCode::UNPROCESSABLE_ENTITY, &detail, &json!({ "faults": faults }))
        }
        Err(_) if web.wishes.is_closed() => ending(),
        Err(_) => unexpected(),
    }
}

/// What a pause may say; everything may be left out.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Pause {
    /// Why, for those who come after.
    reason: String,
    /// Who does it.
    by: Option<String>,
    /// Cancel the messages that wait.
    discard: bool,
}

/// What the end of a pause may say.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Resume {
    by: Option<String>,
    discard: bool,
}

/// As `stammgast rules pause RULE --json`.
pub(super) async fn pause(State(web): State<Web>, Path(rule): Path<String>, body: Result<Bytes, BytesRejection>) -> Response {
    let said: Pause = match read(body) {
        Ok(said) => said,
        Err((status, why)) => return problem(status, &why),
    };
    if let Err(unknown) = exists(&web, &rule).await {
        return unknown;
    }
    match pause::pause(&web.ctx, &rule, &name(said.by), &said.reason, said.discard).await {
        Ok(after) => Json(after.document(&rule, "paused")).into_response(),
        Err(error) => failed(&error),
    }
}

/// As `stammgast rules resume RULE --json`.
pub(super) async fn resume(State(web): State<Web>, Path(rule): Path<String>, body: Result<Bytes, BytesRejection>) -> Response {
    let said: Resume = match read(body) {
        Ok(said) => said,
        Err((status, why)) => return problem(status, &why),
    };
    if let Err(unknown) = exists(&web, &rule).await {
        return unknown;
    }
    match pause::resume(&web.ctx, &rule, &name(said.by), said.discard).await {
        Ok(after) => Json(after.document(&rule, "resumed")).into_response(),
        Err(error) => failed(&error),
    }
}

fn name(by: Option<String>) -> String {
    one_line(&by.unwrap_or_else(|| "the API".to_owned()))
}

/// A rule that neither ran nor is in force is nobody's to pause.
async fn exists(web: &Web, rule: &str) -> Result<(), Response> {
    match survey::exists(&web.ctx, rule, Some(&web.in_force.get().rules)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(unknown)) => Err(problem(StatusCode::NOT_FOUND, &one_line(&unknown))),
        Err(error) => Err(failed(&error)),
    }
}

fn failed(error: &FlowError) -> Response {
    tracing::error!(%error, "the API could not answer");
    problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
}

fn ending() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "The daemon is ending.")
}

fn unexpected() -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "Reading rules and templates ended unexpectedly: the log says why. The running ones stay in force.")
}
