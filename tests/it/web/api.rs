//! The API over a socket: who is let in, what is told, and the brake.

use serde_json::{Value, json};

use crate::common::databases::TestDb;
use crate::common::site::{Answer, Site};
use crate::common::stage::{MONDAY_NINE, Stage, people};

const RULE: &str =
    "rule(\"hello\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.orders >= 1).cooldown(days(30)).send(|c| email(\"win-back-plain\"));\n";
const TOKEN: &str = "authorization: Bearer a-token-of-the-shop-1";

async fn site(test: &TestDb, settings: &str) -> Site {
    people(&test.db, 1..=3).await;
    Site::start(Stage::new(&test.db, MONDAY_NINE, RULE, settings)).await
}

async fn with_token(test: &TestDb) -> Site {
    site(test, "[server]\napi_token = \"a-token-of-the-shop-1\"").await
}

async fn call(site: &Site, method: &str, path: &str, body: &str) -> (u16, Value) {
    let answer = site.send(method, &format!("{}/api/v1{path}", site.base), &[TOKEN], body).await;
    let kind = if answer.status < 400 { "application/json" } else { "application/problem+json" };
    assert_eq!(answer.header("content-type"), kind, "{answer:?}");
    (answer.status, answer.json())
}

fn problem(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert_eq!((answer.header("content-type"), body["status"].as_u64()), ("application/problem+json", Some(u64::from(answer.status))), "{answer:?}");
    assert_eq!(body["type"], "about:blank");
    (answer.status, body["detail"].as_str().unwrap().to_owned())
}

on_both!(without_a_token_the_api_is_off_and_says_how_to_switch_it_on, |test| {
    let site = site(test, "").await;
    for header in [TOKEN, "authorization: Bearer ", "x: y"] {
        let (status, detail) = problem(&site.send("GET", &format!("{}/api/v1/rules", site.base), &[header], "").await);
        assert_eq!(status, 403);
        assert!(detail.contains("[server] api_token_file"), "{detail}");
    }
});

on_both!(only_the_token_is_let_in_whatever_the_address, |test| {
    let site = with_token(test).await;
    for header in [
        "x: y",
        "authorization: a-token-of-the-shop-1",
        "authorization: Basic a-token-of-the-shop-1",
        "authorization: Bearer",
        "authorization: Bearer a-token-of-the-shop-2",
        "authorization: Bearer a-token-of-the-shop-1x",
        "authorization: Bearer a-token-of-the-shop-",
    ] {
        for (method, path) in
            [("GET", "/rules"), ("POST", "/rules/reload"), ("DELETE", "/rules"), ("POST", "/rules/hello/pause"), ("GET", "/nothing"), ("GET", "")]
        {
            let answer = site.send(method, &format!("{}/api/v1{path}", site.base), &[header], "").await;
            assert_eq!(problem(&answer).0, 401, "{header} {path}");
            assert!(answer.header("www-authenticate").starts_with("Bearer realm=\"stammgast\""), "{answer:?}");
            assert!(!answer.body.contains("a-token"), "{answer:?}");
        }
    }
    for header in [TOKEN, "Authorization: bearer a-token-of-the-shop-1"] {
        assert_eq!(site.send("GET", &format!("{}/api/v1/rules", site.base), &[header], "").await.status, 200);
    }
    assert_eq!(site.stage.due().await, ["hello 2024-07-01T09:00"], "nobody was let in to pause it");
});

on_both!(what_is_not_there_or_not_so_is_a_problem_of_its_own, |test| {
    let site = with_token(test).await;
    let answer = |method: &'static str, path: &'static str| {
        let url = format!("{}{path}", site.base);
        let site = &site;
        async move { site.send(method, &url, &[TOKEN], "").await }
    };
    assert_eq!(problem(&answer("GET", "/api/v1/nothing").await).0, 404);
    assert_eq!(problem(&answer("GET", "/api/v1").await).0, 404);
    assert_eq!(problem(&answer("GET", "/nothing").await).0, 404);
    for (method, path, allowed) in
        [("GET", "/api/v1/rules/reload", "POST"), ("DELETE", "/api/v1/rules", "GET,HEAD"), ("DELETE", "/metrics", "GET,HEAD")]
    {
        let answer = answer(method, path).await;
        assert_eq!((problem(&answer).0, answer.header("allow")), (405, allowed), "{answer:?}");
    }
    let (status, body) = call(&site, "POST", "/rules/helo/pause", "").await;
    assert_eq!((status, body["detail"].as_str().unwrap()), (404, "there is no rule 'helo' - did you mean 'hello'?: expected one of hello"));
    for (body, status, words) in [
        ("{", 400, "EOF while parsing"),
        ("[]x", 400, "The body is no JSON that is expected here"),
        ("{\"reson\": \"x\"}", 400, "unknown field `reson`, expected one of `reason`, `by`, `discard`"),
        ("{\"discard\": \"yes\"}", 400, "expected a boolean"),
        (&" ".repeat(17_000), 413, "longer than 16384 bytes"),
        (&" ".repeat(1_100_000), 413, "longer than this address takes"),
    ] {
        let (found, problem) = call(&site, "POST", "/rules/hello/pause", body).await;
        assert!(found == status && problem["detail"].as_str().unwrap().contains(words), "{found} {problem}");
    }
    assert_eq!(site.stage.due().await, ["hello 2024-07-01T09:00"], "nothing was paused");
});

on_both!(a_reload_that_nobody_answers_any_more_says_why, |test| {
    let site = with_token(test).await;
    let reload = async || {
        let (status, body) = call(&site, "POST", "/rules/reload", "").await;
        (status, body["detail"].as_str().unwrap().split(':').next().unwrap().to_owned())
    };
    for (ends, status, words) in [
        (false, 500, "Reading rules and templates ended unexpectedly"),
        (true, 503, "The daemon is ending."),
        // Closed before it is asked.
        (true, 503, "The daemon is ending."),
    ] {
        let given_up = async {
            let mut wished = site.wished.lock().await;
            let wish = wished.recv().await;
            if ends {
                wished.close();
            }
            drop(wish);
        };
        let (told, ()) = tokio::join!(reload(), given_up);
        assert_eq!(told, (status, words.to_owned()));
    }
});

on_both!(files_that_are_being_read_for_one_answer_are_not_read_for_another, |test| {
    let site = with_token(test).await;
    let reading = std::sync::Arc::clone(&site.reading).try_acquire_owned().unwrap();
    let (status, body) = call(&site, "GET", "/rules", "").await;
    assert_eq!((status, body["detail"].as_str().unwrap()), (503, "The files are being read: try again."));
    drop(reading);
    for _ in 0..2 {
        assert_eq!(call(&site, "GET", "/rules", "").await.0, 200, "the permit is given back");
    }
});

on_both!(a_rule_is_paused_and_resumed_as_by_the_command, |test| {
    let site = with_token(test).await;
    assert_eq!(site.stage.tick("hello").await.messages, 3);
    let (status, paused) = call(&site, "POST", "/rules/hello/pause", "{\"reason\": \"the voucher\\nis wrong\", \"by\": \"anna\"}").await;
    assert_eq!((status, &paused["state"], &paused["changed"], &paused["open"]["waiting"]), (200, &json!("paused"), &json!(true), &json!(3)));
    assert_eq!((&paused["pause"]["by"], &paused["pause"]["reason"]), (&json!("anna"), &json!("the voucher is wrong")));
    site.stage.set("2024-07-02T09:00");
    assert!(site.stage.due().await.is_empty());
    let (_, list) = call(&site, "GET", "/rules", "").await;
    let hello = list["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == "hello").unwrap();
    assert_eq!(hello["paused"]["by"], "anna");

    let (status, over) = call(&site, "POST", "/rules/hello/resume", "{\"discard\": true}").await;
    assert_eq!((status, &over["state"], &over["discarded"]), (200, &json!("resumed"), &json!(3)));
    let (_, again) = call(&site, "POST", "/rules/hello/resume", "").await;
    assert_eq!((&again["state"], &again["changed"]), (&json!("not_paused"), &json!(false)));
    let (_, nameless) = call(&site, "POST", "/rules/hello/pause", "{}").await;
    assert_eq!(nameless["pause"]["by"], "the API");
});
