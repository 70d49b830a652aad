//! Rules run when their time comes, also when it came while the daemon was down.

use stammgast::base::clock::Clock;
use stammgast::base::time::HOUR_MS;
use stammgast::config::Config;

use super::process::{Daemon, HELLO, Shop, relay, states, until};
use crate::common::smtp::SmtpSink;

#[tokio::test]
async fn a_run_that_was_missed_while_the_daemon_was_down_is_made_up_for_at_once() {
    let sink = SmtpSink::start().await;
    let shop = Shop::on_sqlite(5, &relay(sink.address().port(), 2)).await;
    shop.rule("hello", &HELLO.replace("0 4 1 1 *", "@hourly"));
    // A process that was there two hours ago saw the rule; then nobody was, while at least one full hour struck.
    let earlier = Config::from_toml("").unwrap().shop.zone().format(Clock::System.now().plus(-2 * HOUR_MS));
    let output = shop.run(&["run", "--as-of", &earlier, "--no-dispatch"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(sink.messages().len(), 0);

    let daemon = Daemon::start(&shop).await;
    until("everybody has a mail", async || (shop.states().await == states([("sent", 5)])).then_some(())).await;
    let mut receivers: Vec<String> = sink.messages().into_iter().map(|message| message.to).collect();
    receivers.sort();
    assert_eq!(receivers, (1..=5).map(|id| format!("k{id}@kunde.example")).collect::<Vec<_>>());
    let metrics = daemon.get("/metrics").await.body;
    assert!(
        metrics.contains("stammgast_runs_total{rule=\"hello\"} ") && metrics.contains("stammgast_proposals_total{rule=\"hello\"} 5"),
        "{metrics}"
    );
    daemon.stop().await;

    // The run was made; the next start does not make it again.
    let again = Daemon::start(&shop).await;
    again.until_ready_is(200).await;
    until("it has looked", async || Some(()).filter(|()| again.log().contains("ready"))).await;
    again.stop().await;
    assert_eq!(sink.messages().len(), 5);
}

#[tokio::test]
async fn a_new_rule_makes_up_for_nothing() {
    let sink = SmtpSink::start().await;
    let shop = Shop::on_sqlite(2, &relay(sink.address().port(), 2)).await;
    shop.rule("hello", &HELLO.replace("0 4 1 1 *", "0 4 * * *"));
    let daemon = Daemon::start(&shop).await;
    // Both stages have looked at least once.
    until("both stages have looked", async || {
        let stages = daemon.get("/healthz").await.json()["stages"].clone();
        (stages["decide"]["well"] == true && stages["dispatch"]["well"] == true).then_some(())
    })
    .await;
    daemon.stop().await;
    assert_eq!((sink.messages().len(), shop.states().await), (0, states([])));
}
