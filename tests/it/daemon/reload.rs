//! Rules are changed while the daemon runs.

use super::process::{Daemon, HELLO, Shop};

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
    std::fs::remove_file(shop.path("rules/third.rhai")).unwrap();
    let output = shop.run(&["serve"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("second.rhai:1:") && said.contains("there is no template 'no-such-mail': expected one of thank-you"), "{said}");
}
