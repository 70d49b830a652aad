//! Rules run when their time comes, also when it came while the daemon was down.

use stammgast::base::clock::Clock;
use stammgast::base::time::HOUR_MS;
use stammgast::config::Config;

use super::process::{Daemon, HELLO, Shop, relay, states, until};
use crate::common::shop::execute;
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

#[tokio::test]
async fn a_held_run_and_a_silent_rule_are_seen_by_people_and_by_monitoring() {
    let shop = Shop::on_sqlite(120, "[guards]\nhold_hours = 0\n").await;
    // Six days of last year on which the rule reached somebody, up to nine days ago.
    let daily = HELLO.replace("0 4 1 1 *", "0 4 * * *");
    shop.rule("quiet", &daily.replace("hello", "quiet").replace("c.orders >= 1", "c.orders > 99"));
    let now = Clock::System.now();
    for day in 9..15 {
        let at = now.plus(-day * 24 * HOUR_MS).0;
        let run = format!(
            "INSERT INTO ticks (rule, tick_at, rule_hash, started_at, finished_at, cursor_customer_id, messages, reached) VALUES ('quiet', {at}, '', {at}, {at}, 0, 3, 4)"
        );
        execute(&shop.db, run).await;
    }
    let held = shop.run(&["run", "hello", "--no-dispatch"]).await;
    assert_eq!(held.status.code(), Some(1), "{held:?}");
    for (locale, words) in [
        (
            "en",
            [
                "hello is held: 120 messages wait – up to 100 a day, of 120 customers, are let through. It waits for your answer",
                "9 days ago; usually it does every day",
            ],
        ),
        (
            "de",
            [
                "hello ist angehalten: 120 Nachrichten warten – ohne Frage gehen am Tag bis zu 100 bei 120 Kunden. Es wartet auf Ihre Antwort",
                "seit 9 Tagen; üblich sind 1 Tage",
            ],
        ),
    ] {
        let daemon = Daemon::start_with(&shop, &[("STAMMGAST__SHOP__LOCALE", locale)]).await;
        let warnings = until("both warnings are there", async || {
            let warnings = daemon.get("/healthz").await.json()["warnings"].clone();
            warnings.as_array().filter(|found| found.len() == 2).cloned()
        })
        .await;
        assert_eq!((&warnings[0]["kind"], &warnings[0]["rule"]), (&"held".into(), &"hello".into()));
        assert_eq!((&warnings[1]["kind"], &warnings[1]["rule"]), (&"silent".into(), &"quiet".into()));
        assert_eq!(daemon.until_ready_is(200).await.status, 200, "the daemon can work all the same");
        let metrics = daemon.get("/metrics").await.body;
        for gauge in ["held{rule=\"hello\"} 1", "held{rule=\"quiet\"} 0", "silent{rule=\"quiet\"} 1", "silent{rule=\"hello\"} 0"] {
            assert!(metrics.contains(&format!("stammgast_rule_{gauge}")), "{gauge}: {metrics}");
        }
        let page = daemon.get("/").await.body;
        assert!(words.iter().all(|words| page.contains(words)) && page.contains("<code>stammgast holds release hello</code>"), "{page}");
        assert_eq!(daemon.log().matches("silent: reached nobody since").count(), 1, "{}", daemon.log());
        daemon.stop().await;
    }
}
