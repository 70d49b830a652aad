//! What the daemon needs goes away and comes back.

use std::collections::BTreeSet;

use super::process::{Daemon, Shop, relay, states, until};
use crate::common::postgres::{Cluster, free_port};
use crate::common::smtp::{Manners, SmtpSink};

#[tokio::test]
async fn while_the_relay_is_down_it_is_not_ready_says_why_and_goes_on_by_itself() {
    let port = free_port();
    let shop = Shop::on_sqlite(12, &relay(port, 2)).await;
    shop.fill_outbox().await;
    let daemon = Daemon::start(&shop).await;
    let down = daemon.until_ready_is(503).await;
    let reason = down.json()["detail"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("dispatch: the mail relay cannot be used: connect: "), "{reason}");
    assert_eq!(daemon.get("/healthz").await.status, 200, "the process is well");
    assert!(daemon.get("/").await.body.contains("the mail relay cannot be used"));

    let sink = SmtpSink::on(port, Manners::default()).await;
    // Those that were not tried go now; one or two that were wait for their next try.
    until("the others are sent", async || (sink.messages().len() >= 10).then_some(())).await;
    daemon.until_ready_is(200).await;
    daemon.stop().await;
    let sent = i64::try_from(sink.messages().len()).unwrap();
    assert_eq!(shop.states().await, states([("queued", 12 - sent), ("sent", sent)]));
}

#[tokio::test]
async fn postgresql_crashes_under_load_and_comes_back_and_nothing_is_lost_or_doubled() {
    const PEOPLE: usize = 1_500;
    let cluster = Cluster::own();
    let sink = SmtpSink::start().await;
    let shop = Shop::on_postgres(&cluster.url("postgres"), 1_500, &format!("{}[guards]\nhold_percent = 0\n", relay(sink.address().port(), 5))).await;
    shop.fill_outbox().await;
    let daemon = Daemon::start(&shop).await;
    for after in [PEOPLE / 10, PEOPLE / 2] {
        until("some mails are out", async || (sink.messages().len() >= after).then_some(())).await;
        cluster.crash();
        let sent = sink.messages().len();
        assert!(sent < PEOPLE, "the crash came too late to mean anything");
        daemon.until_ready_is(503).await;
        assert_eq!(daemon.get("/healthz").await.status, 200, "the process stays up");
        cluster.start();
        daemon.until_ready_is(200).await;
    }
    until("all mails are out", async || (shop.states().await == states([("sent", 1_500)])).then_some(())).await;
    daemon.stop().await;
    let received = sink.messages();
    let receivers: BTreeSet<&str> = received.iter().map(|message| message.to.as_str()).collect();
    assert_eq!((received.len(), receivers.len()), (PEOPLE, PEOPLE), "each once");
}
