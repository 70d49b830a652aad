//! The limit for webhooks in `script/bench`: `bare_http receive PORT` takes POSTs and answers 204; `bare_http post PORT COUNT CONNECTIONS BYTES` sends them
//! with nothing but reqwest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |position: usize| arguments.get(position).and_then(|text| text.parse::<usize>().ok()).ok_or("expected a number");
    match arguments.first().map(String::as_str) {
        Some("receive") => receive(number(1)?).await,
        Some("post") => send(number(1)?, number(2)?, number(3)?, number(4)?).await,
        _ => Err("bare_http receive PORT | bare_http post PORT COUNT CONNECTIONS BYTES".into()),
    }
}

async fn receive(port: usize) -> Outcome {
    let service = Router::new().route("/hook", post(|_body: Bytes| async { StatusCode::NO_CONTENT }));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    Ok(axum::serve(listener, service).await?)
}

async fn send(port: usize, count: usize, connections: usize, bytes: usize) -> Outcome {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "rustls has a provider already")?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (url, body, taken) = (format!("http://127.0.0.1:{port}/hook"), "x".repeat(bytes), Arc::new(AtomicUsize::new(0)));
    let workers: Vec<_> = (0..connections)
        .map(|_| {
            let (client, url, body, taken) = (client.clone(), url.clone(), body.clone(), Arc::clone(&taken));
            tokio::spawn(async move {
                while taken.fetch_add(1, Ordering::Relaxed) < count {
                    let answer = client.post(&url).header("content-type", "application/json").body(body.clone()).send().await?;
                    answer.error_for_status()?.bytes().await?;
                }
                Ok::<(), reqwest::Error>(())
            })
        })
        .collect();
    for worker in workers {
        worker.await??;
    }
    Ok(())
}
