//! The two schemas say the same, and every statement is understood by both databases.

use std::collections::BTreeMap;

use sqlx::{Executor as _, Row as _, SqlSafeStr as _};
use stammgast::store::schema::Grown;
use stammgast::store::{Db, schema, statements};

use crate::common::databases::{postgres, sqlite};
use crate::common::stage::people;
use crate::store::{number, texts};

/// Table → column → may be null.
type Columns = BTreeMap<String, BTreeMap<String, bool>>;

#[tokio::test]
async fn both_schemas_have_the_same_tables_views_columns_and_nullability() {
    let (lite, pg) = (sqlite().await, postgres().await);
    let Db::Sqlite { read, .. } = &lite.db else { panic!("SQLite") };
    let Db::Postgres(pool) = &pg.db else { panic!("PostgreSQL") };
    let rows = sqlx::query(
        "SELECT m.name AS tab, i.name AS col, i.\"notnull\" AS strict FROM sqlite_schema m, pragma_table_info(m.name) i
         WHERE m.type IN ('table', 'view') AND m.name NOT LIKE '\\_%' ESCAPE '\\' AND m.name NOT LIKE 'sqlite%'",
    );
    let mut in_sqlite = Columns::new();
    for row in rows.fetch_all(read).await.unwrap() {
        in_sqlite.entry(row.get("tab")).or_default().insert(row.get("col"), row.get::<i64, _>("strict") == 0);
    }
    let rows = sqlx::query(
        "SELECT table_name::text AS tab, column_name::text AS col, is_nullable = 'YES' AS nullable FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name NOT LIKE '\\_%'",
    );
    let mut in_postgres = Columns::new();
    for row in rows.fetch_all(pool).await.unwrap() {
        in_postgres.entry(row.get("tab")).or_default().insert(row.get("col"), row.get("nullable"));
    }
    assert!(in_sqlite.len() > 10, "{in_sqlite:?}");
    assert_eq!(in_sqlite, in_postgres);
}

#[tokio::test]
async fn every_statement_is_prepared_on_both_databases() {
    let (lite, pg) = (sqlite().await, postgres().await);
    let Db::Sqlite { write, .. } = &lite.db else { panic!("SQLite") };
    let Db::Postgres(pool) = &pg.db else { panic!("PostgreSQL") };
    for (name, sql) in statements() {
        if !sql.sqlite.is_empty() {
            let mut connection = write.acquire().await.unwrap();
            connection.prepare(sql.sqlite.into_sql_str()).await.unwrap_or_else(|error| panic!("{name} on SQLite: {error}\n{}", sql.sqlite));
        }
        if !sql.postgres.is_empty() {
            let mut connection = pool.acquire().await.unwrap();
            connection.prepare(sql.postgres.into_sql_str()).await.unwrap_or_else(|error| panic!("{name} on PostgreSQL: {error}\n{}", sql.postgres));
        }
    }
}

#[test]
fn every_migration_file_is_listed_and_both_folders_have_the_same() {
    let files = |folder: &str| {
        let mut names: Vec<String> = std::fs::read_dir(format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR")))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(files("sqlite"), schema::migration_names());
    assert_eq!(files("postgres"), schema::migration_names());
}

#[tokio::test]
async fn migrating_twice_changes_nothing_and_a_fresh_database_lacks_migrations() {
    for test in [sqlite().await, postgres().await] {
        test.db.migrate().await.unwrap();
        assert_eq!(test.db.pending_migrations().await.unwrap(), 0);
    }
    let folder = tempfile::tempdir().unwrap();
    let fresh = Db::open(&format!("sqlite://{}/deep/er/new.db", folder.path().display()), 1).await.unwrap();
    assert_eq!(fresh.pending_migrations().await.unwrap(), schema::migration_names().len());
}

#[tokio::test]
async fn postgresql_plans_a_statement_once() {
    let pg = postgres().await;
    assert_eq!(texts(&pg.db, "SELECT current_setting('plan_cache_mode')").await, ["force_generic_plan"]);
}

#[tokio::test]
async fn postgresql_gets_statistics_of_tables_that_have_grown() {
    let pg = postgres().await;
    let known = async || number(&pg.db, "SELECT reltuples::bigint FROM pg_class WHERE relname = 'customers'").await;
    people(&pg.db, 1..=3).await;
    pg.db.has_grown(Grown::Shop, 999).await.unwrap();
    assert_eq!(known().await, -1, "not for a handful");
    pg.db.has_grown(Grown::Shop, 1000).await.unwrap();
    assert_eq!(known().await, 3);
}
