//! A disk that is full, and has room again.

use sqlx::AssertSqlSafe;
use stammgast::on;
use stammgast::store::{StoreError, Tx};

use crate::common::databases::sqlite;
use crate::store::number;

async fn execute(tx: &mut Tx, statement: &str) -> Result<(), StoreError> {
    on!(tx, |c| sqlx::query(AssertSqlSafe(statement.to_owned())).execute(c).await.map(drop))
}

#[tokio::test]
async fn after_a_full_disk_sqlite_is_written_to_again() {
    let test = sqlite().await;
    for round in 0..3 {
        let mut tx = test.db.write().await.unwrap();
        // As many pages as there are: the next one finds no room.
        let limit = "PRAGMA max_page_count = 1";
        execute(&mut tx, limit).await.unwrap();
        let full = execute(&mut tx, "INSERT INTO settings (name, value) VALUES ('large', hex(zeroblob(100000)))").await;
        assert!(full.unwrap_err().to_string().contains("full"), "round {round}");
        drop(tx);
        let mut tx = test.db.write().await.unwrap();
        execute(&mut tx, &format!("INSERT INTO settings (name, value) VALUES ('round {round}', '')")).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM settings WHERE name LIKE 'round %'").await, 3);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM settings WHERE name = 'large'").await, 0);
}
