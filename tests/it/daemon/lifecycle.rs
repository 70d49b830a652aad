//! From the start to the end: what systemd and monitoring see.

use std::time::Instant;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::process::{Daemon, Shop};

#[tokio::test]
async fn systemd_hears_when_it_is_ready_alive_reloading_and_stopping() {
    let shop = Shop::on_sqlite(0, "").await;
    // Whoever asks for signs of life has to listen: the socket takes a few only.
    let mut daemon = Daemon::start_with(&shop, &[("WATCHDOG_USEC", "400000")]).await;
    daemon.hear("WATCHDOG=1").await;
    daemon.signal("-HUP");
    let reloading = daemon.hear("RELOADING=1").await;
    let monotonic = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).and_then(|text| text.parse::<u64>().ok());
    assert!(monotonic.is_some_and(|us| us > 0), "{reloading}");
    let ready = daemon.hear("READY=1").await;
    assert!(ready.contains("STATUS=reloaded"), "{ready}");
    shop.rule("broken", "rule(\"broken\")");
    daemon.signal("-HUP");
    let stays = daemon.hear("STATUS=nothing was reloaded").await;
    assert!(stays.contains("READY=1") && stays.contains("the running rules stay in force"), "{stays}");
    // After the last reload only the stages count: it must not look like a stage that hangs.
    daemon.hear("WATCHDOG=1").await;
    daemon.signal("-TERM");
    let stopping = daemon.hear("STOPPING=1").await;
    assert!(stopping.contains("STATUS=finishing open mail transactions"), "{stopping}");
    assert_eq!(daemon.end().await, Some(0));
}

#[tokio::test]
async fn the_pages_for_people_and_for_monitoring_answer() {
    let shop = Shop::on_sqlite(3, "").await;
    shop.fill_outbox().await;
    // Without a sender nothing leaves: the messages fail, which the gauges show.
    let daemon = Daemon::start(&shop).await;
    let ready = daemon.until_ready_is(200).await;
    assert_eq!(ready.json()["status"], "ready");

    let health = daemon.get("/healthz").await;
    assert_eq!((health.status, &health.json()["status"]), (200, &"ok".into()));

    let metrics = daemon.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
    let total: f64 = ["queued", "claimed", "data", "sent", "failed", "in_doubt", "cancelled"].iter().map(|state| gauge(&metrics.body, state)).sum();
    assert!((total - 3.0).abs() < 1e-9, "{}", metrics.body);

    let status = daemon.get("/").await;
    assert!(status.status == 200 && status.body.contains("<h1>Testladen</h1>") && status.body.contains("Next run: hello"), "{status:?}");
    assert!(status.head.to_lowercase().contains("content-security-policy: default-src 'none'"), "{}", status.head);

    let unknown = daemon.get("/no/such/page").await;
    assert!(unknown.status == 404 && unknown.head.to_lowercase().contains("content-type: application/problem+json"), "{unknown:?}");
    assert_eq!(unknown.json()["status"], 404);
    let log = daemon.log();
    assert!(log.contains("ready") && !log.contains('\u{1b}'), "a journal has no colours: {log}");
    daemon.stop().await;
}

fn gauge(page: &str, state: &str) -> f64 {
    let name = format!("stammgast_messages{{state=\"{state}\"}} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_else(|| panic!("no {name} in\n{page}"));
    value.parse().unwrap()
}

#[tokio::test]
async fn silent_clients_and_half_headers_do_not_hold_up_the_end() {
    let shop = Shop::on_sqlite(0, "").await;
    let daemon = Daemon::start(&shop).await;
    let mut clients = Vec::new();
    for number in 0..20 {
        let mut client = TcpStream::connect(&daemon.address).await.unwrap();
        if number % 2 == 0 {
            client.write_all(b"GET / HTTP/1.1\r\nHost: sho").await.unwrap();
        }
        clients.push(client);
    }
    assert_eq!(daemon.get("/healthz").await.status, 200);
    let begun = Instant::now();
    daemon.stop().await;
    // A client has ten seconds for its headers; the end must not wait for that.
    assert!(begun.elapsed().as_secs() < 8, "{:?}", begun.elapsed());
}
