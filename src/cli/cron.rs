//! `stammgast cron`: the next runs of a crontab line, local and UTC.

use anyhow::Context as _;

use super::{App, Done};
use crate::base::clock::Clock;
use crate::base::time::{UnixMs, Zone};
use crate::rules::crontab::Crontab;

/// Show the next runs of a crontab line, local and UTC
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stammgast cron \"30 2 * * *\" --zone Europe/Berlin --from 2026-03-28 --count 3")]
pub(super) struct Args {
    /// minute hour day-of-month month day-of-week, or @daily, @weekly …
    #[arg(value_name = "EXPR")]
    expression: String,
    /// IANA time zone [default: the shop's]
    #[arg(long)]
    zone: Option<String>,
    /// Runs at this time or later: 2026-03-28, 2026-03-28T09:00 (in the zone) or with an offset [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// How many runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
}

pub(super) fn run(args: &Args, app: &App) -> anyhow::Result<Done> {
    let zone = match &args.zone {
        Some(name) => Zone::parse(name).map_err(anyhow::Error::msg).context("--zone")?,
        None => app.config()?.shop.zone(),
    };
    let from = match &args.from {
        Some(text) => zone.parse_time(text).context("--from")?,
        None => Clock::System.now(),
    };
    let crontab = Crontab::parse(&args.expression)?;
    // `next_after` wants a moment before the first run that counts.
    let runs = crontab.between(from.plus(-1), UnixMs(i64::MAX), zone, args.count.into());
    if app.json {
        let runs: Vec<_> =
            runs.iter().map(|&at| serde_json::json!({ "local": zone.format(at), "utc": at, "remark": crontab.remark(at, zone) })).collect();
        println!("{}", serde_json::json!({ "expression": crontab.to_string(), "zone": zone.0.name(), "runs": runs }));
        return Ok(Done::Well);
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header([zone.0.name(), "UTC", ""]);
    for at in runs {
        let local = format!("{} {}", zone.wall(at).format("%a"), zone.format(at));
        table.add_row([local, at.to_string(), crontab.remark(at, zone).unwrap_or_default()]);
    }
    println!("{}", table.trim_fmt());
    Ok(Done::Well)
}
