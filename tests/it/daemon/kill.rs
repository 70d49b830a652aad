//! `kill -9` at random moments while messages leave: nothing is lost, no mail goes twice, and what is in doubt is bounded and listed.
//!
//! The daemon is the real program as a child process; the receiver lives in this process, counts a mail when its final dot has come, and is slow
//! enough that all kills fall into the sending. Here in short; the long form, for each of the tests:
//!
//! `STAMMGAST_KILLS=300 STAMMGAST_MAILS=5000 cargo test --release --test it daemon::kill -- --nocapture --test-threads 1`
//!
//! `STAMMGAST_KILL_SEED=…` repeats the moments of a run (what the machine makes of them varies).

use std::collections::{BTreeMap, BTreeSet};

use super::killable::{CONNECTIONS, Kills, Plan, Shop};
use crate::common::act::Act;
use crate::common::databases::postgres;
use crate::common::http::HttpReceiver;
use crate::common::smtp::{Manners, SmtpSink};

const MAIL: &str = "email(\"win-back-plain\")";

fn mail_section(sink: &SmtpSink) -> String {
    let port = sink.address().port();
    format!(
        "[mail]\ntransport = \"smtp\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nfrom = \"Shop <post@shop.example>\"\nconnections = {CONNECTIONS}\n"
    )
}

/// How often each message came to the sinks, by the id in its Message-ID.
fn arrived(sinks: &[&SmtpSink]) -> BTreeMap<String, usize> {
    let mut arrived = BTreeMap::new();
    for mail in sinks.iter().flat_map(|sink| sink.messages()) {
        let text = String::from_utf8_lossy(&mail.bytes);
        let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: <")).and_then(|rest| rest.split_once('@')).expect("a Message-ID").0;
        *arrived.entry(id.to_owned()).or_default() += 1;
    }
    arrived
}

/// Sends what still waits, to a quick sink, and looks whether the promises were kept.
async fn judge(name: &str, shop: &Shop, sinks: &[&SmtpSink], kills: &Kills) {
    let quick = SmtpSink::start().await;
    shop.json(&["run"], &[("STAMMGAST__MAIL__PORT", quick.address().port().to_string())]).await;
    let sinks = [sinks, &[&quick]].concat();
    let (plan, states, arrived) = (shop.plan, shop.states().await, arrived(&sinks));
    let in_state = |wanted: &str| states.iter().filter(|(_, state)| *state == wanted).map(|(id, _)| id.clone()).collect::<BTreeSet<String>>();
    let (sent, doubtful) = (in_state("sent"), in_state("in_doubt"));
    let lost = plan.messages - sent.len() - doubtful.len() + sent.iter().filter(|id| !arrived.contains_key(*id)).count();
    let twice = arrived.values().filter(|count| **count > 1).count();
    let there = doubtful.iter().filter(|id| arrived.contains_key(*id)).count();
    println!(
        "{name}: {} kills ({} while starting), {} mails: {} sent, {} in doubt ({there} at the receiver, {} not; at most {} after one kill), {lost} lost, \
         {twice} twice; {:?} at the receivers; seed {}",
        kills.all,
        kills.early,
        plan.messages,
        sent.len(),
        doubtful.len(),
        doubtful.len() - there,
        kills.most,
        sinks.iter().map(|sink| sink.messages().len()).collect::<Vec<_>>(),
        plan.seed,
    );
    assert_eq!((states.len(), lost, twice, kills.all), (plan.messages, 0, 0, plan.kills));
    assert!(arrived.keys().all(|id| sent.contains(id) || doubtful.contains(id)), "a mail that the outbox does not know of");
    assert!(doubtful.len() <= CONNECTIONS * kills.all);
    let listed = shop.json(&["messages", "list", "--state", "in_doubt", "--limit", "100000"], &[]).await;
    let listed: BTreeSet<String> = listed["messages"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, doubtful);
    assert_eq!((shop.outcomes("accepted").await, shop.outcomes("in_doubt").await), (sent.len(), doubtful.len()));
}

on_both!(kill_at_any_moment_loses_no_mail_and_sends_none_twice, |db| {
    let plan = Plan::read();
    let sink = SmtpSink::with(Manners { pause: plan.pause(), ..Manners::default() }).await;
    let shop = Shop::open(db, plan, MAIL, &mail_section(&sink)).await;
    let kills = shop.kill_again_and_again(&[], sink.arrivals()).await;
    judge(if shop.url.starts_with("sqlite") { "SQLite" } else { "PostgreSQL" }, &shop, &[&sink], &kills).await;
});

#[tokio::test]
async fn of_two_daemons_one_is_killed_again_and_again_and_no_mail_goes_twice() {
    let plan = Plan::read();
    let sink = SmtpSink::with(Manners { pause: plan.pause(), ..Manners::default() }).await;
    // The daemon that lives sends little, so that all kills of the other fall into the sending.
    let slow = SmtpSink::with(Manners { pause: plan.pause() * 5, ..Manners::default() }).await;
    let shop = Shop::open(&postgres().await, plan, MAIL, &mail_section(&sink)).await;
    let port = slow.address().port().to_string();
    let other = [("STAMMGAST__DAEMON__NAME", "two".to_owned()), ("STAMMGAST__MAIL__PORT", port), ("STAMMGAST__MAIL__CONNECTIONS", "1".to_owned())];
    let mut lives = shop.serve(&other);
    slow.arrivals().wait_for(|connections| *connections > 0).await.unwrap();
    let kills = shop.kill_again_and_again(&[], sink.arrivals()).await;
    assert!(Shop::terminate(&mut lives).await.success(), "the other daemon ends well");
    judge("two daemons on PostgreSQL", &shop, &[&sink, &slow], &kills).await;
    assert!(slow.messages().len() > 1, "both sent");
}

on_both!(kill_at_any_moment_loses_no_webhook_and_a_repeat_is_the_same, |db| {
    let plan = Plan::read();
    let receiver = HttpReceiver::start(Act::Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 1)).await;
    let target = format!(
        "[webhook]\nconnections = {CONNECTIONS}\n[[webhooks]]\nname = \"crm\"\nurl = \"http://{}/\"\nsecret = \"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz\"\n\
         allow_http = true\nallow_private = [\"127.0.0.1/32\"]\n",
        receiver.address()
    );
    let shop = Shop::open(db, plan, "webhook(\"crm\", #{ customer: c.id })", &target).await;
    let kills = shop.kill_again_and_again(&[], receiver.arrivals()).await;
    shop.json(&["run"], &[]).await;
    let (mut bodies, mut repeats) = (BTreeMap::new(), 0);
    for request in receiver.requests() {
        let id = request.header("webhook-id").unwrap().to_owned();
        if let Some(first) = bodies.insert(id, request.body.clone()) {
            assert_eq!(first, request.body);
            repeats += 1;
        }
    }
    let states = shop.states().await;
    println!(
        "webhooks: {} kills ({} while starting), {} webhooks: {} ids at the receiver, {repeats} repeats, each with the same bytes; seed {}",
        kills.all,
        kills.early,
        plan.messages,
        bodies.len(),
        plan.seed
    );
    assert!(states.values().all(|state| state == "sent"), "{states:?}");
    let ids: BTreeSet<String> = states.into_keys().map(|id| format!("msg_{id}")).collect();
    assert_eq!(ids, bodies.into_keys().collect());
    assert_eq!(ids.len(), plan.messages);
});
