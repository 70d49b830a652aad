//! `stammgast rules list`.

use comfy_table::{Table, presets};
use serde_json::json;

use super::super::{App, Done, short};
use crate::base::time::UnixMs;
use crate::base::token::TokenKey;
use crate::flow::Ctx;
use crate::flow::campaign::Campaign;
use crate::flow::survey::{Standing, State, survey};
use crate::store::rules::Run;

/// Exit 1 when the files have faults: then only the database is told about.
pub(super) async fn run(ctx: &Ctx, app: &App) -> anyhow::Result<Done> {
    // The key plays no part in it.
    let files = Campaign::load(&ctx.config, TokenKey::new([0; 32]));
    let standings = survey(ctx, files.as_ref().ok()).await?;
    let faults: Vec<String> = files.err().iter().flatten().map(ToString::to_string).collect();
    if app.json {
        println!("{}", json!({ "rules": standings, "faults": faults }));
    } else {
        print(ctx, &standings);
        if !faults.is_empty() {
            println!("The files have faults, so nothing new in them is taken up:");
            for fault in &faults {
                println!("  {fault}");
            }
        }
    }
    Ok(if faults.is_empty() { Done::Well } else { Done::WithFaults })
}

fn print(ctx: &Ctx, standings: &[Standing]) {
    if standings.is_empty() {
        println!("There are no rules.");
        return;
    }
    let when = |at: UnixMs| ctx.config.shop.zone().wall(at).format("%Y-%m-%d %H:%M").to_string();
    let dash = || "–".to_owned();
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["rule", "state", "version", "since", "next run", "last run"]);
    for standing in standings {
        table.add_row([
            standing.rule.clone(),
            state(standing).to_owned(),
            standing.hash.as_deref().map_or_else(dash, |hash| short(hash).to_owned()),
            standing.since.map_or_else(dash, when),
            standing.next_run_at.map_or_else(dash, when),
            standing.last_run.as_ref().map_or_else(dash, |run| format!("{}: {}", when(run.at), figures(run))),
        ]);
    }
    println!("{table}");
    let held_out = ctx.config.policy.holdout_percent;
    if held_out > 0 {
        println!("{held_out} % of all customers are held out from all rules but order mails ([policy] holdout_percent).");
    }
    for standing in standings {
        for note in notes(ctx, standing) {
            println!("{}: {note}", standing.rule);
        }
    }
}

fn state(standing: &Standing) -> &'static str {
    match (&standing.paused, standing.state) {
        (Some(_), _) => "paused",
        (None, State::InForce) => "in force",
        (None, State::New) => "new",
        (None, State::Gone) => "gone",
    }
}

fn figures(run: &Run) -> String {
    let stopped = if run.finished { "" } else { " (not at its end)" };
    format!("{} messages, {} held out, {} refused{stopped}", run.messages, run.control, run.refused)
}

/// What the table has no room for.
fn notes(ctx: &Ctx, standing: &Standing) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(pause) = &standing.paused {
        notes.push(pause.sentence(ctx.config.shop.zone()));
        if standing.open.waiting > 0 {
            notes.push(format!("{} messages wait for `stammgast rules resume {}`", standing.open.waiting, standing.rule));
        }
    }
    if let Some(switch) = &standing.switch {
        notes.push(format!(
            "{} has won: everybody new who is not held out gets it, since {}",
            switch.winner,
            ctx.config.shop.zone().format(switch.at)
        ));
    }
    match (standing.state, &standing.changed) {
        (State::New, Some(hash)) => notes.push(format!("in the files ({}), not taken up by a daemon yet", short(hash))),
        (State::InForce, Some(hash)) => {
            notes.push(format!(
                "the file has another version ({}), not taken up by a daemon yet: stammgast rules diff {}",
                short(hash),
                standing.rule
            ));
        }
        (State::Gone, _) => notes.push("is not in the files any more".to_owned()),
        _ => {}
    }
    notes
}
