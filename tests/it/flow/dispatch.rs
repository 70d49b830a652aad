//! The outbox is emptied: what becomes of messages when relay and receivers behave, misbehave or are gone.

use std::path::Path;
use std::sync::Arc;

use stammgast::base::clock::Clock;
use stammgast::flow::object;
use stammgast::model::action::Channel;
use stammgast::model::message::MessageState;
use stammgast::store::deliveries::{Finish, Recorder};
use stammgast::store::messages::{self, Claimer};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::common::act::{Act, Gate};
use crate::common::databases::TestDb;
use crate::common::postgres::free_port;
use crate::common::shop::execute;
use crate::common::smtp::{Manners, SmtpSink, Step};
use crate::common::stage::{MONDAY_NINE, Stage, people, to_port, to_sink};
use crate::store::{number, texts};

const MAIL: &str = "rule(\"hello\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));
                    rule(\"next\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));";

/// A shop whose first message(s) wait, and a relay that does `act` at `step`.
async fn faulty(test: &TestDb, count: i64, step: Step, act: Act) -> (Stage, SmtpSink) {
    people(&test.db, 1..=count).await;
    let sink = SmtpSink::with(Manners { fault: Some((step, act)), ..Manners::default() }).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, MAIL, &to_sink(&sink));
    stage.tick("hello").await;
    (stage, sink)
}

/// The same shop with a relay that behaves, later.
async fn mended(test: &TestDb, at: &str) -> (Stage, SmtpSink) {
    let sink = SmtpSink::start().await;
    (Stage::new(&test.db, at, MAIL, &to_sink(&sink)), sink)
}

async fn outcomes(test: &TestDb) -> Vec<String> {
    texts(&test.db, "SELECT kind FROM outcome_log ORDER BY decision_id, kind").await
}

on_both!(what_is_accepted_is_sent_and_logged_with_the_relays_words, |test| {
    people(&test.db, 1..=5).await;
    let (stage, sink) = mended(test, MONDAY_NINE).await;
    stage.tick("hello").await;
    assert_eq!(stage.drain().await.sent, 5);
    assert_eq!(sink.messages().len(), 5);
    assert!(sink.connections() <= 2, "as many connections as configured");
    assert_eq!(stage.messages().await, ["1 sent 1 -", "2 sent 1 -", "3 sent 1 -", "4 sent 1 -", "5 sent 1 -"]);
    assert_eq!(texts(&test.db, "SELECT DISTINCT detail FROM attempt_log").await, ["250 2.0.0 Ok: queued as 4711"]);
    assert_eq!(outcomes(test).await, ["accepted"; 5]);
    assert!(stage.drain().await.idle() && sink.messages().len() == 5);
});

on_both!(a_mail_that_is_asked_to_come_later_is_tried_after_a_minute, |test| {
    let (stage, sink) = faulty(test, 1, Step::Rcpt, Act::Say(b"451 4.7.1 greylisted\r\n")).await;
    assert_eq!(stage.drain().await.retried, 1);
    assert_eq!((stage.messages().await, sink.messages().len()), (vec!["1 queued 1 busy".to_owned()], 0));
    let due_at = number(&test.db, "SELECT due_at FROM deliveries").await - stage.ctx.clock.now().0;
    assert!((48_000..=72_000).contains(&due_at), "a minute, give or take a fifth: {due_at}");
    assert!(stage.drain().await.idle(), "not before");
    let (later, sink) = mended(test, "2024-07-01T09:01:12").await;
    assert_eq!(later.drain().await.sent, 1);
    assert_eq!((later.messages().await, sink.messages().len()), (vec!["1 sent 2 -".to_owned()], 1));
    assert_eq!(texts(&test.db, "SELECT result FROM attempt_log ORDER BY number").await, ["retry", "accepted"]);
});

on_both!(a_mail_whose_time_comes_again_at_night_waits_for_the_morning, |test| {
    people(&test.db, 1..=1).await;
    let sink = SmtpSink::with(Manners { fault: Some((Step::Rcpt, Act::Say(b"451 later\r\n"))), ..Manners::default() }).await;
    let stage = Stage::new(&test.db, "2024-07-01T19:59:30", MAIL, &to_sink(&sink));
    stage.tick("hello").await;
    assert_eq!(stage.drain().await.retried, 1);
    let (night, sink) = mended(test, "2024-07-01T20:05").await;
    assert!(night.drain().await.idle());
    assert_eq!((night.messages().await, night.due_times().await), (vec!["1 queued 1 busy".to_owned()], vec!["2024-07-02T08:00".to_owned()]));
    night.set("2024-07-02T08:00");
    assert_eq!((night.drain().await.sent, sink.messages().len()), (1, 1));
});

on_both!(a_dead_mailbox_fails_and_is_never_written_to_again, |test| {
    let (stage, _sink) = faulty(test, 1, Step::Rcpt, Act::Say(b"550 5.1.1 no such user\r\n")).await;
    assert_eq!(stage.drain().await.failed, 1);
    assert_eq!(stage.messages().await, ["1 failed 1 bad_address"]);
    assert_eq!(outcomes(test).await, ["bounced", "refused"]);
    stage.tick("next").await;
    assert_eq!(stage.decisions().await, ["1 hello ever arm A 1", "1 next ever suppressed - 1"]);
});

on_both!(a_refusal_for_another_reason_says_nothing_about_the_address, |test| {
    let (stage, _sink) = faulty(test, 1, Step::Rcpt, Act::Say(b"554 5.7.1 looks like spam\r\n")).await;
    stage.drain().await;
    assert_eq!(stage.messages().await, ["1 failed 1 policy"]);
    assert_eq!(stage.tick("next").await.messages, 1);
});

on_both!(an_address_that_died_meanwhile_stops_what_waits_for_it, |test| {
    people(&test.db, 1..=2).await;
    let (stage, sink) = mended(test, MONDAY_NINE).await;
    stage.tick("hello").await;
    execute(&test.db, "INSERT INTO suppressions (email_key, reason, at) VALUES ('p1@kunde.example', 'manual', 0)".to_owned()).await;
    let report = stage.drain().await;
    assert_eq!((report.sent, report.cancelled, sink.messages().len()), (1, 1, 1));
    assert_eq!(stage.messages().await, ["1 cancelled 1 -", "2 sent 1 -"]);
});

on_both!(no_answer_after_the_final_dot_is_in_doubt_and_never_sent_again, |test| {
    let (stage, sink) = faulty(test, 1, Step::Dot, Act::Close).await;
    assert_eq!(stage.drain().await.in_doubt, 1);
    assert_eq!(stage.messages().await, ["1 in_doubt 1 -"]);
    assert_eq!((sink.messages().len(), outcomes(test).await), (1, vec!["in_doubt".to_owned()]));
    let (later, sink) = mended(test, "2024-07-20T09:00").await;
    assert!(later.drain().await.idle());
    assert!(sink.messages().is_empty());
});

on_both!(what_a_person_says_about_a_message_in_doubt_leaves_its_tries_in_the_log, |test| {
    let (stage, _sink) = faulty(test, 1, Step::Dot, Act::Close).await;
    stage.drain().await;
    let message = stammgast::base::id::Id(number(&test.db, "SELECT id FROM messages").await);
    let tries = async || texts(&test.db, "SELECT result FROM attempt_log ORDER BY number").await;
    let mut tx = test.db.write().await.unwrap();
    assert!(messages::resolve(&mut tx, message, MessageState::Failed, "not in the relay's log", stage.ctx.clock.now()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!((stage.messages().await, tries().await), (vec!["1 failed 1 -".to_owned()], vec!["in_doubt".to_owned()]));
    let mut tx = test.db.write().await.unwrap();
    assert!(messages::requeue(&mut tx, message, stage.ctx.clock.now()).await.unwrap());
    assert!(!messages::requeue(&mut tx, message, stage.ctx.clock.now()).await.unwrap(), "it waits already");
    tx.commit().await.unwrap();
    let (again, sink) = mended(test, MONDAY_NINE).await;
    assert_eq!(again.drain().await.sent, 1);
    assert_eq!((sink.messages().len(), tries().await), (1, vec!["in_doubt".to_owned(), "accepted".to_owned()]));
});

on_both!(a_relay_that_is_down_loses_nothing_and_burns_no_tries, |test| {
    people(&test.db, 1..=50).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, MAIL, &to_port(free_port()));
    stage.tick("hello").await;
    let report = stage.drain().await;
    assert!(report.relay_fault.is_some_and(|fault| fault.starts_with("connect: ")));
    assert!((1..=2).contains(&report.retried), "each of two workers found out: {}", report.retried);
    let untouched = number(&test.db, "SELECT COUNT(*) FROM deliveries WHERE state = 'queued' AND attempts = 0").await;
    assert_eq!(u64::try_from(untouched).unwrap() + report.retried, 50);
    let (later, sink) = mended(test, "2024-07-01T09:30").await;
    assert_eq!(later.drain().await.sent, 50);
    assert_eq!(sink.messages().len(), 50);
});

/// A relay that stops at RCPT: says that it is there, and goes on when told.
async fn hesitant(reached: Arc<Notify>, go: Arc<Notify>) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut line = BufReader::new(socket);
        line.write_all(b"220 slow.example ESMTP\r\n").await.unwrap();
        let mut heard = String::new();
        loop {
            let from = heard.len();
            if line.read_line(&mut heard).await.unwrap_or(0) == 0 {
                return heard;
            }
            let reply: &[u8] = match &heard[from..][..4] {
                "DATA" => b"354 go on\r\n",
                "RCPT" => {
                    reached.notify_one();
                    go.notified().await;
                    b"250 ok\r\n"
                }
                _ => b"250 ok\r\n",
            };
            line.write_all(reply).await.unwrap();
        }
    });
    (port, heard)
}

on_both!(a_rule_whose_mails_cannot_be_made_pauses_itself_before_all_are_lost, |test| {
    people(&test.db, 1..=20).await;
    let sink = SmtpSink::start().await;
    let rule = "rule(\"hello\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back\", #{ voucher: \"WB10\" }));";
    let stage = Stage::new(&test.db, MONDAY_NINE, rule, &format!("{}[dispatch]\nbatch = 4\n", to_sink(&sink)));
    stage.tick("hello").await;
    let report = stage.drain().await;
    assert!((3..=8).contains(&report.failed) && report.sent == 0, "no more than were begun: {report:?}");
    let paused = texts(&test.db, "SELECT reason FROM rule_pauses WHERE resumed_at IS NULL").await;
    assert!(paused.len() == 1 && paused[0].contains("mails that could not be filled in"), "{paused:?}");
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM deliveries WHERE state = 'queued'").await, 20 - i64::try_from(report.failed).unwrap());
    assert!(stage.drain().await.idle(), "what waits stays");
});

on_both!(whoever_unsubscribes_while_the_mail_is_on_its_way_gets_none, |test| {
    people(&test.db, 1..=1).await;
    let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (port, heard) = hesitant(reached.clone(), go.clone()).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, MAIL, &to_port(port));
    stage.tick("hello").await;
    let message = stammgast::base::id::Id(number(&test.db, "SELECT id FROM messages").await);
    let meanwhile = async {
        reached.notified().await;
        assert!(object::unsubscribe(&stage.ctx, message).await.unwrap());
        go.notify_one();
    };
    let (report, ()) = tokio::join!(stage.drain(), meanwhile);
    assert_eq!((report.cancelled, report.sent), (1, 0));
    assert_eq!(stage.messages().await, ["1 cancelled 1 -"]);
    let heard = heard.await.unwrap();
    assert!(heard.contains("DATA\r\n") && !heard.contains("Subject:") && !heard.contains("\r\n.\r\n"), "not a byte of the mail left: {heard}");
});

on_both!(a_worker_that_lost_its_lease_changes_nothing, |test| {
    people(&test.db, 1..=1).await;
    let (stage, _sink) = mended(test, MONDAY_NINE).await;
    stage.tick("hello").await;
    let (now, real) = (stage.ctx.clock.now(), Clock::System.now());
    let claim = async |owner: &str| Claimer::new(test.db.clone(), owner.to_owned()).claim(real.plus(60_000), now, 10, Channel::Email).await.unwrap();
    let recover = async |owner: &'static str, at| {
        let mut tx = test.db.write().await.unwrap();
        let found = messages::recover(&mut tx, (owner, false), Channel::Email, at, now).await.unwrap();
        tx.commit().await.unwrap();
        found
    };
    let old = claim("berlin/1").await.remove(0);
    assert_eq!(recover("hamburg/1", real).await, (0, 0), "the lease still runs");
    let mut tx = test.db.write().await.unwrap();
    // Who sends webhooks knows nothing of the mails that the same process is at work on.
    assert_eq!(messages::recover(&mut tx, ("berlin/1", false), Channel::Webhook, real.plus(60_000), now).await.unwrap(), (0, 0));
    tx.commit().await.unwrap();
    assert_eq!(recover("hamburg/1", real.plus(60_000)).await, (1, 0));
    let new = claim("hamburg/1").await.remove(0);
    assert_eq!((old.fence, new.fence), (1, 2));
    let end = |fence, state, result| Finish {
        id: old.id,
        fence,
        state,
        due_at: None,
        fault: None,
        reply: "250".to_owned(),
        result,
        started_at: now,
        ended_at: now,
        bounced: false,
    };
    let mut recorder = Recorder::new(test.db.clone());
    let late = end(old.fence, MessageState::Failed, "refused");
    assert_eq!(recorder.record(&[(old.id, old.fence)], &[late], now).await.unwrap(), []);
    assert_eq!(recorder.record(&[(new.id, new.fence)], &[], now).await.unwrap(), [new.id]);
    assert_eq!((stage.messages().await, number(&test.db, "SELECT COUNT(*) FROM attempt_log").await), (vec!["1 data 1 -".to_owned()], 0));
    assert_eq!(recover("hamburg/2", real).await, (0, 1), "the same name after a crash: what was being handed over is in doubt");
    let too_late = end(new.fence, MessageState::Sent, "accepted");
    assert_eq!(recorder.record(&[], &[too_late], now).await.unwrap(), []);
    assert_eq!(texts(&test.db, "SELECT result FROM attempt_log").await, ["in_doubt"]);
    assert_eq!(stage.messages().await, ["1 in_doubt 1 -"]);
});

on_both!(a_relay_that_takes_few_connections_gets_all_mails_over_those, |test| {
    people(&test.db, 1..=60).await;
    let sink = SmtpSink::with(Manners { most: 2, pause: std::time::Duration::from_millis(1), ..Manners::default() }).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, MAIL, &to_sink(&sink).replace("connections = 2", "connections = 8"));
    stage.tick("hello").await;
    let report = stage.drain().await;
    assert_eq!((report.sent, report.retried, report.relay_fault), (60, 0, None));
    assert_eq!((sink.messages().len(), sink.connections() > 2), (60, true));
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM deliveries WHERE attempts = 1").await, 60);
});

on_both!(a_relay_that_takes_one_connection_gets_even_the_mail_that_found_no_worker, |test| {
    people(&test.db, 1..=2).await;
    let late = Gate::closed();
    // The second worker is refused at last, when the first has nothing to do any more.
    let sink = SmtpSink::with(Manners { most: 1, refusal: Some(late), ..Manners::default() }).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, MAIL, &to_sink(&sink));
    stage.tick("hello").await;
    let refuse = async {
        while !stage.messages().await.iter().any(|message| message.contains(" sent ")) || late.arrived() == 0 {}
        late.open();
    };
    let (report, ()) = tokio::join!(stage.drain(), refuse);
    assert_eq!((report.sent, report.retried, sink.connections(), sink.messages().len()), (2, 0, 2, 2));
});

on_both!(a_connection_that_the_relay_closed_after_a_refusal_is_replaced_for_the_next_mail, |test| {
    people(&test.db, 1..=2).await;
    let refusal = Some((Step::Rcpt, Act::Say(b"550 5.1.1 no such user\r\n")));
    let sink = SmtpSink::with(Manners { fault: refusal, closes_after_rset: true, ..Manners::default() }).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, MAIL, &to_sink(&sink).replace("connections = 2", "connections = 1"));
    stage.tick("hello").await;
    assert_eq!((stage.drain().await.failed, sink.connections()), (2, 2));
    assert_eq!(stage.messages().await, ["1 failed 1 bad_address", "2 failed 1 bad_address"]);
});

on_both!(a_failing_record_leaves_nothing_half_done_and_the_database_usable, |test| {
    people(&test.db, 1..=2).await;
    let (stage, _sink) = mended(test, MONDAY_NINE).await;
    stage.tick("hello").await;
    let now = stage.ctx.clock.now();
    let claimed = Claimer::new(test.db.clone(), "berlin/1".to_owned()).claim(now.plus(60_000), now, 10, Channel::Email).await.unwrap();
    let (first, second) = (&claimed[0], &claimed[1]);
    // Claimed by nobody: no row of the table may be like that.
    let impossible = Finish {
        id: second.id,
        fence: second.fence,
        state: MessageState::Claimed,
        due_at: None,
        fault: None,
        reply: String::new(),
        result: "accepted",
        started_at: now,
        ended_at: now,
        bounced: false,
    };
    let mut recorder = Recorder::new(test.db.clone());
    recorder.record(&[(first.id, first.fence)], &[impossible], now).await.unwrap_err();
    assert_eq!(stage.messages().await, ["1 claimed 1 -", "2 claimed 1 -"]);
    assert_eq!(recorder.record(&[(first.id, first.fence)], &[], now).await.unwrap(), [first.id]);
    assert_eq!(stage.messages().await, ["1 data 1 -", "2 claimed 1 -"]);
});

on_both!(two_dispatchers_send_each_mail_once, |test| {
    people(&test.db, 1..=60).await;
    let sink = SmtpSink::start().await;
    let stage = Stage::new(&test.db, MONDAY_NINE, MAIL, &format!("{}[dispatch]\nbatch = 7", to_sink(&sink)));
    stage.tick("hello").await;
    let (one, two) = (stage.dispatcher("berlin/1"), stage.dispatcher("hamburg/1"));
    let stop = CancellationToken::new();
    let (one, two) = tokio::join!(one.drain(&stop), two.drain(&stop));
    assert_eq!(one.unwrap().sent + two.unwrap().sent, 60);
    let mut to: Vec<String> = sink.messages().into_iter().map(|mail| mail.to).collect();
    to.sort();
    to.dedup();
    assert_eq!((to.len(), sink.messages().len()), (60, 60));
});

on_both!(after_five_days_of_busy_the_mail_has_failed, |test| {
    let (stage, _sink) = faulty(test, 1, Step::Mail, Act::Say(b"451 4.3.0 out of order\r\n")).await;
    stage.drain().await;
    stage.set("2024-07-06T08:59");
    assert_eq!(stage.drain().await.failed, 1);
    assert_eq!((stage.messages().await, outcomes(test).await), (vec!["1 failed 2 busy".to_owned()], vec!["refused".to_owned()]));
});

on_both!(a_mail_that_cannot_be_rendered_fails_with_the_template_named, |test| {
    people(&test.db, 1..=2).await;
    let sink = SmtpSink::start().await;
    let rule = "rule(\"gift\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| if c.id == \"1\" { email(\"win-back\") } else { email(\"win-back-plain\") });";
    let stage = Stage::with_templates(&test.db, MONDAY_NINE, rule, &to_sink(&sink), Path::new("templates"));
    stage.tick("gift").await;
    let report = stage.drain().await;
    assert_eq!((report.failed, report.sent, stage.messages().await), (1, 1, vec!["1 failed 1 render".to_owned(), "2 sent 1 -".to_owned()]));
    let why = texts(&test.db, "SELECT reply FROM deliveries WHERE state = 'failed'").await;
    assert!(why[0].contains("win-back/"), "{why:?}");
});

on_both!(a_stop_gives_back_what_was_not_begun, |test| {
    people(&test.db, 1..=20).await;
    let (stage, sink) = mended(test, MONDAY_NINE).await;
    stage.tick("hello").await;
    let stop = CancellationToken::new();
    stop.cancel();
    assert!(stage.dispatcher("test/1").drain(&stop).await.unwrap().idle());
    assert_eq!((sink.messages().len(), number(&test.db, "SELECT COUNT(*) FROM deliveries WHERE state = 'queued' AND attempts = 0").await), (0, 20));
});

on_both!(mails_wait_while_sender_or_imprint_is_not_filled_in, |test| {
    people(&test.db, 1..=2).await;
    let sink = SmtpSink::start().await;
    let mut stage = Stage::new(&test.db, MONDAY_NINE, MAIL, &to_sink(&sink));
    stage.tick("hello").await;
    let filled_in = Arc::clone(&stage.ctx.config);
    for (empty_sender, expected) in [(true, "[mail] from is empty"), (false, "[shop] imprint is empty")] {
        let mut config = filled_in.as_ref().clone();
        let setting = if empty_sender { &mut config.mail.from } else { &mut config.shop.imprint };
        setting.clear();
        stage.ctx.config = Arc::new(config);
        assert!(stage.drain().await.relay_fault.unwrap_or_default().contains(expected), "{expected}");
    }
    let waiting = number(&test.db, "SELECT COUNT(*) FROM deliveries WHERE state = 'queued' AND attempts = 0").await;
    assert_eq!((sink.messages().len(), waiting), (0, 2));
});
