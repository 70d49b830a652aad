//! Every store test runs on both databases: `on_both!(name, |db| async move { … })`.

use std::sync::atomic::{AtomicU32, Ordering};

use stammgast::store::Db;
use tokio::sync::OnceCell;

use super::postgres::cluster;

/// A database of its own for one test, migrated; the folder of a SQLite file lives as long as this.
pub struct TestDb {
    pub db: Db,
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

pub async fn sqlite() -> TestDb {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/test.db", folder.path().display());
    let db = Db::open(&url, 4).await.expect("SQLite opens");
    db.migrate().await.expect("SQLite migrates");
    TestDb { db, url, _folder: Some(folder) }
}

pub async fn postgres() -> TestDb {
    static TEMPLATE: OnceCell<()> = OnceCell::const_new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    // Two copies of a template cannot be made at the same time.
    static COPYING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TEMPLATE
        .get_or_init(|| async {
            execute("postgres", "CREATE DATABASE migrated".to_owned()).await;
            let db = Db::open(&cluster().url("migrated"), 2).await.expect("PostgreSQL opens");
            db.migrate().await.expect("PostgreSQL migrates");
            db.close().await;
        })
        .await;
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let guard = COPYING.lock().await;
    execute("postgres", format!("CREATE DATABASE {name} TEMPLATE migrated")).await;
    drop(guard);
    let url = cluster().url(&name);
    let db = Db::open(&url, 8).await.expect("PostgreSQL opens");
    TestDb { db, url, _folder: None }
}

async fn execute(database: &str, statement: String) {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
    let mut connection = sqlx::PgConnection::connect(&cluster().url(database)).await.expect("PostgreSQL answers");
    connection.execute(AssertSqlSafe(statement)).await.expect("a database");
    connection.close().await.expect("closes");
}

/// Writes a test once and runs it on SQLite and on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($name:ident, |$db:ident| $body:expr) => {
        mod $name {
            use super::*;

            async fn test($db: &$crate::common::databases::TestDb) {
                $body
            }

            #[tokio::test]
            async fn on_sqlite() {
                test(&$crate::common::databases::sqlite().await).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                test(&$crate::common::databases::postgres().await).await;
            }
        }
    };
}
