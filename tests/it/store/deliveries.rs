//! A message and its delivery: neither without the other, and what an older schema held in one row.

use std::path::Path;

use sqlx::migrate::Migrator;
use stammgast::base::clock::Clock;
use stammgast::base::time::UnixMs;
use stammgast::model::action::Channel;
use stammgast::store::messages::{self, Claimer};
use stammgast::store::{Db, StoreError};

use crate::common::databases::TestDb;
use crate::common::shop::{execute, together};
use crate::common::stage::people;
use crate::store::{number, texts};

const STATES: [&str; 7] = ["queued", "claimed", "data", "sent", "failed", "in_doubt", "cancelled"];

/// A decision to send for each state, for customer 1.
async fn decided(db: &Db) {
    people(db, 1..=1).await;
    let row = |id: usize| format!("({id}, 1, 'hello', '{id}', 'arm', '', 0, 0, 'send', 'A', '', 0, '{{}}', 1, 0)");
    let rows: Vec<String> = (1..=STATES.len()).map(row).collect();
    let columns =
        "id, customer_id, rule, occasion, slot, rule_hash, tick_at, decided_at, verdict, variant, detail, effective_at, inputs, times, last_at";
    execute(db, format!("INSERT INTO decisions ({columns}) VALUES {}", rows.join(", "))).await;
}

/// A database with the schema as it was before deliveries had a table, and a message in each state.
async fn before(test: &TestDb, folder: &Path) -> Db {
    let migrations = async |name: &str| {
        let all = Migrator::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(name)).await.unwrap();
        Migrator::with_migrations(all.iter().filter(|migration| migration.version < 17).cloned().collect())
    };
    let db = match &test.db {
        Db::Sqlite { .. } => Db::open(&format!("sqlite://{}/old.db", folder.display()), 2).await.unwrap(),
        Db::Postgres(_) => {
            execute(&test.db, "DROP SCHEMA public CASCADE".to_owned()).await;
            execute(&test.db, "CREATE SCHEMA public".to_owned()).await;
            Db::open(&test.url, 4).await.unwrap()
        }
    };
    match &db {
        Db::Sqlite { write, .. } => migrations("sqlite").await.run(write).await.unwrap(),
        Db::Postgres(pool) => migrations("postgres").await.run(pool).await.unwrap(),
    }
    decided(&db).await;
    for (id, state) in (1..).zip(STATES) {
        let lease = if ["claimed", "data"].contains(&state) { "'berlin/1', 5000" } else { "NULL, NULL" };
        let end = match state {
            "queued" | "claimed" | "data" => "NULL, NULL, NULL, NULL, NULL",
            "cancelled" => "70, NULL, 'the customer objected', NULL, NULL",
            "sent" => "70, NULL, '250', 60, 'accepted'",
            "failed" => "70, 'bad_address', '550', 60, 'refused'",
            _ => "70, NULL, 'no answer', 60, 'in_doubt'",
        };
        let columns =
            "id, decision_id, customer_id, rule, variant, occasion, channel, basis, action, body, created_at, state, due_at, attempts, fence,
                       lease_owner, lease_until, done_at, fault, reply, last_started_at, last_result";
        let values = format!(
            "{id}00, {id}, 1, 'hello', 'A', '{id}', 'webhook', 'consent', '{{\"target\":\"t\"}}', 'body {id}', 7, '{state}', {id}, 2, 3, {lease}, {end}"
        );
        execute(&db, format!("INSERT INTO messages ({columns}) VALUES ({values})")).await;
        execute(&db, format!("INSERT INTO attempts VALUES ({id}00, 1, 10, 20, 'retry', 'busy', '451')")).await;
    }
    db
}

on_both!(messages_in_every_state_and_their_tries_outlive_the_migration, |test| {
    let folder = tempfile::tempdir().unwrap();
    let db = before(test, folder.path()).await;
    let text = |column: &str| format!("COALESCE(CAST({column} AS TEXT), '-')");
    let row = |columns: &[&str]| columns.iter().map(|column| text(column)).collect::<Vec<_>>().join(" || ' ' || ");
    let stands = row(&[
        "channel",
        "rule",
        "state",
        "due_at",
        "attempts",
        "fence",
        "lease_owner",
        "lease_until",
        "done_at",
        "fault",
        "reply",
        "last_started_at",
        "last_result",
    ]);
    let said = format!(
        "SELECT {} FROM messages ORDER BY id",
        row(&["id", "decision_id", "customer_id", "variant", "occasion", "basis", "action", "body", "created_at"])
    );
    let tries = format!(
        "SELECT {} FROM attempt_log ORDER BY message_id, number",
        row(&["message_id", "number", "started_at", "ended_at", "result", "fault", "detail"])
    );
    let outcomes = format!("SELECT {} FROM outcome_log ORDER BY decision_id", row(&["decision_id", "kind", "ref", "at"]));
    let logs = async || (texts(&db, &said).await, texts(&db, &tries).await, texts(&db, &outcomes).await);
    let (stood, told) = (texts(&db, &format!("SELECT {stands} FROM messages ORDER BY id")).await, logs().await);
    assert_eq!((stood.len(), told.1.len(), told.2.len()), (7, 10, 3));

    db.migrate().await.unwrap();
    assert_eq!(texts(&db, &format!("SELECT {stands} FROM deliveries ORDER BY message_id")).await, stood);
    assert_eq!(logs().await, told);

    // What was open goes on: the lease of the claimed one and of the one in `data` is over.
    let mut tx = db.write().await.unwrap();
    assert_eq!(messages::recover(&mut tx, ("hamburg/1", false), Channel::Webhook, UnixMs(5_000), UnixMs(100)).await.unwrap(), (1, 1));
    tx.commit().await.unwrap();
    let claimed = Claimer::new(db.clone(), "hamburg/1".to_owned()).claim(UnixMs(9_000), UnixMs(100), 10, Channel::Webhook).await.unwrap();
    assert_eq!(claimed.iter().map(|message| (message.id.0, message.fence)).collect::<Vec<_>>(), [(100, 4), (200, 4)]);
    execute(&db, "DELETE FROM customers".to_owned()).await;
    assert_eq!(number(&db, "SELECT COUNT(*) FROM deliveries").await + number(&db, "SELECT COUNT(*) FROM attempts").await, 0);
    db.close().await;
});

on_both!(the_database_refuses_a_message_without_its_delivery, |test| {
    decided(&test.db).await;
    let message = "INSERT INTO messages (id, decision_id, customer_id, rule, variant, occasion, channel, basis, action, created_at)
                   VALUES (1, 1, 1, 'hello', 'A', '1', 'email', 'consent', '{}', 0)";
    let delivery =
        "INSERT INTO deliveries (message_id, channel, rule, state, due_at, attempts, fence) VALUES (1, 'email', 'hello', 'queued', 0, 0, 0)";
    let refused = async |statements: &[&str]| {
        let statements: Vec<String> = statements.iter().map(ToString::to_string).collect();
        matches!(together(&test.db, &statements).await, Err(StoreError::Conflict(_)))
    };
    assert!(refused(&[message]).await);
    assert!(refused(&[delivery]).await);
    assert!(!refused(&[message, delivery]).await);
    assert!(refused(&["DELETE FROM deliveries"]).await);
    assert!(refused(&["UPDATE deliveries SET message_id = 2"]).await);
    let open = "SELECT COUNT(*) FROM messages m JOIN deliveries d ON d.message_id = m.id WHERE d.done_at IS NULL";
    assert_eq!(number(&test.db, open).await, 1);
    execute(&test.db, "DELETE FROM customers".to_owned()).await;
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM deliveries").await, 0);
});

on_both!(after_a_restored_backup_nothing_that_was_open_is_sent_by_itself, |test| {
    // As docs/operations.md says.
    let statement = include_str!("../../../docs/operations.md").split("```").find_map(|part| part.strip_prefix("sql\nUPDATE deliveries"));
    let folder = tempfile::tempdir().unwrap();
    let db = before(test, folder.path()).await;
    db.migrate().await.unwrap();
    execute(&db, format!("UPDATE deliveries{}", statement.unwrap())).await;
    let states = texts(&db, "SELECT state FROM deliveries ORDER BY message_id").await;
    assert_eq!(states, ["in_doubt", "in_doubt", "in_doubt", "sent", "failed", "in_doubt", "cancelled"]);
    db.close().await;
});

on_both!(a_claim_takes_what_is_due_first_and_no_message_twice, |test| {
    decided(&test.db).await;
    for (id, due_at) in [(1, 30), (2, 10), (3, 20), (4, 10), (5, 99)] {
        let statements = [
            format!(
                "INSERT INTO messages (id, decision_id, customer_id, rule, variant, occasion, channel, basis, action, created_at)
                 VALUES ({id}, {id}, 1, 'hello', 'A', '{id}', 'webhook', 'consent', '{{\"target\":\"t\"}}', 0)"
            ),
            format!(
                "INSERT INTO deliveries (message_id, channel, rule, state, due_at, attempts, fence) VALUES ({id}, 'webhook', 'hello', 'queued', {due_at}, 0, 0)"
            ),
        ];
        together(&test.db, &statements).await.unwrap();
    }
    let until = Clock::System.now().plus(60_000);
    let (mut berlin, mut hamburg) = (Claimer::new(test.db.clone(), "berlin/1".to_owned()), Claimer::new(test.db.clone(), "hamburg/1".to_owned()));
    let (first, second) = tokio::join!(berlin.claim(until, UnixMs(50), 2, Channel::Webhook), hamburg.claim(until, UnixMs(50), 2, Channel::Webhook));
    let mut claimed: Vec<i64> = first.unwrap().iter().chain(&second.unwrap()).map(|message| message.id.0).collect();
    // Whoever asks while the other one takes a row leaves it alone.
    claimed.extend(berlin.claim(until, UnixMs(50), 2, Channel::Webhook).await.unwrap().iter().map(|message| message.id.0));
    claimed.sort_unstable();
    assert_eq!(claimed, [1, 2, 3, 4]);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM deliveries WHERE state = 'claimed' AND fence = 1 AND attempts = 1").await, 4);
    execute(&test.db, "UPDATE deliveries SET state = 'queued', lease_owner = NULL, lease_until = NULL".to_owned()).await;
    let again = berlin.claim(until, UnixMs(50), 3, Channel::Webhook).await.unwrap();
    assert_eq!(again.iter().map(|message| (message.id.0, message.fence)).collect::<Vec<_>>(), [(2, 2), (4, 2), (3, 2)]);
});
