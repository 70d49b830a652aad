//! Floor 5: the web pages and the API.

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
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::flow::Ctx;
use crate::flow::analyse::Report;
use crate::flow::campaign::InForce;

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
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "There is no page at this address.") })
        .layer(tower_http::limit::RequestBodyLimitLayer::new(1024 * 1024))
        .layer(tower_http::timeout::TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, std::time::Duration::from_secs(15)))
        .with_state(web)
}

/// An error as problem+json (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = serde_json::json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail }).to_string();
    (status, [(axum::http::header::CONTENT_TYPE, "application/problem+json")], body).into_response()
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
