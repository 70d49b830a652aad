//! The brake on a running daemon.

use stammgast::base::clock::Clock;
use stammgast::base::time::HOUR_MS;
use stammgast::config::Config;

use super::process::{Daemon, HELLO, Shop, relay, states, until};
use crate::common::smtp::SmtpSink;

#[tokio::test]
async fn a_daemon_heeds_the_pause_and_goes_on_after_it() {
    let sink = SmtpSink::start().await;
    let shop = Shop::on_sqlite(5, &relay(sink.address().port(), 2)).await;
    shop.fill_outbox().await;
    assert!(shop.run(&["rules", "pause", "hello", "--by", "anna", "--reason", "a typing error"]).await.status.success());
    let daemon = Daemon::start(&shop).await;
    until("both stages have looked", async || {
        let stages = daemon.get("/healthz").await.json()["stages"].clone();
        (stages["decide"]["well"] == true && stages["dispatch"]["well"] == true).then_some(())
    })
    .await;
    assert_eq!((shop.states().await, sink.messages().len()), (states([("queued", 5)]), 0));
    let page = daemon.get("/").await.body;
    assert!(page.contains("hello is paused (") && page.contains(", anna): a typing error") && !page.contains("Next run"), "{page}");
    let metrics = daemon.get("/metrics").await.body;
    let there = |line: &str| metrics.lines().any(|found| found == line);
    assert!(there("stammgast_rules_paused{by=\"person\"} 1") && there("stammgast_rules_paused{by=\"itself\"} 0"), "{metrics}");
    assert_eq!(daemon.get("/readyz").await.json()["warnings"], serde_json::json!([]), "a person knows");

    assert!(shop.run(&["rules", "resume", "hello"]).await.status.success());
    until("all are sent", async || (shop.states().await == states([("sent", 5)])).then_some(())).await;
    assert!(daemon.get("/").await.body.contains("Next run: hello"));
    daemon.stop().await;
}

#[tokio::test]
async fn a_rule_that_pauses_itself_is_told_everywhere() {
    let shop = Shop::on_sqlite(5, "[daemon]\npoll_s = 1\n").await;
    let failing = HELLO.replace("0 4 1 1 *", "@hourly").replace("email(\"thank-you\")", "email(\"thank-you\", #{ tag: c.tags[0] })");
    shop.rule("hello", &failing);
    let earlier = Config::from_toml("").unwrap().shop.zone().format(Clock::System.now().plus(-2 * HOUR_MS));
    assert!(shop.run(&["run", "--as-of", &earlier, "--no-dispatch"]).await.status.success());

    let daemon = Daemon::start(&shop).await;
    let warning = until("it warns", async || daemon.get("/readyz").await.json()["warnings"][0].as_str().map(ToOwned::to_owned)).await;
    assert!(warning.starts_with("decide: ") && warning.contains("paused after too many failures: hello"), "{warning}");
    assert_eq!(daemon.get("/readyz").await.status, 200, "the others run");
    assert!(daemon.get("/").await.body.contains("hello paused itself ("));
    assert!(daemon.get("/metrics").await.body.contains("stammgast_rules_paused{by=\"itself\"} 1"));
    assert!(daemon.log().contains("the rule failed for all 5 customers that it came to: it pauses itself"), "{}", daemon.log());
    let list = String::from_utf8(shop.run(&["rules"]).await.stdout).unwrap();
    assert!(list.contains("paused itself since") && list.contains("e.g.: rules/hello.rhai:1:"), "{list}");

    shop.rule("hello", &failing.replace(", #{ tag: c.tags[0] }", ""));
    until("the run goes on", async || (shop.states().await == states([("queued", 5)])).then_some(())).await;
    until("all is well", async || (daemon.get("/healthz").await.json()["stages"]["decide"]["well"] == true).then_some(())).await;
    daemon.stop().await;
}
