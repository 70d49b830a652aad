//! Serves the pages over HTTP/1 with limits that axum's own `serve` does not have: slow clients and silent connections are ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at the same time; more wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 512;
/// A client has this long to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// After the stop, open requests get this long …
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// … and connections on which no request is being answered: long enough for the last bytes of an answer.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(300);

/// Serves until `stop`; then open requests may end, for ten seconds at most.
pub async fn serve(listener: TcpListener, router: axum::Router, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = async {
                let permit = Arc::clone(&permits).acquire_owned().await;
                (listener.accept().await, permit)
            } => accepted,
        };
        let (Ok((stream, _)), Ok(permit)) = accepted else {
            // Out of file descriptors, most likely: give others a moment to end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let router = TowerToHyperService::new(router.clone());
        let answering = Arc::new(AtomicBool::new(false));
        let service = service_fn({
            let answering = Arc::clone(&answering);
            move |request| {
                let (answer, answering) = (router.call(request), Arc::clone(&answering));
                async move {
                    answering.store(true, Ordering::Relaxed);
                    let answered = answer.await;
                    answering.store(false, Ordering::Relaxed);
                    answered
                }
            }
        });
        let stop = stop.clone();
        tracker.spawn(async move {
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                _ = connection.as_mut() => {}
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    // Silent clients, and those that never get to the end of their headers, must not hold up the end.
                    let patience = if answering.load(Ordering::Relaxed) { STOP_TIMEOUT } else { FLUSH_TIMEOUT };
                    let _ = tokio::time::timeout(patience, connection).await;
                }
            }
            drop(permit);
        });
    }
    tracker.close();
    let _ = tokio::time::timeout(STOP_TIMEOUT, tracker.wait()).await;
}
