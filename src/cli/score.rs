//! `stammgast score`: recompute and summarise the scores, export them as CSV.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::score_export::{self, Export};
use super::{App, Done};
use crate::base::money::Cents;
use crate::base::time::UnixMs;
use crate::flow::retrace::{Reach, Reached};
use crate::flow::{Ctx, rescore};
use crate::model::outlook::Outlook;
use crate::model::score::{Abc, Score};
use crate::rules::Tally;
use crate::score::lifetime::{Fitted, Lifetime, Thin};

/// Recompute and summarise the scores of all customers with orders
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stammgast score\n  stammgast score --as-of 2026-06-30T23:59:59 --export scores.csv\n\n\
    Without --as-of the scores of the present moment are stored, and rules see them. With --as-of they are only shown and\n\
    exported: a look at the past does not move what rules see. The first run makes up the moves between classes of [score] backfill_days\n\
    from the orders; --history 365 reaches further back. docs/scores.md says how each figure is made.")]
pub(super) struct Args {
    /// Scores as they were (or will be) then: 2026-06-30, 2026-06-30T23:59:59 (shop's time zone) or with an offset
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// CSV, one line for each customer with orders or with an own score, by external id
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Make the moves between classes reach back so many days, as far as there are orders: of the days before the first run they are made up
    #[arg(long, value_name = "DAYS", conflicts_with = "as_of", value_parser = clap::value_parser!(i64).range(1..=3650))]
    history: Option<i64>,
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let ctx = app.open(app.config()?, args.as_of.as_deref()).await?;
    let as_of = ctx.clock.now();
    let names: Vec<String> = App::own_scores(&ctx)?.scores().into_iter().map(|score| score.name.clone()).collect();
    let reached = match args.as_of {
        Some(_) => None,
        None => reach_back(&ctx, args.history).await?,
    };
    let (scored, mut own) = match args.as_of {
        Some(_) => (rescore::preview(&ctx, as_of).await?, Vec::new()),
        None => rescore::recompute(&ctx, as_of).await?,
    };
    let mut people = Vec::new();
    if !names.is_empty() && (args.as_of.is_some() || args.export.is_some()) {
        (people, own) = rescore::preview_own(&ctx, as_of, &scored.scores).await?;
    }
    if let Some(path) = &args.export {
        let export = Export { scores: &scored.scores, external_ids: &rescore::external_ids(&ctx).await?, own: &names, people: &people };
        score_export::write(path, &export)?;
    }
    let summary = Summary::of(&scored.scores);
    let ahead = Ahead::of(&scored.scores, scored.borders.lifetime);
    if app.json {
        let mut document = summary.json(as_of, args.as_of.is_none());
        document["models"] = ahead.models_json();
        document["known"] = ahead.known_json();
        document["own"] = json!(own);
        document["clv_12m_cents"] = ahead.clv_cents().map(|cents| cents.0).into();
        document["history"] =
            reached.map(|Reached { begins_at, nights, moves }| json!({ "begins_at": begins_at, "nights": nights, "moves": moves })).into();
        println!("{document}");
    } else {
        let (people, moment) = (summary.all.customers, ctx.config.shop.zone().format(as_of));
        match people {
            0 => println!("Nobody has a paid order as of {moment}: there are no scores of orders."),
            1 => println!("1 customer with orders as of {moment}"),
            _ => println!("{people} customers with orders as of {moment}"),
        }
        if people > 0 {
            println!("{}", summary.table(ctx.config.shop.currency.code()));
            println!("{}", summary.buckets_table());
            println!("{}", ahead.text(ctx.config.shop.currency.code()));
        }
        if !own.is_empty() {
            println!("{}", own_table(&own));
        }
        for (tally, failure) in own.iter().filter_map(|tally| Some((tally, tally.failure.as_ref()?))) {
            println!("{} fails for {} customers and is unknown for them: {failure}", tally.score, tally.failed);
        }
        if let Some(Reached { begins_at, nights, moves }) = reached {
            let begins = ctx.config.shop.zone().date(begins_at);
            println!("Moves between classes reach back to {begins}: {moves} were made up from the orders of {nights} nights");
        }
    }
    Ok(Done::Well)
}

/// Makes the history of moves reach back, with a bar where that takes time.
async fn reach_back(ctx: &Ctx, days: Option<i64>) -> anyhow::Result<Option<Reached>> {
    let kept = ctx.config.score.history_days;
    if let Some(days) = days {
        anyhow::ensure!(days <= kept, "--history {days}: moves are kept for {kept} days ([score] history_days)");
    }
    let Some(mut reach) = Reach::begin(ctx, ctx.clock.now(), days).await? else { return Ok(None) };
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} moves between classes: night {pos}")?);
    while reach.night().await? {
        bar.inc(1);
    }
    let reached = reach.store(ctx).await?;
    bar.finish_and_clear();
    Ok(reached)
}

/// How many customers have a value of each own score.
fn own_table(own: &[Tally]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header(["own score", "known", "unknown", "failed"]);
    for tally in own {
        table.add_row([tally.score.clone(), tally.known.to_string(), tally.unknown.to_string(), tally.failed.to_string()]);
    }
    right_aligned(table)
}

/// A group of customers.
#[derive(Clone, Copy, Default)]
struct Group {
    customers: usize,
    revenue: i128,
}

impl Group {
    fn of<'a>(scores: impl Iterator<Item = &'a Score>) -> Self {
        scores.fold(Self::default(), |group, score| Self { customers: group.customers + 1, revenue: group.revenue + i128::from(score.revenue.0) })
    }

    /// Part of the whole turnover, for people to read.
    #[expect(clippy::cast_precision_loss, reason = "a share for people, not an amount")]
    fn share(self, all: Self) -> Option<f64> {
        (all.revenue > 0).then(|| self.revenue as f64 / all.revenue as f64)
    }

    fn cents(self) -> Cents {
        Cents(i64::try_from(self.revenue).unwrap_or(i64::MAX))
    }
}

struct Summary {
    all: Group,
    classes: [(Abc, Group); 3],
    top: [(i64, Group); 3],
    /// Customers by score, for r, f and m.
    buckets: [(&'static str, Vec<usize>); 3],
}

impl Summary {
    fn of(scores: &[Score]) -> Self {
        let group = |keep: &dyn Fn(&Score) -> bool| Group::of(scores.iter().filter(|score| keep(score)));
        let most = scores.iter().map(|score| score.r.max(score.f).max(score.m)).max().unwrap_or(0);
        let counts = |value: fn(&Score) -> i64| (1..=most).map(|bucket| scores.iter().filter(|score| value(score) == bucket).count()).collect();
        Self {
            all: Group::of(scores.iter()),
            classes: [Abc::A, Abc::B, Abc::C].map(|class| (class, group(&|score| score.abc == class))),
            top: [5, 10, 20].map(|percent| (percent, group(&|score| score.top_percent <= percent))),
            buckets: [("r", counts(|score| score.r)), ("f", counts(|score| score.f)), ("m", counts(|score| score.m))],
        }
    }

    fn json(&self, as_of: UnixMs, stored: bool) -> Value {
        let group = |group: Group| json!({ "customers": group.customers, "revenue_cents": group.cents().0, "share": group.share(self.all) });
        let mut document = json!({
            "as_of": as_of,
            "stored": stored,
            "customers": self.all.customers,
            "revenue_cents": self.all.cents().0,
            "abc": self.classes.iter().map(|(class, of)| (class.code().to_owned(), group(*of))).collect::<Map<_, _>>(),
            "top": self.top.iter().map(|(percent, of)| (percent.to_string(), group(*of))).collect::<Map<_, _>>(),
        });
        for (name, counts) in &self.buckets {
            let counts = (1..).zip(counts).map(|(bucket, &count): (i64, _)| (bucket.to_string(), Value::from(count)));
            document[*name] = counts.collect::<Map<_, _>>().into();
        }
        document
    }

    fn table(&self, currency: &str) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING).set_header(["", "customers", currency, "share"]);
        let classes = self.classes.iter().map(|(class, group)| (format!("class {}", class.code()), *group));
        let top = self.top.iter().map(|(percent, group)| (format!("top {percent} %"), *group));
        for (name, group) in classes.chain(top).chain([("all".to_owned(), self.all)]) {
            let share = group.share(self.all).map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0));
            table.add_row([name, group.customers.to_string(), group.cents().to_string(), share]);
        }
        right_aligned(table)
    }

    fn buckets_table(&self) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        let header = (1..=self.buckets[0].1.len()).map(|bucket| bucket.to_string());
        table.set_header(std::iter::once("score".to_owned()).chain(header));
        for (name, counts) in &self.buckets {
            table.add_row(std::iter::once((*name).to_owned()).chain(counts.iter().map(ToString::to_string)));
        }
        right_aligned(table)
    }
}

/// What to expect: the fitted models, and how many customers have a value.
struct Ahead {
    lifetime: Option<Lifetime>,
    known: [(&'static str, usize); 6],
    clv: i128,
}

impl Ahead {
    fn of(scores: &[Score], lifetime: Option<Lifetime>) -> Self {
        let known = |value: fn(&Outlook) -> bool| scores.iter().filter(|score| value(&score.outlook)).count();
        Self {
            lifetime,
            known: [
                ("typical_gap_days", known(|outlook| outlook.typical_gap_e1.is_some())),
                ("next_order_in_days", known(|outlook| outlook.next_order_in_days.is_some())),
                ("churn_risk", known(|outlook| outlook.churn_risk_e2.is_some())),
                ("expected_orders_365", known(|outlook| outlook.expected_orders_365_e4.is_some())),
                ("expected_order_value", known(|outlook| outlook.expected_order_value.is_some())),
                ("clv_12m", known(|outlook| outlook.clv_12m.is_some())),
            ],
            clv: scores.iter().filter_map(|score| score.outlook.clv_12m).map(|cents| i128::from(cents.0)).sum(),
        }
    }

    /// Of all customers together; `None` when it is not known of anybody.
    fn clv_cents(&self) -> Option<Cents> {
        (self.known[5].1 > 0).then(|| Cents(i64::try_from(self.clv).unwrap_or(i64::MAX)))
    }

    fn models_json(&self) -> Value {
        fn of<M>(fitted: Result<Fitted<M>, Thin>, parameters: impl Fn(M) -> Value) -> Value {
            match fitted {
                Ok(Fitted { model, log_likelihood, customers }) => {
                    let mut found = parameters(model);
                    found["log_likelihood"] = log_likelihood.into();
                    found["customers"] = customers.into();
                    found
                }
                Err(thin) => json!({ "unknown": thin.to_string() }),
            }
        }
        let Some(lifetime) = self.lifetime else { return json!({}) };
        json!({
            "bgnbd": of(lifetime.buying, |model| json!({ "r": model.r, "alpha": model.alpha, "a": model.a, "b": model.b })),
            "gamma_gamma": of(lifetime.spending, |model| json!({ "p": model.p, "q": model.q, "v": model.v })),
        })
    }

    fn known_json(&self) -> Value {
        self.known.iter().map(|(fact, customers)| ((*fact).to_owned(), Value::from(*customers))).collect::<Map<_, _>>().into()
    }

    fn text(&self, currency: &str) -> String {
        let Some(lifetime) = self.lifetime else { return String::new() };
        let fit = |log_likelihood: f64, customers: i64| format!("log-likelihood {log_likelihood:.2}, {customers} customers");
        let buying = match lifetime.buying {
            Ok(Fitted { model: m, log_likelihood, customers }) => {
                format!("r {:.4}, alpha {:.3} days, a {:.4}, b {:.4}; {}", m.r, m.alpha, m.a, m.b, fit(log_likelihood, customers))
            }
            Err(thin) => format!("unknown: {thin}"),
        };
        let spending = match lifetime.spending {
            Ok(Fitted { model: m, log_likelihood, customers }) => {
                format!("p {:.4}, q {:.4}, v {:.3} {currency}; {}", m.p, m.q, m.v, fit(log_likelihood, customers))
            }
            Err(thin) => format!("unknown: {thin}"),
        };
        let clv = self.clv_cents().map_or_else(String::new, |cents| format!("\n all customers together, clv_12m: {cents} {currency}"));
        let known = self.known.map(|(fact, customers)| format!("{fact} {customers}")).join(", ");
        format!(" buying (BG/NBD)        {buying}\n spending (Gamma-Gamma) {spending}\n customers with a value: {known}{clv}")
    }
}

/// All columns but the first hold numbers.
fn right_aligned(mut table: comfy_table::Table) -> comfy_table::Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    table
}
