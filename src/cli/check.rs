//! `stammgast check`: compile and lint rules, and say what is wrong with file, line and column.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::{App, Done};
use crate::rules::{RuleFault, RuleSet};

/// Check rules without running them
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  stammgast check rules/win-back.rhai\n\nWithout a path the folder of the configuration is checked. Exit 1 when there are faults."
)]
pub(super) struct Args {
    /// Folders with *.rhai files, or single files
    paths: Vec<PathBuf>,
}

pub(super) fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let paths = if args.paths.is_empty() { vec![app.config()?.rules.path] } else { args.paths };
    let mut rules = 0;
    let mut faults = Vec::new();
    for path in &paths {
        match RuleSet::load(path) {
            Ok(set) => rules += set.rules().len(),
            Err(found) => faults.extend(found),
        }
    }
    if app.json {
        let fault = |fault: &RuleFault| json!({ "file": fault.file, "line": fault.line, "column": fault.column, "severity": "error", "message": fault.message });
        println!("{}", json!({ "faults": faults.iter().map(fault).collect::<Vec<_>>() }));
    } else {
        show(&faults);
        println!("{rules} rules without fault, {} faults.", faults.len());
    }
    Ok(if faults.is_empty() { Done::Well } else { Done::WithFaults })
}

/// Each fault with its line of the file and a mark under the column.
fn show(faults: &[RuleFault]) {
    let mut texts: HashMap<&str, String> = HashMap::new();
    for fault in faults {
        println!("{fault}");
        let text = texts.entry(&fault.file).or_insert_with(|| fs::read_to_string(&fault.file).unwrap_or_default());
        if let Some(line) = fault.line.checked_sub(1).and_then(|line| text.lines().nth(line)) {
            // Tabs stay tabs, so that the mark stands where the column is.
            let indent: String = line.chars().take(fault.column.saturating_sub(1)).map(|c| if c == '\t' { c } else { ' ' }).collect();
            println!("    {line}\n    {indent}^");
        }
    }
}
