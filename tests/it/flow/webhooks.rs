//! What becomes of webhooks when receivers are busy or gone.

use stammgast::base::clock::Clock;
use stammgast::model::action::Channel;
use stammgast::store::Db;
use stammgast::store::messages::Claimer;
use tokio_util::sync::CancellationToken;

use crate::common::act::Act;
use crate::common::databases::TestDb;
use crate::common::http::HttpReceiver;
use crate::common::shop::execute;
use crate::common::smtp::SmtpSink;
use crate::common::stage::{MONDAY_NINE, Stage, people, to_sink};
use crate::store::{number, texts};

const HOOK: &str = "rule(\"tell\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| webhook(\"crm\", #{ a: \"ä\" }));";

fn hooked(test: &TestDb, at: &str, receiver: &HttpReceiver) -> Stage {
    let settings = format!(
        "[[webhooks]]\nname = \"crm\"\nurl = \"http://{}/in\"\nallow_http = true\nallow_private = [\"127.0.0.1/32\"]\n\
         secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"",
        receiver.address()
    );
    Stage::new(&test.db, at, HOOK, &settings)
}

on_both!(a_webhook_is_repeated_with_the_same_id_and_the_same_bytes, |test| {
    people(&test.db, 1..=1).await;
    let busy = HttpReceiver::start(Act::Say(b"HTTP/1.1 503 Busy\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n")).await;
    let stage = hooked(test, MONDAY_NINE, &busy);
    stage.tick("tell").await;
    assert_eq!(stage.drain().await.retried, 1);
    let due_at = number(&test.db, "SELECT due_at FROM deliveries").await;
    assert_eq!(due_at, stage.moment("2024-07-01T09:01:30").0, "as the receiver asks");
    let well = HttpReceiver::start(Act::Say(b"HTTP/1.1 204 No Content\r\n\r\n")).await;
    let later = hooked(test, "2024-07-01T09:01:30", &well);
    assert_eq!(later.drain().await.sent, 1);
    let (first, second) = (busy.requests().remove(0), well.requests().remove(0));
    assert_eq!(first.body, second.body);
    assert_eq!(first.body, texts(&test.db, "SELECT body FROM messages").await[0]);
    assert!(first.header("webhook-id").is_some() && first.header("webhook-id") == second.header("webhook-id"));
    assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
    assert_eq!(later.messages().await, ["1 sent 2 -"]);
});

/// A rule for each of two targets.
fn two_targets(test: &TestDb, slow: &str, well: &HttpReceiver, settings: &str) -> Stage {
    let target = |name: &str, address: &str| {
        format!(
            "[[webhooks]]\nname = \"{name}\"\nurl = \"http://{address}/in\"\nallow_http = true\nallow_private = [\"127.0.0.1/32\"]\n\
             secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"\n"
        )
    };
    let rules = "rule(\"tell\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| webhook(\"crm\"));
                 rule(\"other\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| webhook(\"erp\"));";
    Stage::new(&test.db, MONDAY_NINE, rules, &format!("{settings}\n{}{}", target("crm", slow), target("erp", &well.address().to_string())))
}

on_both!(what_becomes_due_while_a_receiver_hangs_does_not_wait_for_it, |test| {
    people(&test.db, 1..=1).await;
    let hangs = HttpReceiver::start(Act::Hang).await;
    let well = HttpReceiver::start(Act::Say(b"HTTP/1.1 204 No Content\r\n\r\n")).await;
    let stage = two_targets(test, &hangs.address().to_string(), &well, "");
    stage.tick("tell").await;
    let meanwhile = async {
        hangs.arrivals().wait_for(|count| *count > 0).await.unwrap();
        stage.tick("other").await;
        well.arrivals().wait_for(|count| *count > 0).await.unwrap();
    };
    tokio::select! {
        report = stage.drain() => panic!("the first one was given up before: {report:?}"),
        () = meanwhile => {}
    }
});

on_both!(a_target_that_cannot_be_reached_is_left_alone_for_a_minute, |test| {
    people(&test.db, 1..=8).await;
    let closed = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let well = HttpReceiver::start(Act::Say(b"HTTP/1.1 204 No Content\r\n\r\n")).await;
    let stage = two_targets(test, &closed.to_string(), &well, "[webhook]\nconnections = 1");
    stage.tick("tell").await;
    stage.tick("other").await;
    let dispatcher = stage.dispatcher("test/1");
    let report = dispatcher.drain(&CancellationToken::new()).await.unwrap();
    assert_eq!((report.sent, report.retried), (8, 8));
    let tried = number(&test.db, "SELECT COUNT(*) FROM deliveries WHERE rule = 'tell' AND attempts = 1").await;
    let put_off = number(
        &test.db,
        &format!("SELECT COUNT(*) FROM deliveries WHERE rule = 'tell' AND attempts = 0 AND due_at = {}", stage.ctx.clock.now().0 + 60_000),
    )
    .await;
    assert_eq!((tried, put_off), (3, 5));
    // The next pass knows it too.
    people(&test.db, 9..=9).await;
    stage.ctx.clock.set(stage.ctx.clock.now().plus(1_000));
    stage.tick("tell").await;
    assert_eq!(dispatcher.drain(&CancellationToken::new()).await.unwrap().retried, 1);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM deliveries WHERE rule = 'tell' AND attempts = 0").await, 6);
});

on_both!(what_another_daemon_left_behind_does_not_wait_for_a_receiver_that_hangs, |test| {
    if !test.db.is_shared() {
        return; // A second daemon on the same file does not start.
    }
    people(&test.db, 1..=1).await;
    let hangs = HttpReceiver::start(Act::Hang).await;
    let well = HttpReceiver::start(Act::Say(b"HTTP/1.1 204 No Content\r\n\r\n")).await;
    let stage = two_targets(test, &hangs.address().to_string(), &well, "");
    stage.tick("other").await;
    let (now, real) = (stage.ctx.clock.now(), Clock::System.now());
    let left = Claimer::new(test.db.clone(), "hamburg/1".to_owned()).claim(real.plus(600_000), now, 10, Channel::Webhook).await.unwrap();
    assert_eq!(left.len(), 1);
    stage.tick("tell").await;
    let meanwhile = async {
        hangs.arrivals().wait_for(|count| *count > 0).await.unwrap();
        execute(&test.db, "UPDATE deliveries SET lease_until = 1".to_owned()).await;
        well.arrivals().wait_for(|count| *count > 0).await.unwrap();
    };
    tokio::select! {
        report = stage.drain() => panic!("the first one was given up before: {report:?}"),
        () = meanwhile => {}
    }
    let fences = texts(&test.db, "SELECT rule || ' ' || CAST(fence AS TEXT) FROM deliveries ORDER BY rule").await;
    assert_eq!(fences, ["other 2", "tell 1"], "what this process itself is at work on is not claimed again, however long it takes");
});

on_both!(two_connections_to_the_database_are_enough_for_mails_and_webhooks, |test| {
    people(&test.db, 1..=5).await;
    let (sink, well) = (SmtpSink::start().await, HttpReceiver::start(Act::Say(b"HTTP/1.1 204 No Content\r\n\r\n")).await);
    let settings = format!(
        "{}[[webhooks]]\nname = \"crm\"\nurl = \"http://{}/in\"\nallow_http = true\nallow_private = [\"127.0.0.1/32\"]\n\
         secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"",
        to_sink(&sink),
        well.address()
    );
    let mail = "rule(\"hello\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));";
    let few = Db::open(&test.url, 2).await.unwrap();
    let stage = Stage::new(&few, MONDAY_NINE, &format!("{mail}\n{HOOK}"), &settings);
    stage.tick("tell").await;
    stage.tick("hello").await;
    assert_eq!(stage.drain().await.sent, 10);
    few.close().await;
});

on_both!(a_receiver_that_is_gone_for_good_is_not_asked_again, |test| {
    people(&test.db, 1..=1).await;
    let gone = HttpReceiver::start(Act::Say(b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n")).await;
    let stage = hooked(test, MONDAY_NINE, &gone);
    stage.tick("tell").await;
    assert_eq!(stage.drain().await.failed, 1);
    stage.set("2024-07-05T09:00");
    assert!(stage.drain().await.idle());
    assert_eq!((stage.messages().await, gone.requests().len()), (vec!["1 failed 1 gone".to_owned()], 1));
});
