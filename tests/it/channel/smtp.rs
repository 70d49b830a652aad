//! The good way of a mail over SMTP: sessions, logins, TLS, letters beyond ASCII, dots and line ends.

use stammgast::channel::smtp::SmtpClient;
use stammgast::model::attempt::{Delivery, Fault};
use stammgast::model::email_address::EmailAddress;

use crate::common::act::Act;
use crate::common::smtp::{Manners, Protection, SmtpSink, Step};
use crate::common::tls::authority;

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

async fn send(sink: &SmtpSink, settings: &str, to: &str, message: &str) -> Result<Delivery, Delivery> {
    let client = SmtpClient::new(&sink.settings(settings)).unwrap();
    let mut session = client.connect().await?;
    session.begin(&address("shop@shop.example"), &address(to)).await?;
    let delivery = session.finish(message).await;
    session.quit().await;
    Ok(delivery)
}

#[tokio::test]
async fn many_mails_go_over_one_connection_up_to_its_limit() {
    let sink = SmtpSink::start().await;
    let client = SmtpClient::new(&sink.settings("messages_per_connection = 5")).unwrap();
    let mut session = client.connect().await.unwrap();
    for number in 0..5 {
        assert!(session.is_usable());
        session.begin(&address("shop@shop.example"), &address("max@kunde.example")).await.unwrap();
        let delivery = session.finish(&format!("Subject: {number}\r\n\r\nx\r\n")).await;
        assert_eq!(delivery, Delivery::Accepted { reply: "250 2.0.0 Ok: queued as 4711".to_owned() });
    }
    assert!(!session.is_usable(), "the connection is to be renewed");
    session.quit().await;
    assert_eq!((sink.messages().len(), sink.connections()), (5, 1));
    assert_eq!((sink.messages()[4].from.as_str(), sink.messages()[4].to.as_str()), ("shop@shop.example", "max@kunde.example"));
}

#[tokio::test]
async fn mail_rcpt_and_data_travel_together_where_the_relay_offers_it() {
    for (extensions, together) in [(&["8BITMIME", "PIPELINING"][..], true), (&["8BITMIME"], false)] {
        let sink = SmtpSink::with(Manners { extensions, ..Manners::default() }).await;
        send(&sink, "", "max@kunde.example", "x").await.unwrap();
        assert_eq!(sink.messages()[0].pipelined, together, "{extensions:?}");
    }
}

#[tokio::test]
async fn dots_and_lone_line_ends_arrive_as_lines_and_nothing_is_smuggled() {
    let sink = SmtpSink::start().await;
    let message = "Subject: x\r\n\r\n.\r\n..two\n.\nMAIL FROM:<evil@x.example>\r.\rlast.";
    let delivery = send(&sink, "", "max@kunde.example", message).await.unwrap();
    assert!(matches!(delivery, Delivery::Accepted { .. }));
    let messages = sink.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(String::from_utf8_lossy(&messages[0].bytes), "Subject: x\r\n\r\n.\r\n..two\r\n.\r\nMAIL FROM:<evil@x.example>\r\n.\r\nlast.\r\n");
}

#[tokio::test]
async fn a_refused_recipient_leaves_the_session_usable_for_the_next() {
    let sink = SmtpSink::with(Manners { fault: Some((Step::Rcpt, Act::Say(b"550 5.1.1 who?\r\n"))), ..Manners::default() }).await;
    let mut session = SmtpClient::new(&sink.settings("")).unwrap().connect().await.unwrap();
    for _ in 0..2 {
        let refused = session.begin(&address("shop@shop.example"), &address("max@kunde.example")).await;
        assert!(matches!(refused, Err(Delivery::Refused { fault: Fault::BadAddress, .. })));
        assert!(session.is_usable());
    }
}

#[tokio::test]
async fn a_message_that_is_given_up_never_arrives() {
    let sink = SmtpSink::start().await;
    let client = SmtpClient::new(&sink.settings("")).unwrap();
    let mut session = client.connect().await.unwrap();
    session.begin(&address("shop@shop.example"), &address("max@kunde.example")).await.unwrap();
    session.abandon();
    send(&sink, "", "next@kunde.example", "Subject: next\r\n\r\nx").await.unwrap();
    assert_eq!(sink.messages().iter().map(|message| message.to.as_str()).collect::<Vec<_>>(), ["next@kunde.example"]);
}

#[tokio::test]
async fn an_address_beyond_ascii_needs_a_server_that_can_take_it() {
    let able = SmtpSink::start().await;
    assert!(matches!(send(&able, "", "jürgen@müller.example", "x").await, Ok(Delivery::Accepted { .. })));
    assert_eq!(able.messages()[0].to, "jürgen@xn--mller-kva.example");
    let unable = SmtpSink::with(Manners { extensions: &["8BITMIME"], ..Manners::default() }).await;
    assert!(matches!(send(&unable, "", "jürgen@müller.example", "x").await, Err(Delivery::Refused { fault: Fault::SmtpUtf8, .. })));
    assert!(matches!(send(&unable, "", "max@müller.example", "x").await, Ok(Delivery::Accepted { .. })), "a domain beyond ASCII travels as A-label");
}

#[tokio::test]
async fn a_login_is_made_and_a_wrong_one_is_the_relays_fault() {
    let sink = SmtpSink::with(Manners { login: Some(("shop", "geheim")), ..Manners::default() }).await;
    let right = "username = \"shop\"\npassword = \"geheim\"";
    assert!(matches!(send(&sink, right, "max@kunde.example", "x").await, Ok(Delivery::Accepted { .. })));
    let wrong = "username = \"shop\"\npassword = \"falsch\"";
    assert!(matches!(send(&sink, wrong, "max@kunde.example", "x").await, Err(Delivery::Retry { fault: Fault::Auth, .. })));
    let without = SmtpSink::start().await;
    assert!(matches!(send(&without, right, "max@kunde.example", "x").await, Err(Delivery::Retry { fault: Fault::Auth, .. })));
    let later = Manners { login: Some(("shop", "geheim")), fault: Some((Step::Auth, Act::Say(b"454 4.7.0 later\r\n"))), ..Manners::default() };
    let sink = SmtpSink::with(later).await;
    assert!(matches!(send(&sink, right, "max@kunde.example", "x").await, Err(Delivery::Retry { fault: Fault::Busy, .. })));
}

#[tokio::test]
async fn mails_travel_under_starttls_and_implicit_tls_with_an_own_authority() {
    let (acceptor, file) = authority();
    for (protection, word) in [(Protection::Starttls(acceptor.clone()), "starttls"), (Protection::Implicit(acceptor.clone()), "implicit")] {
        let sink = SmtpSink::with(Manners { protection, login: Some(("shop", "geheim")), ..Manners::default() }).await;
        let login = "username = \"shop\"\npassword = \"geheim\"";
        let settings = format!("tls = \"{word}\"\nca_file = \"{}\"\n{login}", file.path().display());
        let message = "Subject: x\r\n\r\n0123456789\r\n".repeat(20_000);
        let delivery = send(&sink, &settings, "max@kunde.example", &message).await;
        assert!(matches!(delivery, Ok(Delivery::Accepted { .. })), "{word}: {delivery:?}");
        assert_eq!(sink.messages()[0].bytes, message.as_bytes(), "{word}");
        let stranger = format!("tls = \"{word}\"\n{login}");
        let delivery = send(&sink, &stranger, "max@kunde.example", "x").await;
        assert!(matches!(delivery, Err(Delivery::Retry { fault: Fault::Tls, .. })), "{word}: an unknown authority: {delivery:?}");
    }
}

#[tokio::test]
async fn without_working_starttls_nothing_is_sent() {
    let (acceptor, file) = authority();
    let settings = format!("tls = \"starttls\"\nca_file = \"{}\"\n", file.path().display());
    let plain = SmtpSink::start().await;
    assert!(matches!(send(&plain, &settings, "max@kunde.example", "x").await, Err(Delivery::Retry { fault: Fault::Tls, .. })), "not offered");
    for (act, expected) in [
        (Act::SayAndClose(b"220 go ahead\r\nno TLS here\r\n"), Fault::Tls),
        (Act::SayAndClose(b"454 4.7.0 not now\r\n"), Fault::Busy),
        // Plain text behind the "go ahead" must not count as said under TLS.
        (Act::Say(b"220 go ahead\r\n250-sink.example\r\n250 AUTH PLAIN\r\n"), Fault::Tls),
    ] {
        let protection = Protection::Starttls(acceptor.clone());
        let sink = SmtpSink::with(Manners { protection, fault: Some((Step::Starttls, act)), ..Manners::default() }).await;
        let outcome = send(&sink, &settings, "max@kunde.example", "x").await;
        assert!(matches!(&outcome, Err(Delivery::Retry { fault, .. }) if *fault == expected), "{act:?}: {outcome:?}");
        assert!(sink.messages().is_empty());
    }
}

#[test]
fn settings_that_cannot_work_are_refused_with_a_sentence() {
    let mail = |more: &str| stammgast::config::Config::from_toml(&format!("[mail]\ntransport = \"smtp\"\n{more}")).unwrap().mail;
    let refusal = |more: &str| SmtpClient::new(&mail(more)).err().unwrap();
    assert!(refusal("ca_file = \"/nowhere/ca.pem\"").starts_with("mail.ca_file: /nowhere/ca.pem: "));
    let empty = tempfile::NamedTempFile::new().unwrap();
    assert!(refusal(&format!("ca_file = \"{}\"", empty.path().display())).contains("no certificate in it"));
    assert!(refusal("tls = \"implicit\"\nhost = \"not a host\"").contains("is not a host name for TLS"));
}
