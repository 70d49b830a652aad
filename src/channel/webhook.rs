//! Posts webhooks as the Standard Webhooks specification says: signed, same id and body on each try, no redirects.

use std::collections::HashMap;
use std::error::Error as _;
use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use super::guard::{Blocked, Guard};
use super::one_line;
use super::sign::SigningKey;
use super::tls::client_config;
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::config::webhooks::{Target, Webhook};
use crate::model::attempt::{Delivery, Fault};

/// Bytes of an answer that are read; the rest is dropped with the connection.
const ANSWER_BYTES: usize = 64 * 1024;
/// Bytes of an answer that are kept for people to read.
const WORDS_BYTES: usize = 1024;

/// The way to all targets.
#[derive(Debug)]
pub struct WebhookClient {
    targets: HashMap<String, Receiver>,
}

/// One target, ready for use; its client connects only to where its guard permits.
#[derive(Debug)]
struct Receiver {
    url: Url,
    key: SigningKey,
    client: Client,
}

impl WebhookClient {
    /// Prepares the way to each target; connects to none yet.
    ///
    /// # Errors
    /// A sentence that names the target, when its URL, secret or networks cannot be used.
    pub fn new(webhook: &Webhook, targets: &[Target]) -> Result<Self, String> {
        Self::with_timeouts(Duration::from_secs(webhook.connect_timeout_s), Duration::from_secs(webhook.timeout_s), targets)
    }

    /// As [`Self::new`], with other timeouts than the configuration's whole seconds: for TCP and TLS, and for the whole request.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_timeouts(connect: Duration, total: Duration, targets: &[Target]) -> Result<Self, String> {
        let receiver = |target: &Target| -> Result<Receiver, String> {
            let guard = Guard::new(&target.allow_private)?;
            let url = guard.check_url(&target.url, target.allow_http)?;
            let key = SigningKey::parse(&target.secret)?;
            let client = Client::builder()
                .tls_backend_preconfigured(client_config(Vec::new()).map_err(|error| error.to_string())?)
                .dns_resolver(guard)
                // A proxy would resolve and connect past the guard; a redirect would lead past the check of the URL.
                .no_proxy()
                .redirect(Policy::none())
                .connect_timeout(connect)
                .timeout(total)
                .user_agent(concat!("stammgast/", env!("CARGO_PKG_VERSION")))
                .build();
            Ok(Receiver { url, key, client: client.map_err(|error| error.to_string())? })
        };
        let named = |target: &Target| match receiver(target) {
            Ok(receiver) => Ok((target.name.clone(), receiver)),
            Err(problem) => Err(format!("webhook '{}': {problem}", target.name)),
        };
        Ok(Self { targets: targets.iter().map(named).collect::<Result<_, _>>()? })
    }

    /// Whether there is such a target.
    #[must_use]
    pub fn contains(&self, target: &str) -> bool {
        self.targets.contains_key(target)
    }

    /// Posts `body` (JSON) to a target. `id` becomes the `webhook-id`, by which the receiver knows a repetition; `at` is now. Takes at most the
    /// configured time. Never in doubt: a repetition does no harm, so what is unclear is tried again.
    pub async fn post(&self, target: &str, id: Id, at: UnixMs, body: &str) -> Delivery {
        let Some(receiver) = self.targets.get(target) else {
            return Delivery::Refused { fault: Fault::Missing, detail: one_line(&format!("there is no [[webhooks]] target '{target}'")) };
        };
        let (webhook_id, timestamp_s) = (format!("msg_{id}"), at.0.div_euclid(1000));
        let request = receiver
            .client
            .post(receiver.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-signature", receiver.key.sign(&webhook_id, timestamp_s, body))
            .header("webhook-id", webhook_id)
            .header("webhook-timestamp", timestamp_s)
            .body(body.to_owned());
        match request.send().await {
            Ok(mut response) => {
                let (status, asked) = (response.status(), retry_after_ms(&response, at));
                verdict(status, asked, &words(&mut response).await)
            }
            Err(error) => Delivery::Retry { fault: fault_of(&error), detail: explain(&error), after_ms: None },
        }
    }
}

/// What an answer means. 3xx is a failure (the receiver moved: its address has to be mended here), 410 means "never again".
fn verdict(status: StatusCode, after_ms: Option<i64>, words: &str) -> Delivery {
    let detail = one_line(&format!("HTTP {} {words}", status.as_u16()));
    match status.as_u16() {
        200..=299 => Delivery::Accepted { reply: detail },
        410 => Delivery::Refused { fault: Fault::Gone, detail },
        429 | 502 | 503 | 504 => Delivery::Retry { fault: Fault::Busy, detail, after_ms },
        _ => Delivery::Retry { fault: Fault::HttpStatus, detail, after_ms },
    }
}

/// `Retry-After` in milliseconds from `at`: seconds, or an HTTP date; `None` when there is none, or it lies in the past.
fn retry_after_ms(response: &Response, at: UnixMs) -> Option<i64> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    let ms = match text.parse::<i64>() {
        Ok(seconds) => seconds.saturating_mul(1000),
        Err(_) => DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis().saturating_sub(at.0),
    };
    (ms > 0).then_some(ms)
}

/// The beginning of the answer. Reads on up to [`ANSWER_BYTES`], so that the connection can be used again; the status decides, whatever happens here.
async fn words(response: &mut Response) -> String {
    let (mut kept, mut read) = (Vec::new(), 0);
    while let Ok(Some(part)) = response.chunk().await {
        kept.extend(part.iter().take(WORDS_BYTES.saturating_sub(kept.len())));
        read += part.len();
        if read > ANSWER_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The causes below an error of reqwest's, outermost first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&(dyn std::error::Error + 'static)| (*cause).source())
}

fn fault_of(error: &reqwest::Error) -> Fault {
    if causes(error).any(|cause| cause.downcast_ref::<Blocked>().is_some()) {
        Fault::BlockedTarget
    } else if error.is_timeout() {
        Fault::Timeout
    } else if causes(error).any(caused_by_tls) {
        Fault::Tls
    } else if error.is_connect() {
        Fault::Connect
    } else if causes(error).any(|cause| cause.is::<std::io::Error>() || cause.to_string().contains("closed before message completed")) {
        Fault::Closed
    } else {
        Fault::Protocol
    }
}

/// Whether an error is rustls', or wraps one: an `io::Error` hides what it carries from `source()`.
fn caused_by_tls(cause: &(dyn std::error::Error + 'static)) -> bool {
    let carried = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    cause.is::<rustls::Error>() || carried.is_some_and(|carried| caused_by_tls(carried))
}

/// reqwest's sentence without the URL, which may hold a token, and what caused it.
fn explain(error: &reqwest::Error) -> String {
    let last = causes(error).last().map_or_else(|| "the request failed".to_owned(), ToString::to_string);
    one_line(&if error.is_timeout() { format!("no answer in time ({last})") } else { last })
}
