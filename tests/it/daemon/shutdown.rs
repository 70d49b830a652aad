//! SIGTERM in the middle of mail transactions.

use sqlx::Row as _;
use stammgast::store::Db;

use super::process::{Daemon, Shop, relay, states, until};
use crate::common::act::{Act, Gate};
use crate::common::smtp::{Manners, SmtpSink, Step};

/// Two connections wait at this step when SIGTERM comes; then the relay goes on.
async fn stop_while_waiting_at(step: Step, words: &'static [u8]) {
    let gate = Gate::closed();
    let sink = SmtpSink::with(Manners { fault: Some((step, Act::Wait(gate, words))), ..Manners::default() }).await;
    let shop = Shop::on_sqlite(7, &relay(sink.address().port(), 2)).await;
    shop.fill_outbox().await;
    let mut daemon = Daemon::start(&shop).await;
    until("both connections wait", async || (gate.arrived() == 2).then_some(())).await;
    daemon.signal("-TERM");
    daemon.hear("STOPPING=1").await;
    gate.open();
    assert_eq!(daemon.end().await, Some(0), "{}", daemon.log());
    assert_eq!(sink.messages().len(), 2, "open transactions end, no further one begins");
    assert_eq!(shop.states().await, states([("queued", 5), ("sent", 2)]));
    let Db::Sqlite { read, .. } = &shop.db else { panic!("SQLite") };
    let row = sqlx::query("SELECT SUM(attempts), COUNT(lease_owner) FROM deliveries WHERE state = 'queued'").fetch_one(read).await.unwrap();
    assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1)), (0, 0), "what was not begun was not tried");

    let second = Daemon::start(&shop).await;
    until("the rest is sent", async || (shop.states().await == states([("sent", 7)])).then_some(())).await;
    second.stop().await;
    let mut receivers: Vec<String> = sink.messages().into_iter().map(|message| message.to).collect();
    receivers.sort();
    assert_eq!(receivers, (1..=7).map(|id| format!("k{id}@kunde.example")).collect::<Vec<_>>(), "everybody once");
}

#[tokio::test]
async fn a_transaction_that_waits_for_data_is_finished_and_no_other_begins() {
    stop_while_waiting_at(Step::Data, b"354 go on\r\n").await;
}

#[tokio::test]
async fn a_transaction_that_waits_after_the_final_dot_is_finished_and_no_other_begins() {
    stop_while_waiting_at(Step::Dot, b"250 2.0.0 Ok: queued as 4711\r\n").await;
}
