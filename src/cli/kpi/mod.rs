//! `stammgast kpi`: the shop's key figures, its goals, cohorts and best customers.

mod export;
mod tables;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use chrono::NaiveDate;

use super::replaced::replace;
use super::{App, Done, day};
use crate::flow::measure::{Question, measure, pictures};
use crate::model::kpi::By;

/// The shop's key figures by month, quarter or year; goals, cohorts, best customers
///
/// Only paid orders count. Periods are those of the calendar in the shop's time zone; the running one is counted so far, and not compared with the
/// one before. What cannot be known is shown as – (null in JSON). docs/kpis.md defines every figure.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  stammgast kpi\n  stammgast kpi --by month --from 2026-01-01 --cohorts\n  stammgast kpi --to 2026-06-30 --csv kpi.csv --json\n  stammgast kpi --svg pictures"
)]
pub(super) struct Args {
    /// The periods
    #[arg(long, value_enum, default_value_t = ByWord::Quarter)]
    by: ByWord,
    /// The first period is the one of this day; without it the one of the first order
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<NaiveDate>,
    /// The last day that counts; without it all until now
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<NaiveDate>,
    /// Show the table of monthly cohorts as well
    #[arg(long)]
    cohorts: bool,
    /// Write the periods as CSV, one line each
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw cohorts.svg, pareto.svg and rfm.svg into this folder
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ByWord {
    Month,
    Quarter,
    Year,
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    if let (Some(from), Some(to)) = (args.from, args.to) {
        anyhow::ensure!(from <= to, "--from {from} is later than --to {to}");
    }
    let by = match args.by {
        ByWord::Month => By::Month,
        ByWord::Quarter => By::Quarter,
        ByWord::Year => By::Year,
    };
    let ctx = app.open(app.config()?, None).await?;
    let measured = measure(&ctx, &Question { by, from: args.from, to: args.to }).await?;
    if let Some(from) = args.from {
        anyhow::ensure!(from <= measured.to, "--from {from} is still to come: the last day that counts is {}", measured.to);
    }
    if let Some(path) = &args.csv {
        export::write(path, &measured.periods, &measured.currency)?;
    }
    let mut drawn = Vec::new();
    if let Some(folder) = &args.svg {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        for picture in pictures(&ctx, &measured).await? {
            let path = folder.join(format!("{}.svg", picture.name));
            replace(&path, |file| Ok(file.write_all(picture.svg.as_bytes())?))?;
            drawn.push(path.display().to_string());
        }
    }
    if app.json {
        println!("{}", serde_json::to_string(&measured)?);
    } else {
        tables::print(&measured, args.cohorts, app.signs);
        if args.svg.is_some() && drawn.is_empty() {
            println!("\nThere is nothing to draw yet.");
        } else if !drawn.is_empty() {
            println!("\nDrawn: {}", drawn.join(", "));
        }
    }
    Ok(Done::Well)
}
