//! `stammgast migrate`: bring the schema up to date.

use super::{App, Done};
use crate::store::Db;

/// Bring the database's schema up to date
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stammgast migrate --config config/stammgast.toml")]
pub(super) struct Args {}

pub(super) async fn run(_args: Args, app: &App) -> anyhow::Result<Done> {
    let config = app.config()?;
    let db = Db::open(&config.database.url, config.database.connections).await?;
    let missing = db.pending_migrations().await?;
    db.migrate().await?;
    if app.json {
        println!("{}", serde_json::json!({ "applied": missing }));
    } else {
        println!("{missing} migrations applied; the schema is up to date.");
    }
    Ok(Done::Well)
}
