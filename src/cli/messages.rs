//! `stammgast messages`: the outbox: what is in doubt and what failed first; a person decides what becomes of it.

use anyhow::Context as _;
use clap::Subcommand;
use comfy_table::{Table, presets};
use serde_json::json;

use super::{App, Done};
use crate::base::id::Id;
use crate::channel::message::Sender;
use crate::flow::Ctx;
use crate::model::message::MessageState;
use crate::store::Tx;
use crate::store::messages;
use crate::store::outbox::{self, Listed};

/// The outbox: list, show, resolve, retry; in-doubt and failed messages first
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  stammgast messages\n  stammgast messages list --state in_doubt --json\n  stammgast messages resolve 123 --as sent\n  stammgast messages retry 123"
)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Messages, in-doubt and failed ones first
    List {
        /// Only messages in this state: queued, claimed, data, sent, failed, in_doubt, cancelled
        #[arg(long)]
        state: Option<String>,
        /// Most lines
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
        limit: i64,
    },
    /// One message with its attempts
    Show {
        /// The message's id
        id: i64,
    },
    /// Say what became of a message in doubt, after a look into the relay's log
    Resolve {
        /// The message's id
        id: i64,
        /// `sent` or `failed`
        #[arg(long = "as", value_parser = ["sent", "failed"])]
        state: String,
    },
    /// Send a failed message again, or one in doubt that did not arrive
    Retry {
        /// The message's id
        id: i64,
    },
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let ctx = app.open(app.config()?, None).await?;
    match args.action.unwrap_or(Action::List { state: None, limit: 50 }) {
        Action::List { state, limit } => list(&ctx, app, state.as_deref(), limit).await?,
        Action::Show { id } => show(&ctx, app, Id(id)).await?,
        Action::Resolve { id, state } => {
            let state = MessageState::parse(&state).context("--as")?;
            let mut tx = ctx.db.write().await?;
            there(&mut tx, Id(id)).await?;
            let done = messages::resolve(&mut tx, Id(id), state, "resolved by a person", ctx.clock.now()).await?;
            tx.commit().await?;
            anyhow::ensure!(done, "message {id} is not in doubt: nothing was changed");
            said(app, id, state.code());
        }
        Action::Retry { id } => {
            let mut tx = ctx.db.write().await?;
            there(&mut tx, Id(id)).await?;
            let done = messages::requeue(&mut tx, Id(id), ctx.clock.now()).await?;
            tx.commit().await?;
            anyhow::ensure!(done, "message {id} has neither failed nor is it in doubt: nothing was changed");
            said(app, id, "queued");
        }
    }
    Ok(Done::Well)
}

fn said(app: &App, id: i64, state: &str) {
    if app.json {
        println!("{}", json!({ "id": id.to_string(), "state": state }));
    } else {
        println!("Message {id} is {state} now.");
    }
}

async fn list(ctx: &Ctx, app: &App, state: Option<&str>, limit: i64) -> anyhow::Result<()> {
    if let Some(state) = state {
        let words = MessageState::ALL.map(MessageState::code).join(", ");
        MessageState::parse(state).with_context(|| format!("'{state}' is no state: expected one of {words}"))?;
    }
    let mut tx = ctx.db.read().await?;
    let counts = crate::store::report::message_states(&mut tx).await?;
    let found = outbox::list(&mut tx, state, limit).await?;
    if app.json {
        let states: serde_json::Map<_, _> = counts.into_iter().map(|(state, count)| (state, count.into())).collect();
        println!("{}", json!({ "states": states, "messages": found }));
        return Ok(());
    }
    let summary: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    println!("{}", if summary.is_empty() { "The outbox is empty.".to_owned() } else { format!("Outbox: {}", summary.join(", ")) });
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["id", "state", "rule", "variant", "customer", "tries", "created", "last word"]);
    for message in &found {
        let Listed { id, state, rule, variant, customer, attempts, created_at, reply, paused, .. } = message;
        let last = if *paused { "waits: its rule is paused".to_owned() } else { reply.clone().unwrap_or_default() };
        table.add_row([&id.to_string(), state, rule, variant, customer, &attempts.to_string(), &ctx.config.shop.zone().format(*created_at), &last]);
    }
    if !found.is_empty() {
        println!("{table}");
    }
    Ok(())
}

async fn there(tx: &mut Tx, id: Id) -> anyhow::Result<Listed> {
    outbox::one(tx, id).await?.with_context(|| format!("there is no message {id}"))
}

async fn show(ctx: &Ctx, app: &App, id: Id) -> anyhow::Result<()> {
    let mut tx = ctx.db.read().await?;
    let message = there(&mut tx, id).await?;
    let attempts = outbox::attempts(&mut tx, id).await?;
    if app.json {
        println!("{}", json!({ "message": message, "attempts": attempts }));
        return Ok(());
    }
    let zone = ctx.config.shop.zone();
    println!(
        "Message {id}: {} ({} by rule {}, variant {}, occasion {})",
        message.state, message.channel, message.rule, message.variant, message.occasion
    );
    if let (Some(domain), "email") = (sender_domain(ctx), message.channel.as_str()) {
        println!("  Message-ID <{id}@{domain}>");
    }
    println!("  customer {}, created {}, due {}", message.customer, zone.format(message.created_at), zone.format(message.due_at));
    if message.paused {
        println!("  waits until its rule goes on: stammgast rules list");
    }
    for attempt in attempts {
        let fault = attempt.fault.map(|fault| format!(" ({fault})")).unwrap_or_default();
        println!("  {}  {}{fault}: {}", zone.format(attempt.ended_at), attempt.result, attempt.detail);
    }
    Ok(())
}

/// The domain in Message-IDs: the sender's.
fn sender_domain(ctx: &Ctx) -> Option<String> {
    Sender::parse(&ctx.config.mail.from).ok().map(|sender| sender.address.domain().to_owned())
}
