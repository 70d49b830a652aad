//! `stammgast serve`: the daemon.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{App, Done, logging};
use crate::daemon::files::Fingerprint;
use crate::daemon::{self, lock};
use crate::flow::campaign::InForce;

/// The daemon: runs rules on their schedule, sends what is due, serves the pages
///
/// Changed rules and templates are taken up by themselves and on SIGHUP (a broken file leaves the running ones in place); SIGTERM ends it after open mail transactions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stammgast serve --config /etc/stammgast/stammgast.toml")]
pub(super) struct Args {}

pub(super) async fn run(_args: Args, app: &App) -> anyhow::Result<Done> {
    let config = app.config()?;
    logging::start(&config.log);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let ctx = app.open(config, None).await?;
    let identity = lock::take(&ctx.config, &ctx.db)?;
    let files = Fingerprint::of(&ctx.config);
    let in_force = Arc::new(InForce::new(app.campaign(&ctx).await?));
    let parts = daemon::Parts { ctx, in_force, identity, config_path: app.config.clone(), files, stages: true };
    daemon::serve(parts, CancellationToken::new(), |_| {}).await?;
    Ok(Done::Well)
}
