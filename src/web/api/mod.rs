//! `/api/v1/…`: JSON for programs; whoever sends the shop's token is let in, errors are problem+json (RFC 9457).

mod rules;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use serde::de::DeserializeOwned;

use super::{Web, problem};

/// What a body of the API may be long, in bytes.
const MOST_BYTES: usize = 16 * 1024;

/// All addresses below `/api/v1`; none of them, known or not, answers without the token.
pub(super) fn router(web: &Web) -> Router<Web> {
    Router::new()
        .route("/rules", get(rules::list))
        .route("/rules/reload", post(rules::reload))
        .route("/rules/{rule}/pause", post(rules::pause))
        .route("/rules/{rule}/resume", post(rules::resume))
        .fallback(async || problem(StatusCode::NOT_FOUND, "There is nothing at this address of the API."))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .layer(from_fn_with_state(web.clone(), admit))
}

/// Lets in who sends `Authorization: Bearer TOKEN`.
async fn admit(State(web): State<Web>, request: Request, next: Next) -> Response {
    let token = &web.ctx.config.server.api_token;
    if token.is_empty() {
        // Not 404: whoever sets the shop up would look for the fault in an address or in a proxy.
        let how = "The API is switched off: set [server] api_token_file (or api_token) and restart, see docs/api.md.";
        return problem(StatusCode::FORBIDDEN, how);
    }
    let refuse = |challenge: &'static str, why: &str| {
        let mut answer = problem(StatusCode::UNAUTHORIZED, why);
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        answer
    };
    match bearer(request.headers()) {
        Some(given) if token.is(given) => next.run(request).await,
        Some(_) => refuse("Bearer realm=\"stammgast\", error=\"invalid_token\"", "This is not the token of [server] api_token."),
        None => refuse("Bearer realm=\"stammgast\"", "Expected the header 'Authorization: Bearer TOKEN' with the token of [server] api_token."),
    }
}

/// The token that a request brings; the scheme's name is written in any case (RFC 9110, section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Reads a body of JSON; nothing means what all its members mean when they are left out.
///
/// # Errors
/// What is wrong with it, for [`problem`].
fn read<T: DeserializeOwned + Default>(body: Result<Bytes, BytesRejection>) -> Result<T, (StatusCode, String)> {
    let refuse = |rejected: BytesRejection| match rejected.status() {
        StatusCode::PAYLOAD_TOO_LARGE => (StatusCode::PAYLOAD_TOO_LARGE, format!("The body is longer than {MOST_BYTES} bytes.")),
        status => (status, "The body did not come whole.".to_owned()),
    };
    let body = body.map_err(refuse)?;
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&body).map_err(|error| (StatusCode::BAD_REQUEST, format!("The body is no JSON that is expected here: {error}.")))
}
