//! Rules are changed while the daemon runs.

use std::fs;

use serde_json::json;

use super::process::{Daemon, HELLO, Shop, until};
use crate::store::{number, texts};

const BROKEN: &str = "// A typing error in the field's name.\nrule(\"second\").every(\"@hourly\").basis(\"consent\")\n    .when(|c| c.recensy_days > 60)\n    .send(|c| email(\"thank-you\"));\n";

#[tokio::test]
async fn a_broken_file_leaves_the_running_rules_in_place_and_a_mended_one_takes_effect() {
    let shop = Shop::on_sqlite(0, "[daemon]\npoll_s = 1\n").await;
    let mut daemon = Daemon::start(&shop).await;
    shop.rule("second", BROKEN);
    daemon.signal("-HUP");
    daemon.hear("RELOADING=1").await;
    daemon.hear("READY=1").await;
    let log = daemon.log();
    assert!(log.contains("second.rhai:3:17") && log.contains("recensy_days") && log.contains("recency_days"), "{log}");
    assert!(log.contains("the running rules and templates stay in force"), "{log}");
    let reload = daemon.get("/healthz").await.json()["stages"]["reload"]["said"].clone();
    assert!(reload.as_str().unwrap().contains("second.rhai:3:17"), "{reload}");
    assert!(daemon.get("/").await.body.contains("Next run: hello"));
    assert_eq!(daemon.get("/readyz").await.status, 200, "the running rules are whole");

    shop.rule("second", &BROKEN.replace("recensy", "recency"));
    daemon.signal("-HUP");
    daemon.hear("RELOADING=1").await;
    daemon.hear("READY=1").await;
    assert_eq!(daemon.get("/healthz").await.json()["stages"]["reload"]["said"], "rules and templates reloaded");
    assert!(daemon.get("/").await.body.contains("Next run: second"), "it runs each hour, the other each year");
    daemon.stop().await;
}

#[tokio::test]
async fn a_start_with_broken_rules_ends_with_1_and_names_all_faults() {
    let shop = Shop::on_sqlite(0, "").await;
    shop.rule("second", BROKEN);
    shop.rule("third", "rule(\"third\").every(\"61 * * * *\").basis(\"consent\").when(|c| c.orders > 1).send(|c| email(\"thank-you\"));\n");
    let output = shop.run(&["serve"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("second.rhai:3:17") && said.contains("third.rhai:1:15"), "{said}");

    shop.rule("second", &HELLO.replace("hello", "second").replace("thank-you", "no-such-mail"));
    fs::remove_file(shop.path("rules/third.rhai")).unwrap();
    let output = shop.run(&["serve"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("second.rhai:1:") && said.contains("there is no template 'no-such-mail': expected one of thank-you"), "{said}");
}

/// What the last reload said, once it says this.
async fn reload_says(daemon: &Daemon, words: &str) -> String {
    until(&format!("the reload says '{words}'; log:\n{}", daemon.log()), async || {
        let said = daemon.get("/healthz").await.json()["stages"]["reload"]["said"].clone();
        said.as_str().filter(|said| said.contains(words)).map(ToOwned::to_owned)
    })
    .await
}

async fn gauge(daemon: &Daemon, line: &str) {
    until(&format!("the metrics say {line}"), async || daemon.get("/metrics").await.body.lines().any(|found| found == line).then_some(())).await;
}

#[tokio::test]
async fn changed_files_are_taken_up_without_a_signal_and_broken_ones_are_told_once() {
    let shop = Shop::on_sqlite(0, "[rules]\nwatch_s = 1\n[daemon]\npoll_s = 1\n").await;
    let daemon = Daemon::start(&shop).await;
    let hourly = HELLO.replace("hello", "second").replace("0 4 1 1 *", "@hourly");
    shop.rule("second", &hourly);
    reload_says(&daemon, "rules and templates reloaded").await;
    assert!(daemon.get("/").await.body.contains("Next run: second"));
    gauge(&daemon, "stammgast_rules_loaded 2").await;
    assert_eq!(number(&shop.db, "SELECT COUNT(*) FROM rule_states").await, 2, "noted at once");

    shop.rule("second", BROKEN);
    let said = reload_says(&daemon, "second.rhai:3:17").await;
    assert!(said.contains("the running rules stay"), "{said}");
    gauge(&daemon, "stammgast_reload_faults 1").await;
    let ready = daemon.get("/readyz").await;
    assert!(ready.status == 200 && ready.json()["warnings"][0].as_str().unwrap().contains("second.rhai:3:17"), "{ready:?}");
    assert!(daemon.get("/").await.body.contains("Next run: second"), "the running one");

    // As editors do it: another file, then a new name for it. A template is changed by the way.
    fs::write(shop.path("rules/.second.rhai.swp"), "whatever").unwrap();
    fs::write(shop.path("rules/second.new"), hourly.replace("orders >= 1", "orders >= 2")).unwrap();
    fs::rename(shop.path("rules/second.new"), shop.path("rules/second.rhai")).unwrap();
    fs::write(shop.path("templates/thank-you/en.txt"), "Subject: Other\n\nHello\n").unwrap();
    let said = reload_says(&daemon, "en.txt").await;
    assert!(said.contains("has no imprint") && !said.contains("second.rhai"), "both together or none: {said}");
    assert_eq!(number(&shop.db, "SELECT COUNT(*) FROM rule_versions").await, 2);
    fs::write(shop.path("templates/thank-you/en.txt"), "Subject: Other\nKind: transactional\n\nHello\n{{ shop.imprint }}\n").unwrap();
    reload_says(&daemon, "rules and templates reloaded").await;
    assert_eq!(number(&shop.db, "SELECT COUNT(*) FROM rule_versions WHERE rule = 'second'").await, 2);
    gauge(&daemon, "stammgast_reload_faults 0").await;

    fs::remove_file(shop.path("rules/second.rhai")).unwrap();
    until("it is gone", async || daemon.get("/").await.body.contains("Next run: hello").then_some(())).await;
    let told = daemon.log().matches("second.rhai:3:17").count();
    assert_eq!(told, 1, "{}", daemon.log());
    daemon.stop().await;
}

#[tokio::test]
async fn a_call_of_the_api_reloads_as_a_signal_does_and_says_what_changed_or_every_fault() {
    // Nobody looks at the files by himself.
    let shop = Shop::on_sqlite(0, "api_token = \"a-token-of-the-shop-1\"\n[rules]\nwatch_s = 0\n").await;
    let daemon = Daemon::start(&shop).await;
    let api = async |head: &str| daemon.send(&format!("{head} HTTP/1.1\r\nAuthorization: Bearer a-token-of-the-shop-1")).await;
    let reload = async || api("POST /api/v1/rules/reload").await;
    let same = reload().await;
    assert_eq!(same.status, 200, "{same:?}");
    let hash = same.json()["rules"][0]["hash"].as_str().unwrap().to_owned();
    assert_eq!(same.json(), json!({ "rules": [{ "rule": "hello", "hash": hash }], "added": [], "removed": [], "changed": [], "warnings": [] }));

    shop.rule("hello", &HELLO.replace(">= 1", ">= 2"));
    shop.rule("second", &BROKEN.replace("recensy", "recency"));
    let more = reload().await.json();
    assert_eq!((&more["added"], &more["removed"], &more["changed"]), (&json!(["second"]), &json!([]), &json!(["hello"])));
    let versions = texts(&shop.db, "SELECT hash FROM rule_states ORDER BY rule").await;
    let told: Vec<&str> = more["rules"].as_array().unwrap().iter().map(|rule| rule["hash"].as_str().unwrap()).collect();
    assert_eq!(told, versions, "noted before the answer");

    shop.rule("second", BROKEN);
    shop.rule("third", "rule(\"third\").every(\"61 * * * *\")");
    let faults = reload().await;
    assert_eq!(faults.status, 422, "{faults:?}");
    assert!(faults.head.to_lowercase().contains("content-type: application/problem+json"), "{faults:?}");
    let checked: serde_json::Value = serde_json::from_slice(&shop.run(&["check", "--json"]).await.stdout).unwrap();
    assert!(checked["faults"].as_array().unwrap().len() > 1, "{checked}");
    assert_eq!(faults.json()["faults"], checked["faults"]);
    assert_eq!(faults.json()["status"], 422);
    assert_eq!(texts(&shop.db, "SELECT hash FROM rule_states ORDER BY rule").await, versions, "the old ones stay");
    let list = api("GET /api/v1/rules").await.json();
    let commanded: serde_json::Value = serde_json::from_slice(&shop.run(&["rules", "list", "--json"]).await.stdout).unwrap();
    assert_eq!(list, commanded);
    assert_eq!(list["faults"].as_array().unwrap().len(), checked["faults"].as_array().unwrap().len());

    fs::remove_file(shop.path("rules/third.rhai")).unwrap();
    fs::remove_file(shop.path("rules/second.rhai")).unwrap();
    let less = reload().await.json();
    assert_eq!((&less["removed"], &less["rules"].as_array().unwrap().len()), (&json!(["second"]), &1));
    gauge(&daemon, "stammgast_reload_faults 0").await;

    let settings = fs::read_to_string(shop.path("config/stammgast.toml")).unwrap();
    assert!(!daemon.log().contains("the configuration changed"), "{}", daemon.log());
    fs::write(shop.path("config/stammgast.toml"), settings.replace("shop-1", "shop-2")).unwrap();
    assert_eq!(reload().await.status, 200, "the old token is the right one until the next start");
    until("a new token is seen", async || daemon.log().contains("the configuration changed").then_some(())).await;
    assert!(!daemon.log().contains("a-token"), "{}", daemon.log());
    daemon.stop().await;
}

#[tokio::test]
async fn an_emptied_folder_and_one_that_is_away_leave_the_running_rules_in_force() {
    let shop = Shop::on_sqlite(0, "[rules]\nwatch_s = 1\n[daemon]\npoll_s = 1\n").await;
    let mut daemon = Daemon::start(&shop).await;
    fs::rename(shop.path("rules"), shop.path("away")).unwrap();
    reload_says(&daemon, "rules cannot be read").await;
    fs::create_dir(shop.path("rules")).unwrap();
    reload_says(&daemon, "rules holds no rule any more").await;
    daemon.signal("-HUP");
    daemon.hear("READY=1").await;
    assert!(daemon.get("/").await.body.contains("Next run: hello"), "not by a signal either");
    fs::remove_dir(shop.path("rules")).unwrap();
    fs::rename(shop.path("away"), shop.path("rules")).unwrap();
    reload_says(&daemon, "rules and templates reloaded").await;
    assert_eq!(texts(&shop.db, "SELECT rule FROM rule_states").await, ["hello"]);
    daemon.stop().await;
}
