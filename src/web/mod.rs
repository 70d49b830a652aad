//! Floor 5: the web pages and the API.

mod api;
pub mod glance;
mod health;
pub mod pulse;
pub mod server;
mod status;
mod text;
mod unsubscribe;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::flow::Ctx;
use crate::flow::analyse::Report;
use crate::flow::campaign::InForce;
use crate::flow::reload::Wish;

/// What the pages need.
#[derive(Clone)]
pub struct Web {
    /// Database, clock, settings.
    pub ctx: Ctx,
    /// Rules and templates in force.
    pub in_force: Arc<InForce>,
    /// What the stages last reported.
    pub pulse: Arc<pulse::Pulse>,
    /// The figures of the status page.
    pub glance: Arc<glance::Glance<Figures>>,
    /// Where a wish for a reload goes.
    pub wishes: mpsc::Sender<Wish>,
    /// Whoever reads the files of rules for an answer holds the one permit.
    pub reading: Arc<Semaphore>,
    /// Renders the metrics page.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

/// What the status page shows and takes long to make.
#[derive(Debug)]
pub struct Figures {
    /// What `stammgast report` says.
    pub report: Report,
    /// How many messages are in each state.
    pub states: Vec<(String, i64)>,
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Web")
    }
}

/// All routes.
pub fn router(web: Web) -> Router {
    Router::new()
        .route("/", get(status::page))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/u/{token}", get(unsubscribe::ask).post(unsubscribe::done))
        .nest("/api/v1", api::router(&web))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "There is no page at this address.") })
        .layer(tower_http::limit::RequestBodyLimitLayer::new(1024 * 1024))
        .layer(tower_http::timeout::TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, std::time::Duration::from_secs(15)))
        .layer(map_response(as_problem))
        .with_state(web)
}

/// Gives an error that a layer or the router answered with a bare status the form that all errors have; its headers stay.
async fn as_problem(answer: Response) -> Response {
    let (status, is) =
        (answer.status(), |kind: &str| answer.headers().get(CONTENT_TYPE).is_some_and(|found| found.as_bytes().starts_with(kind.as_bytes())));
    if !(status.is_client_error() || status.is_server_error()) || is("application/problem+json") || is("text/html") {
        return answer;
    }
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => "This address takes other methods: those that the header Allow names.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body is longer than this address takes.",
        StatusCode::REQUEST_TIMEOUT => "This took too long; it may be done all the same.",
        _ => "This request cannot be answered.",
    };
    let mut mended = problem(status, detail);
    for (name, value) in answer.headers().iter().filter(|(name, _)| ![CONTENT_TYPE, CONTENT_LENGTH].contains(name)) {
        mended.headers_mut().insert(name, value.clone());
    }
    mended
}

/// An error as problem+json (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> Response {
    problem_with(status, detail, &json!({}))
}

/// With further members.
fn problem_with(status: StatusCode, detail: &str, more: &Value) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let mut body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

/// A page with headers that forbid everything it does not need: no scripts, no frames, no referrer.
fn page(status: StatusCode, language: &str, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"{language}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{}</title><style>{STYLE}</style></head>\n<body><main>\n{body}\n</main></body></html>\n",
        text::escape(title)
    );
    let headers = [
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, Html(html)).into_response()
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#222;background:#faf8f5;margin:0}main{max-width:60rem;margin:2rem auto;padding:0 1rem}\
    h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%;background:#fff}th,td{padding:.4rem .6rem;border-bottom:1px solid #e5e0d8;text-align:right}\
    th:first-child,td:first-child{text-align:left}button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.4rem;background:#7a2e3a;color:#fff;cursor:pointer}\
    .card{background:#fff;padding:1.5rem;border-radius:.6rem;max-width:34rem;margin:3rem auto}.quiet{color:#6b655c}.bad{color:#9b1c1c;font-weight:600}";
