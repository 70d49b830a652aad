//! `stammgast check`: compile and lint rules and templates, and say what is wrong with file, line and column.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::{App, Done};
use crate::base::token::TokenKey;
use crate::flow::campaign::Campaign;
use crate::model::fault::FileFault;
use crate::rules::RuleSet;

/// Check rules and templates without running anything
///
/// Without a path: the rules and templates of the configuration, and whether each template and webhook target that a rule names is there.
/// With paths: the rules there. Exit 1 when there are faults.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast check\n  stammgast check rules/win-back.rhai --json")]
pub(super) struct Args {
    /// Folders with *.rhai files, or single files
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: &Args, app: &App) -> anyhow::Result<Done> {
    let mut rules = 0;
    let mut faults = Vec::new();
    if args.paths.is_empty() {
        // The key plays no part in a check.
        match Campaign::load(&app.config()?, TokenKey::new([0; 32])) {
            Ok(campaign) => rules += campaign.rules.rules().len(),
            Err(found) => faults.extend(found),
        }
    }
    for path in &args.paths {
        match RuleSet::load(path) {
            Ok(set) => rules += set.rules().len(),
            Err(found) => faults.extend(found),
        }
    }
    if app.json {
        let fault = |fault: &FileFault| json!({ "file": fault.file, "line": fault.line, "column": fault.column, "severity": "error", "message": fault.message });
        println!("{}", json!({ "faults": faults.iter().map(fault).collect::<Vec<_>>() }));
    } else {
        show(&faults);
        let well = if faults.is_empty() { format!("{rules} rules, all well.") } else { format!("{} faults.", faults.len()) };
        println!("{well}");
    }
    Ok(if faults.is_empty() { Done::Well } else { Done::WithFaults })
}

/// Each fault with its line of the file and a mark under the column.
fn show(faults: &[FileFault]) {
    let mut texts: HashMap<&str, String> = HashMap::new();
    for fault in faults {
        println!("{fault}");
        let text = texts.entry(&fault.file).or_insert_with(|| fs::read_to_string(&fault.file).unwrap_or_default());
        if let Some(line) = fault.line.checked_sub(1).and_then(|line| text.lines().nth(line)) {
            // Tabs stay tabs, so that the mark stands where the column is.
            let indent: String = line.chars().take(fault.column.saturating_sub(1)).map(|c| if c == '\t' { c } else { ' ' }).collect();
            let mark = if fault.column == 0 { "" } else { "^" };
            println!("    {line}\n    {indent}{mark}");
        }
    }
}
