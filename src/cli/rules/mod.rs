//! `stammgast rules`: what runs, in which version, since when; and the brake.

mod list;
mod pause;
mod versions;

use clap::Subcommand;

use super::{App, Done};
use crate::flow::{Ctx, survey};
use crate::rules::RuleSet;

/// The rules that run: list, show, diff; pause and resume
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  stammgast rules\n  stammgast rules diff win-back\n  stammgast rules pause win-back --reason \"the voucher is wrong\"\n  stammgast rules resume win-back"
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every rule: version, paused or not, changed in its file or gone, next and last run
    List,
    Show(versions::Show),
    Diff(versions::Diff),
    Pause(pause::Pause),
    Resume(pause::Resume),
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let ctx = app.open(app.config()?, None).await?;
    let done = match args.action.unwrap_or(Action::List) {
        Action::List => list::run(&ctx, app).await,
        Action::Show(args) => versions::show(args, &ctx, app).await,
        Action::Diff(args) => versions::diff(args, &ctx, app).await,
        Action::Pause(args) => pause::pause(args, &ctx, app).await,
        Action::Resume(args) => pause::resume(args, &ctx, app).await,
    };
    ctx.db.close().await;
    done
}

/// Refuses the name of a rule that neither ran nor is in the files. Files with faults stop nobody who wants to look or to brake.
async fn exists(ctx: &Ctx, rule: &str) -> anyhow::Result<()> {
    let files = RuleSet::load(&ctx.config.rules.path).ok();
    survey::exists(ctx, rule, files.as_ref()).await?.map_err(anyhow::Error::msg)
}
