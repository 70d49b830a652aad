//! `stammgast init`: a new shop's folder.

use std::path::PathBuf;

use super::{App, Done, shipped};

/// A new shop's folder: commented configuration, rules, own scores, templates
///
/// Files that are there already stay as they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stammgast init my-shop && cd my-shop && stammgast check")]
pub(super) struct Args {
    /// The folder
    dir: PathBuf,
}

pub(super) fn run(args: &Args, app: &App) -> anyhow::Result<Done> {
    let written = shipped::write(&args.dir, None)?;
    if app.json {
        println!("{}", serde_json::json!({ "written": written }));
        return Ok(Done::Well);
    }
    for path in &written {
        println!("  {}", args.dir.join(path).display());
    }
    println!(
        "{} files written. Next: fill in [shop] and [mail] in config/stammgast.toml, then run `stammgast check` in {}.",
        written.len(),
        args.dir.display()
    );
    Ok(Done::Well)
}
