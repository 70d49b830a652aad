//! What each way a server can misbehave means for the message: a table.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use stammgast::channel::smtp::{SmtpClient, Timeouts};
use stammgast::model::attempt::{Delivery, Fault};
use stammgast::model::email_address::EmailAddress;

use crate::common::act::Act;
use crate::common::act::Act::{Close, Drip, Flood, Hang, Say, SayAndClose, SayAndHang};
use crate::common::smtp::{Manners, Protection, SmtpSink, Step};
use crate::common::tls::authority;

/// Where the message's way ended and how.
#[derive(Debug, PartialEq)]
enum End {
    Connect(Fault),
    BeginRetry(Fault),
    BeginRefused(Fault),
    Retry(Fault),
    Refused(Fault),
    InDoubt,
    Accepted,
}

/// Short for the tests; a phase's limit plus a margin is far below what any hanging server would take.
const LIMITS: Timeouts = Timeouts { connect: Duration::from_millis(1500), command: Duration::from_secs(1), data: Duration::from_millis(800) };

const NO_END: &[u8] = b"250-and so on\r\n";
const NO_LINE_END: &[u8] = &[b'x'; 8192];

fn table() -> Vec<(Step, Act, End)> {
    use End::{Accepted, BeginRefused, BeginRetry, Connect, InDoubt, Refused, Retry};
    use Fault::{Auth, BadAddress, Busy, Closed, MailboxFull, Policy, Protocol, Timeout, TooLarge};
    vec![
        (Step::Greeting, Hang, Connect(Timeout)),
        (Step::Greeting, Drip(b"220 sink.example at your service, if you have the time\r\n", 100), Connect(Timeout)),
        (Step::Greeting, Drip(b"220 hi\r\n", 5), Accepted),
        (Step::Greeting, Close, Connect(Closed)),
        (Step::Greeting, SayAndClose(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Connect(Protocol)),
        (Step::Greeting, Flood(NO_LINE_END), Connect(Protocol)),
        (Step::Greeting, Flood(b"220-welcome\r\n"), Connect(Protocol)),
        (Step::Greeting, SayAndHang(b"220 gr\xfc\xdf dich\r\n"), Connect(Protocol)),
        (Step::Greeting, SayAndClose(b"421 4.3.2 too busy\r\n"), Connect(Busy)),
        (Step::Greeting, SayAndClose(b"554 5.7.1 go away\r\n"), Connect(Fault::Connect)),
        (Step::Ehlo, SayAndClose(b"421 4.3.0 later\r\n"), Connect(Busy)),
        (Step::Ehlo, SayAndClose(b"502 5.5.1 no such command\r\n"), Connect(Fault::Connect)),
        (Step::Ehlo, Close, Connect(Closed)),
        (Step::Ehlo, Hang, Connect(Timeout)),
        (Step::Ehlo, Flood(NO_END), Connect(Protocol)),
        (Step::EhloAgain, Say(b"502 5.5.1 once is enough\r\n"), Accepted),
        (Step::EhloAgain, Close, Connect(Closed)),
        (Step::EhloAgain, Hang, Connect(Timeout)),
        (Step::Mail, Say(b"451 4.3.0 later\r\n"), BeginRetry(Busy)),
        (Step::Mail, Say(b"550 5.7.1 sender not allowed\r\n"), BeginRetry(Auth)),
        (Step::Mail, Say(b"530 5.7.0 log in first\r\n"), BeginRetry(Auth)),
        (Step::Mail, Close, BeginRetry(Closed)),
        (Step::Mail, Hang, BeginRetry(Timeout)),
        (Step::Rcpt, Say(b"450 4.2.0 greylisted\r\n"), BeginRetry(Busy)),
        (Step::Rcpt, Say(b"421 4.7.0 too many\r\n"), BeginRetry(Busy)),
        (Step::Rcpt, Say(b"550 5.1.1 no such user\r\n"), BeginRefused(BadAddress)),
        (Step::Rcpt, Say(b"552 5.2.2 full\r\n"), BeginRefused(MailboxFull)),
        (Step::Rcpt, Say(b"554 5.7.1 blocked\r\n"), BeginRefused(Policy)),
        (Step::Rcpt, Close, BeginRetry(Closed)),
        (Step::Rcpt, Hang, BeginRetry(Timeout)),
        (Step::Data, Say(b"250 ok\r\n"), BeginRetry(Protocol)),
        (Step::Data, Say(b"452 4.3.1 no space\r\n"), BeginRetry(Busy)),
        (Step::Data, Say(b"554 5.5.1 no\r\n"), BeginRefused(Fault::Refused)),
        (Step::Data, Close, BeginRetry(Closed)),
        (Step::Data, Hang, BeginRetry(Timeout)),
        (Step::Body, Close, Retry(Closed)),
        (Step::Body, Hang, Retry(Timeout)),
        (Step::Dot, Close, InDoubt),
        (Step::Dot, Hang, InDoubt),
        (Step::Dot, SayAndClose(b"25"), InDoubt),
        (Step::Dot, SayAndHang(b"250 2.0.0 queu"), InDoubt),
        (Step::Dot, SayAndClose(b"hello?\r\n"), InDoubt),
        (Step::Dot, SayAndHang(b"354 still more\r\n"), InDoubt),
        (Step::Dot, Flood(NO_END), InDoubt),
        (Step::Dot, Flood(NO_LINE_END), InDoubt),
        (Step::Dot, Say(b"451 4.3.0 disk full\r\n"), Retry(Busy)),
        (Step::Dot, Say(b"421 4.3.2 shutting down\r\n"), Retry(Busy)),
        (Step::Dot, Say(b"550 5.1.1 no such user\r\n"), Refused(BadAddress)),
        (Step::Dot, Say(b"550 looks like spam\r\n"), Refused(Policy)),
        (Step::Dot, Say(b"554 5.7.1 spam\r\n"), Refused(Policy)),
        (Step::Dot, Say(b"552 5.3.4 too big\r\n"), Refused(TooLarge)),
        (Step::Dot, SayAndClose(b"250 2.0.0 queued\r\n"), Accepted),
        (Step::Quit, Hang, Accepted),
        (Step::Quit, Close, Accepted),
    ]
}

async fn send(sink: &SmtpSink, settings: &str, message: &str) -> End {
    let address = |text| EmailAddress::parse(text).unwrap();
    let client = SmtpClient::with_timeouts(&sink.settings(settings), LIMITS).unwrap();
    let mut session = match client.connect().await {
        Ok(session) => session,
        Err(Delivery::Retry { fault, .. }) => return End::Connect(fault),
        Err(other) => panic!("a relay's fault must be tried again: {other:?}"),
    };
    match session.begin(&address("shop@shop.example"), &address("max@kunde.example")).await {
        Ok(()) => {}
        Err(Delivery::Retry { fault, .. }) => return End::BeginRetry(fault),
        Err(Delivery::Refused { fault, .. }) => return End::BeginRefused(fault),
        Err(other) => panic!("nothing was handed over, so nothing can be {other:?}"),
    }
    let end = match session.finish(message).await {
        Delivery::Accepted { .. } => End::Accepted,
        Delivery::Retry { fault, .. } => End::Retry(fault),
        Delivery::Refused { fault, .. } => End::Refused(fault),
        Delivery::InDoubt { .. } => End::InDoubt,
        Delivery::Cancelled => panic!("nobody cancelled"),
    };
    assert!(end != End::InDoubt || !session.is_usable(), "a session in doubt must not go on");
    session.quit().await;
    end
}

/// Sends one mail to a server that misbehaves; what is wrong with the verdict, if anything.
async fn misbehave((step, act, expected): &(Step, Act, End), extensions: &'static [&'static str]) -> Option<String> {
    let sink = SmtpSink::with(Manners { fault: Some((*step, *act)), extensions, ..Manners::default() }).await;
    let begun = Instant::now();
    let end = send(&sink, "", &message(*step)).await;
    let most = LIMITS.connect + LIMITS.command * 5 + LIMITS.data + Duration::from_secs(5);
    assert!(begun.elapsed() < most, "{step:?} {act:?} took {:?}", begun.elapsed());
    (end != *expected).then(|| format!("{step:?} {act:?}: {end:?}, expected {expected:?}"))
}

#[tokio::test]
async fn each_misbehaviour_of_a_server_has_its_verdict_and_none_lasts_longer_than_its_phases() {
    // In groups: all at once would keep the machine busier than a hanging server may take.
    let mut wrong = Vec::new();
    for extensions in [&["PIPELINING"][..], &[]] {
        for group in table().chunks(13) {
            wrong.extend(join_all(group.iter().map(|case| misbehave(case, extensions))).await.into_iter().flatten());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// For a fault in its body larger than the socket buffers, so that a server that stops reading is noticed while the message is being written.
fn message(step: Step) -> String {
    "0123456789 a line of a mail that is long enough to stop a server\r\n".repeat(if step == Step::Body { 150_000 } else { 1 })
}

#[tokio::test]
async fn only_a_break_after_the_final_dot_is_in_doubt_under_tls_too() {
    let (acceptor, file) = authority();
    for (protection, word) in [(Protection::Starttls(acceptor.clone()), "starttls"), (Protection::Implicit(acceptor.clone()), "implicit")] {
        for (step, expected) in [(Step::Body, End::Retry(Fault::Closed)), (Step::Dot, End::InDoubt)] {
            let sink = SmtpSink::with(Manners { protection: protection.clone(), fault: Some((step, Close)), ..Manners::default() }).await;
            let settings = format!("tls = \"{word}\"\nca_file = \"{}\"", file.path().display());
            assert_eq!(send(&sink, &settings, &message(step)).await, expected, "{word}");
        }
    }
}

#[tokio::test]
async fn nobody_listens() {
    let sink = SmtpSink::start().await;
    let settings = sink.settings("");
    drop(sink);
    // The port is free again once the listener is gone.
    tokio::task::yield_now().await;
    let outcome = SmtpClient::with_timeouts(&settings, LIMITS).unwrap().connect().await;
    assert!(matches!(outcome, Err(Delivery::Retry { fault: Fault::Connect | Fault::Closed, .. })));
}
