//! `stammgast messages` as a person calls it.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::common::act::Act;
use crate::common::databases::TestDb;
use crate::common::smtp::{Manners, SmtpSink, Step};
use crate::common::stage::{MONDAY_NINE, Stage, people, to_sink};
use crate::store::{number, texts};

const RULES: &str = "rule(\"hello\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));";

fn messages(test: &TestDb, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.arg("messages").args(arguments).current_dir("/").env("STAMMGAST__DATABASE__URL", &test.url).env_remove("STAMMGAST_CONFIG");
    command.output().unwrap()
}

fn document(test: &TestDb, arguments: &[&str]) -> Value {
    let output = messages(test, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Exit code and sentence of a call that is refused.
fn refusal(test: &TestDb, arguments: &[&str]) -> (i32, String) {
    let output = messages(test, arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

on_both!(a_person_sees_what_is_in_doubt_and_says_what_became_of_it, |test| {
    people(&test.db, 1..=3).await;
    assert_eq!(document(test, &[]), json!({ "states": {}, "messages": [] }));
    let sink = SmtpSink::with(Manners { fault: Some((Step::Dot, Act::Close)), ..Manners::default() }).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULES, &to_sink(&sink));
    stage.tick("hello").await;
    let queued = number(&test.db, "SELECT id FROM messages WHERE customer_id = 3").await.to_string();
    for arguments in [&["resolve", queued.as_str(), "--as", "sent"][..], &["retry", queued.as_str()]] {
        let (code, sentence) = refusal(test, arguments);
        assert!(code == 1 && sentence.contains("nothing was changed"), "{arguments:?}: {sentence}");
    }
    assert_eq!(stage.drain().await.in_doubt, 3);
    let list = document(test, &["list", "--state", "in_doubt"]);
    assert_eq!((&list["states"], list["messages"].as_array().unwrap().len()), (&json!({ "in_doubt": 3 }), 3));
    let id = |customer: &str| {
        let found = list["messages"].as_array().unwrap().iter().find(|message| message["customer"] == customer).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    let (one, two, three) = (id("1"), id("2"), id("3"));
    let shown = document(test, &["show", &one]);
    assert_eq!((&shown["message"]["state"], &shown["message"]["rule"]), (&json!("in_doubt"), &json!("hello")));
    assert_eq!((&shown["attempts"][0]["result"], shown["attempts"].as_array().unwrap().len()), (&json!("in_doubt"), 1));
    assert_eq!(document(test, &["resolve", &one, "--as", "sent"]), json!({ "id": one, "state": "sent" }));
    assert_eq!(document(test, &["resolve", &two, "--as", "failed"])["state"], "failed");
    assert_eq!(document(test, &["retry", &two])["state"], "queued", "a failed one may be sent again");
    assert_eq!(document(test, &["retry", &three])["state"], "queued");
    let (code, sentence) = refusal(test, &["resolve", &one, "--as", "failed"]);
    assert!(code == 1 && sentence.contains("is not in doubt"), "{sentence}");
    let text = String::from_utf8(messages(test, &[]).stdout).unwrap();
    assert!(text.contains("2 queued") && text.contains("1 sent") && !text.contains('@'), "no address: {text}");
    assert_eq!(
        texts(&test.db, "SELECT d.state FROM messages m JOIN deliveries d ON d.message_id = m.id ORDER BY m.customer_id").await,
        ["sent", "queued", "queued"]
    );
});

on_both!(wrong_ids_and_words_are_refused_with_a_sentence, |test| {
    for (arguments, code, words) in [
        (&["show", "42"][..], 1, "there is no message 42"),
        (&["resolve", "42", "--as", "sent"], 1, "there is no message 42"),
        (&["retry", "42"], 1, "there is no message 42"),
        (&["list", "--state", "lost"], 1, "'lost' is no state: expected one of queued, claimed, data, sent, failed, in_doubt, cancelled"),
        (&["show", "first"], 2, "invalid value 'first'"),
        (&["resolve", "42", "--as", "queued"], 2, "[possible values: sent, failed]"),
        (&["resolve", "42"], 2, "--as"),
    ] {
        let (found, sentence) = refusal(test, arguments);
        assert!(found == code && sentence.contains(words), "{arguments:?}: {found} {sentence}");
    }
});
