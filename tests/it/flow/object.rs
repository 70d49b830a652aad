//! The way out of every mail, over HTTP: asking changes nothing, the click works at once and for good.

use std::fmt::Write as _;
use std::sync::Arc;

use stammgast::base::id::Id;
use stammgast::model::message::UNSUBSCRIBE_PURPOSE;
use stammgast::web::{self, Web, pulse::Pulse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::common::shop::execute;
use crate::common::smtp::SmtpSink;
use crate::common::stage::{MONDAY_NINE, Stage, people, to_sink};
use crate::store::{number, texts};

const RULES: &str = "rule(\"hello\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));
                     rule(\"later\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));
                     rule(\"receipt\").basis(\"contract\").when(|c| c.orders >= 1).send(|c| email(\"thank-you\"));";

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| *key == name)).map_or("", |(_, value)| value)
    }
}

struct Site {
    stage: Stage,
    base: String,
    _stop: tokio_util::sync::DropGuard,
}

impl Site {
    async fn start(stage: Stage) -> Self {
        let web =
            Web { ctx: stage.ctx.clone(), in_force: Arc::clone(&stage.in_force), pulse: Arc::new(Pulse::default()), metrics: Arc::new(String::new) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(web::server::serve(listener, web::router(web), stop.clone()));
        Self { stage, base, _stop: stop.drop_guard() }
    }

    /// The link of the message to a customer from a rule.
    async fn link(&self, rule: &str, customer: i64) -> String {
        let id = number(&self.stage.ctx.db, &format!("SELECT id FROM messages WHERE rule = '{rule}' AND customer_id = {customer}")).await;
        format!("{}/u/{}", self.base, self.stage.in_force.get().token_key.sign(UNSUBSCRIBE_PURPOSE, Id(id)))
    }

    /// Sends a request as a mail program does, a POST with the one-click form.
    async fn ask(&self, method: &str, url: &str) -> Answer {
        let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let body = if method == "POST" { "List-Unsubscribe=One-Click" } else { "" };
        let head = format!(
            "{method} /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}",
            body.len()
        );
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
    }

    async fn objections(&self) -> i64 {
        number(&self.stage.ctx.db, "SELECT COUNT(DISTINCT customer_id) FROM consents WHERE kind = 'objected'").await
    }
}

on_both!(one_click_stops_what_waits_and_all_that_would_follow, |test| {
    people(&test.db, 1..=2).await;
    let sink = SmtpSink::start().await;
    let site = Site::start(Stage::new(&test.db, MONDAY_NINE, RULES, &to_sink(&sink))).await;
    for rule in ["hello", "later", "receipt"] {
        site.stage.tick(rule).await;
    }
    let link = site.link("hello", 1).await;
    for _ in 0..2 {
        assert_eq!(site.ask("GET", &link).await.status, 200);
        assert_eq!(site.ask("HEAD", &link).await.status, 200);
    }
    assert_eq!(site.objections().await, 0, "a link scanner unsubscribes nobody");
    for _ in 0..3 {
        assert_eq!(site.ask("POST", &link).await.status, 200, "a repeat does no harm");
    }
    assert_eq!(site.objections().await, 1);
    assert_eq!(texts(&test.db, "SELECT DISTINCT source FROM consents WHERE kind = 'objected'").await, ["unsubscribe link"]);
    assert_eq!(
        texts(&test.db, "SELECT m.rule FROM messages m JOIN outcomes o ON o.decision_id = m.decision_id WHERE o.kind = 'unsubscribed'").await,
        ["hello"]
    );
    let states = texts(&test.db, "SELECT rule || ' ' || state FROM messages WHERE customer_id = 1 ORDER BY rule").await;
    assert_eq!(states, ["hello cancelled", "later cancelled", "receipt queued"], "order mails still come");
    site.stage.drain().await;
    let to: Vec<String> = sink.messages().into_iter().map(|mail| mail.to).collect();
    assert_eq!((to.len(), to.iter().filter(|to| *to == "p1@kunde.example").count()), (4, 1));
    execute(&test.db, "DELETE FROM ticks".to_owned()).await;
    site.stage.set("2024-07-10T09:00");
    site.stage.tick("later").await;
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM decisions WHERE customer_id = 1 AND slot = 'objected'").await, 1);
});

on_both!(a_token_that_we_did_not_make_is_worth_nothing, |test| {
    people(&test.db, 1..=1).await;
    let site = Site::start(Stage::new(&test.db, MONDAY_NINE, RULES, "")).await;
    site.stage.tick("hello").await;
    let link = site.link("hello", 1).await;
    let id = Id(number(&test.db, "SELECT id FROM messages").await);
    let foreign = stammgast::base::token::TokenKey::new([8; 32]).sign(UNSUBSCRIBE_PURPOSE, id);
    let other_purpose = site.stage.in_force.get().token_key.sign("click", id);
    let nobody = site.stage.in_force.get().token_key.sign(UNSUBSCRIBE_PURPOSE, Id(12));
    let cut = link[..link.len() - 4].to_owned();
    let at = |token: &str| format!("{}/u/{token}", site.base);
    for url in [cut, at(&foreign), at(&other_purpose), at(&nobody), at("v1."), at("%00"), at(&"A".repeat(5_000))] {
        assert_eq!(site.ask("POST", &url).await.status, 404, "{url}");
    }
    assert_eq!((site.objections().await, site.stage.messages().await), (0, vec!["1 queued 0 -".to_owned()]));
});

#[tokio::test]
async fn the_pages_speak_the_shops_language_and_forbid_what_they_do_not_need() {
    let test = crate::common::databases::sqlite().await;
    people(&test.db, 1..=1).await;
    let mut pages = String::new();
    for locale in ["de", "en"] {
        let site = Site::start(Stage::new(&test.db, MONDAY_NINE, RULES, &format!("locale = \"{locale}\""))).await;
        site.stage.tick("hello").await;
        let link = site.link("hello", 1).await;
        for (method, url) in [("GET", link.clone()), ("POST", link.clone()), ("GET", format!("{}/u/x", site.base))] {
            let answer = site.ask(method, &url).await;
            assert_eq!((answer.header("x-content-type-options"), answer.header("referrer-policy")), ("nosniff", "no-referrer"));
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            let body = answer.body;
            let main = body.split_once("<main>").unwrap().1.split_once("</main>").unwrap().0;
            assert!(body.contains(&format!("<html lang=\"{locale}\">")) && body.contains("noindex") && !body.contains("<script"));
            writeln!(pages, "{locale} {method}: {}", main.trim()).unwrap();
        }
    }
    insta::assert_snapshot!(pages);
}

on_both!(a_customer_who_gets_english_mails_gets_english_pages_in_a_german_shop, |test| {
    people(&test.db, 1..=2).await;
    execute(&test.db, "UPDATE customers SET locale = 'en' WHERE id = 2".to_owned()).await;
    let site = Site::start(Stage::new(&test.db, MONDAY_NINE, RULES, "")).await;
    site.stage.tick("hello").await;
    for (customer, language) in [(1, "de"), (2, "en")] {
        for method in ["GET", "POST"] {
            let answer = site.ask(method, &site.link("hello", customer).await).await;
            assert!(answer.body.contains(&format!("<html lang=\"{language}\">")), "{method} {}", answer.body);
        }
    }
});
