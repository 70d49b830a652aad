//! One daemon of a name on one database.

use super::process::{Daemon, Shop};
use crate::common::databases::postgres;

#[tokio::test]
async fn a_second_daemon_and_a_run_are_kept_off_a_sqlite_file_until_the_first_ends() {
    let shop = Shop::on_sqlite(0, "").await;
    let first = Daemon::start(&shop).await;
    for command in ["serve", "run"] {
        let output = shop.run(&[command]).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("another stammgast works on this database (") && said.contains("one at a time on SQLite"), "{command}: {said}");
    }
    // Looking is allowed.
    assert!(shop.run(&["messages"]).await.status.success());
    assert_eq!(first.get("/readyz").await.status, 200);
    first.stop().await;
    assert!(shop.run(&["run"]).await.status.success());
    Daemon::start(&shop).await.stop().await;
}

#[tokio::test]
async fn a_killed_daemon_leaves_no_lock_behind() {
    let shop = Shop::on_sqlite(0, "").await;
    let mut first = Daemon::start(&shop).await;
    first.signal("-KILL");
    assert_eq!(first.end().await, None);
    Daemon::start(&shop).await.stop().await;
}

#[tokio::test]
async fn on_postgresql_each_daemon_of_a_machine_needs_its_own_name() {
    let test = postgres().await;
    let shop = Shop::on_postgres(&test.url, 0, "[daemon]\nname = \"one\"\n").await;
    let first = Daemon::start(&shop).await;
    let output = shop.run(&["serve"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("another stammgast named 'one' works on this machine") && said.contains("another [daemon] name"), "{said}");
    let second = Daemon::start_with(&shop, &[("STAMMGAST__DAEMON__NAME", "two")]).await;
    for daemon in [&first, &second] {
        daemon.until_ready_is(200).await;
    }
    second.stop().await;
    first.stop().await;
}
