//! The way out of every mail, over HTTP: asking changes nothing, the click works at once and for good.

use std::fmt::Write as _;

use stammgast::base::id::Id;
use stammgast::model::message::UNSUBSCRIBE_PURPOSE;

use crate::common::shop::execute;
use crate::common::site::Site;
use crate::common::smtp::SmtpSink;
use crate::common::stage::{MONDAY_NINE, Stage, people, to_sink};
use crate::store::{number, texts};

const RULES: &str = "rule(\"hello\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));
                     rule(\"later\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));
                     rule(\"receipt\").basis(\"contract\").when(|c| c.orders >= 1).send(|c| email(\"thank-you\"));";

/// The link of the message to a customer from a rule.
async fn link(site: &Site, rule: &str, customer: i64) -> String {
    let id = number(&site.stage.ctx.db, &format!("SELECT id FROM messages WHERE rule = '{rule}' AND customer_id = {customer}")).await;
    format!("{}/u/{}", site.base, site.stage.in_force.get().token_key.sign(UNSUBSCRIBE_PURPOSE, Id(id)))
}

async fn objections(site: &Site) -> i64 {
    number(&site.stage.ctx.db, "SELECT COUNT(DISTINCT customer_id) FROM consents WHERE kind = 'objected'").await
}

on_both!(one_click_stops_what_waits_and_all_that_would_follow, |test| {
    people(&test.db, 1..=2).await;
    let sink = SmtpSink::start().await;
    let site = Site::start(Stage::new(&test.db, MONDAY_NINE, RULES, &to_sink(&sink))).await;
    for rule in ["hello", "later", "receipt"] {
        site.stage.tick(rule).await;
    }
    let link = link(&site, "hello", 1).await;
    for _ in 0..2 {
        assert_eq!(site.ask("GET", &link).await.status, 200);
        assert_eq!(site.ask("HEAD", &link).await.status, 200);
    }
    assert_eq!(objections(&site).await, 0, "a link scanner unsubscribes nobody");
    for _ in 0..3 {
        assert_eq!(site.ask("POST", &link).await.status, 200, "a repeat does no harm");
    }
    assert_eq!(objections(&site).await, 1);
    assert_eq!(texts(&test.db, "SELECT DISTINCT source FROM consents WHERE kind = 'objected'").await, ["unsubscribe link"]);
    assert_eq!(
        texts(&test.db, "SELECT m.rule FROM messages m JOIN outcomes o ON o.decision_id = m.decision_id WHERE o.kind = 'unsubscribed'").await,
        ["hello"]
    );
    let states = texts(
        &test.db,
        "SELECT m.rule || ' ' || d.state FROM messages m JOIN deliveries d ON d.message_id = m.id WHERE m.customer_id = 1 ORDER BY m.rule",
    )
    .await;
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
    let link = link(&site, "hello", 1).await;
    let id = Id(number(&test.db, "SELECT id FROM messages").await);
    let foreign = stammgast::base::token::TokenKey::new([8; 32]).sign(UNSUBSCRIBE_PURPOSE, id);
    let other_purpose = site.stage.in_force.get().token_key.sign("click", id);
    let cut = link[..link.len() - 4].to_owned();
    let at = |token: &str| format!("{}/u/{token}", site.base);
    for url in [cut, at(&foreign), at(&other_purpose), at("v1."), at("%00"), at(&"A".repeat(5_000))] {
        assert_eq!(site.ask("POST", &url).await.status, 404, "{url}");
    }
    assert_eq!((objections(&site).await, site.stage.messages().await), (0, vec!["1 queued 0 -".to_owned()]));
});

/// The statements of a page's section for the database: what its ```sql blocks say, one after the other.
fn statements_of(page: &str, section: &str, postgres: bool) -> Vec<String> {
    let text = std::fs::read_to_string(format!("{}/docs/{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let section = text.split_once(&format!("\n## {section}\n")).unwrap().1.split("\n## ").next().unwrap();
    let blocks = section.split("```sql\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let fits = |statement: &&str| !(statement.is_empty() || postgres && statement.starts_with("PRAGMA"));
    blocks.flat_map(|block| block.split(';')).map(str::trim).filter(fits).map(str::to_owned).collect()
}

on_both!(whoever_is_erased_as_the_page_says_gets_nothing_when_the_export_brings_them_back, |test| {
    use stammgast::store::Db;
    people(&test.db, 1..=4).await;
    // 2 never objected, 3 agreed anew later, 4 has no address.
    execute(&test.db, "UPDATE customers SET email = NULL, email_key = NULL WHERE id = 4".to_owned()).await;
    for (customer, kind, at) in [(1, "objected", 5), (3, "objected", 5), (3, "double_opt_in", 6), (4, "objected", 5)] {
        execute(&test.db, format!("INSERT INTO consents (customer_id, at, kind, source) VALUES ({customer}, 170000000000{at}, '{kind}', 'test')"))
            .await;
    }
    let statements = statements_of("operations.md", "Erasing", matches!(test.db, Db::Postgres(_)));
    assert!(statements.iter().filter(|statement| statement.contains("4711")).count() == 2, "{statements:?}");
    for customer in ["1", "2", "3", "4"] {
        let text = statements.join(";\n").replace("'4711'", &format!("'{customer}'")) + ";";
        let whole = sqlx::AssertSqlSafe(text);
        match &test.db {
            Db::Sqlite { write, .. } => sqlx::raw_sql(whole).execute(write).await.map(drop).unwrap(),
            Db::Postgres(pool) => sqlx::raw_sql(whole).execute(pool).await.map(drop).unwrap(),
        }
    }
    assert_eq!(texts(&test.db, "SELECT email_key || ' ' || reason FROM suppressions").await, ["p1@kunde.example objected"]);
    assert_eq!(
        number(&test.db, "SELECT (SELECT COUNT(*) FROM customers) + (SELECT COUNT(*) FROM consents) + (SELECT COUNT(*) FROM orders)").await,
        0
    );
    people(&test.db, 1..=3).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULES, "");
    stage.tick("hello").await;
    assert_eq!(texts(&test.db, "SELECT slot FROM decisions WHERE customer_id = 1").await, ["suppressed"]);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM messages").await, 2, "the others are written to again");
});

on_both!(a_link_of_ours_whose_message_is_erased_says_so_and_that_nobody_was_unsubscribed, |test| {
    people(&test.db, 1..=1).await;
    for (locale, told) in [("de", "sind bei uns gelöscht"), ("en", "have been erased here")] {
        let site = Site::start(Stage::new(&test.db, MONDAY_NINE, RULES, &format!("locale = \"{locale}\""))).await;
        let gone = format!("{}/u/{}", site.base, site.stage.in_force.get().token_key.sign(UNSUBSCRIBE_PURPOSE, Id(12)));
        for method in ["GET", "POST"] {
            let answer = site.ask(method, &gone).await;
            assert_eq!(answer.status, 410, "no success: a mail program must not say that it worked");
            assert!(answer.body.contains(told) && !answer.body.contains("<form"), "{answer:?}");
        }
        assert_eq!(site.ask("GET", &format!("{gone}x")).await.status, 404, "a broken link is told apart");
        assert_eq!(objections(&site).await, 0);
    }
});

#[tokio::test]
async fn the_pages_speak_the_shops_language_and_forbid_what_they_do_not_need() {
    let test = crate::common::databases::sqlite().await;
    people(&test.db, 1..=1).await;
    let mut pages = String::new();
    for locale in ["de", "en"] {
        let site = Site::start(Stage::new(&test.db, MONDAY_NINE, RULES, &format!("locale = \"{locale}\""))).await;
        site.stage.tick("hello").await;
        let link = link(&site, "hello", 1).await;
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
            let answer = site.ask(method, &link(&site, "hello", customer).await).await;
            assert!(answer.body.contains(&format!("<html lang=\"{language}\">")), "{method} {}", answer.body);
        }
    }
});
