//! `stammgast import customers|orders|events FILE`: shop exports into the database, idempotent, with a list of what could not be read.

mod rejected;

use std::fs::File;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;

use super::{App, Done};
use crate::base::clock::Clock;
use crate::base::time::UnixMs;
use crate::config::Config;
use crate::flow::{Ctx, ingest};
use crate::intake::customers::Customers;
use crate::intake::dates::{self, DateOrder};
use crate::intake::events::Events;
use crate::intake::fields::Kind;
use crate::intake::mapping::{Maps, check_names};
use crate::intake::orders::Orders;
use crate::intake::rows::Rows;
use crate::intake::{Found, IntakeError, Options, Refused};
use crate::model::customer::NewCustomer;
use crate::model::event::{self, NewEvent};
use crate::model::import::{ComplaintCounts, ImportCounts};
use crate::model::order::NewOrder;
use crate::store::schema::Grown;
use rejected::RejectedFile;

/// Import customers, orders or events from CSV or JSON lines; the same file a second time changes nothing
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exports of Shopify and WooCommerce and spreadsheets (comma, semicolon or tab; decimal comma; UTF-8, UTF-16, Windows-1252) are known by
their columns. What is not known is named with --map, or once and for all in [import] of the configuration.

Ours, customers: customer_id email first_name last_name name birthday locale tags referred_by consent consent_at consent_source created_at
Ours, orders:    order_id order_number customer_id email first_name last_name customer_name ordered_at revenue refunded cost currency
                 status cancelled_at voucher_code consent line_sku line_name line_category line_quantity line_price line_total line_cost
Ours, events:    event_id customer_id email kind value at

consent is double_opt_in, single_opt_in (or yes), existing_customer, objected (or unsubscribed); a plain 'no' says nothing: it does not
tell an objection from a question never asked. Times without an offset are in the shop's time zone. Neighbouring rows with the same
order_id are one order; an order without any id gets one from its content, so that equal rows stay as many orders as they are.

kind is a word for what happened; of nps (0 to 10) and csat (1 to 5) the value is the answer, and `stammgast kpi` counts them. Rules read events
(c.nps, c.csat, c.answers_in …). A complaint says that somebody called a message spam: they have objected to advertising from then on. Its value is the
message's Message-ID, or the rule's name; without one it is about the last message of [experiments] complaint_days.

Lines that cannot be read are written to FILE.rejected with number and reason, the rest is imported, and the exit status is 1. Mend them
in FILE.rejected and import that file.

Examples:
  stammgast import customers customers.csv
  stammgast import orders orders.csv --map order_id=Vorgang --map revenue=Zahlbetrag
  stammgast import events survey.csv --map value=Weiterempfehlung --kind nps
  stammgast import events spam-reports.csv --map value=Message-ID --kind complaint
  zcat orders.jsonl.gz | stammgast import orders - --json")]
pub(super) struct Args {
    /// What the file holds
    #[arg(value_enum)]
    what: What,
    /// CSV with a header, or JSON lines; - for standard input
    file: PathBuf,
    /// A column by our name and the file's
    #[arg(long, value_name = "OURS=THEIRS", value_parser = parse_map)]
    map: Vec<(String, String)>,
    /// The system that the data is from: put before all its ids ("NAME:123"), so that the same numbers in two systems do not clash, and
    /// the source of consents that name none
    #[arg(long, value_name = "NAME", value_parser = parse_source)]
    source: Option<String>,
    /// How dates like 04/05/2025 are meant, if the file does not tell; or that times are Unix numbers
    #[arg(long, value_enum)]
    date_order: Option<DateOrderWord>,
    /// What all events of the file are, for one without a column that says it, e.g. nps
    #[arg(long, value_name = "KIND", value_parser = event::kind)]
    kind: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    Customers,
    Orders,
    Events,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DateOrderWord {
    /// 31/12/2025
    Dmy,
    /// 12/31/2025
    Mdy,
    /// Seconds since 1970
    Unix,
    /// Milliseconds since 1970
    UnixMs,
}

impl From<DateOrderWord> for DateOrder {
    fn from(word: DateOrderWord) -> Self {
        match word {
            DateOrderWord::Dmy => Self::DayFirst,
            DateOrderWord::Mdy => Self::MonthFirst,
            DateOrderWord::Unix => Self::UnixSeconds,
            DateOrderWord::UnixMs => Self::UnixMilliseconds,
        }
    }
}

fn parse_map(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(ours, theirs)| !ours.trim().is_empty() && !theirs.trim().is_empty());
    pair.map(|(ours, theirs)| (ours.trim().to_owned(), theirs.trim().to_owned())).ok_or_else(|| "expected OURS=THEIRS, e.g. email=E-Mail".to_owned())
}

fn parse_source(text: &str) -> Result<String, String> {
    let good = (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if good { Ok(text.to_owned()) } else { Err("expected 1 to 40 letters, digits, - _ .".to_owned()) }
}

/// A part of the file on its way from the decoder's thread to the database.
struct Batch {
    records: Records,
    refused: Vec<Refused>,
}

enum Records {
    Customers(Vec<NewCustomer>),
    Orders(Vec<NewOrder>),
    Events(Vec<NewEvent>),
}

/// Where the bytes come from.
struct Source {
    path: Option<PathBuf>,
    bar: ProgressBar,
}

impl Source {
    fn new(file: &Path) -> Self {
        let path = (file != Path::new("-")).then(|| file.to_owned());
        let length = path.as_ref().and_then(|path| path.metadata().ok()).filter(std::fs::Metadata::is_file).map(|file| file.len());
        let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let template = match length {
            Some(_) => "{wide_bar} {percent}% · {bytes_per_sec} · {msg} · {eta} left",
            None => "{spinner} {bytes} · {bytes_per_sec} · {msg}",
        };
        // The template is ours and right; a wrong one would only cost the bar its looks.
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { path, bar }
    }

    fn name(&self) -> String {
        self.path.as_ref().map_or_else(|| "standard input".to_owned(), |path| path.display().to_string())
    }

    fn open(&self) -> std::io::Result<Box<dyn Read + Send>> {
        Ok(match &self.path {
            Some(path) => Box::new(File::open(path)?),
            None => Box::new(stdin()),
        })
    }

    /// Only a file can be read a second time.
    fn is_file(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.is_file())
    }

    /// When the data was written: the file's own date.
    fn data_at(&self) -> UnixMs {
        let modified = self.path.as_ref().and_then(|path| path.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok());
        modified.and_then(|since| i64::try_from(since.as_millis()).ok()).map_or_else(|| Clock::System.now(), UnixMs)
    }
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let config = app.config()?;
    let source = Source::new(&args.file);
    let (kind, usual) = match args.what {
        What::Customers => (Kind::Customers, &config.import.customers),
        What::Orders => (Kind::Orders, &config.import.orders),
        What::Events => (Kind::Events, &config.import.events),
    };
    let usual = usual.iter().map(|(ours, theirs)| (ours.clone(), theirs.clone())).collect();
    let maps = Maps { asked: args.map.clone(), usual, attributes: ingest::attributes(&config), event_kind: args.kind.clone() };
    let options = options(&args, &config, &source, kind, &maps).with_context(|| source.name())?;
    let ctx = app.open(config, None).await?;
    let input: Box<dyn Read + Send> = Box::new(source.bar.wrap_read(source.open().with_context(|| source.name())?));

    let (sender, batches) = mpsc::channel(1);
    let (rows, reader) = match kind {
        Kind::Customers => {
            let decoder = Customers::open(input, &maps, options).with_context(|| source.name())?;
            (about(decoder.rows()), tokio::task::spawn_blocking(move || read(decoder, |_| 1, Records::Customers, &sender)))
        }
        Kind::Orders => {
            let decoder = Orders::open(input, &maps, options).with_context(|| source.name())?;
            let weigh = |order: &NewOrder| 1 + order.lines.len() / 2;
            (about(decoder.rows()), tokio::task::spawn_blocking(move || read(decoder, weigh, Records::Orders, &sender)))
        }
        Kind::Events => {
            let decoder = Events::open(input, &maps, options).with_context(|| source.name())?;
            (about(decoder.rows()), tokio::task::spawn_blocking(move || read(decoder, |_| 1, Records::Events, &sender)))
        }
    };
    let mut rejected = RejectedFile::new(source.path.as_deref(), rows.form);
    let (counts, complaints) = store(&ctx, batches, &mut rejected, &source.bar).await?;
    reader.await.context("the decoder")?.with_context(|| source.name())?;
    let rejected_path = rejected.finish()?;
    source.bar.finish_and_clear();
    ctx.db.has_grown(Grown::Shop, counts.inserted).await?;
    ctx.db.close().await;

    if app.json {
        println!("{}", serde_json::to_string(&Summary { counts, complaints: (kind == Kind::Events).then_some(complaints) })?);
    } else {
        let ImportCounts { inserted, updated, unchanged, rejected } = counts;
        println!("{}: {kind}: {inserted} inserted, {updated} updated, {unchanged} unchanged; {rejected} lines rejected", source.name());
        match (inserted + updated + unchanged, rejected) {
            (0, 0) => println!("The file has no rows."),
            (0, _) => println!("Nothing was imported."),
            _ => {}
        }
        println!("Columns: {}", rows.used);
        if complaints.complaints > 0 {
            let ComplaintCounts { complaints, attributed } = complaints;
            println!("Complaints: {complaints}, each an objection from then on; {attributed} counted for the message that they are about");
        }
        if !rows.unused.is_empty() {
            println!("Not used: {}", rows.unused);
        }
        if let Some(path) = rejected_path {
            println!("The rejected lines stand in {} with their reasons: mend them there and import that file.", path.display());
        }
    }
    Ok(if counts.rejected == 0 { Done::Well } else { Done::WithFaults })
}

/// Looks at the names in `[import]`: section and sentence for the first that is nothing.
pub(super) fn check(config: &Config) -> Result<(), String> {
    let (usual, own) = (&config.import, ingest::attributes(config));
    for (kind, names) in [(Kind::Customers, &usual.customers), (Kind::Orders, &usual.orders), (Kind::Events, &usual.events)] {
        check_names(kind, &own, names.keys().map(String::as_str)).map_err(|problem| format!("[import] {kind}: {problem}"))?;
    }
    Ok(())
}

/// What the decoders need to know; looks through the file for the order of its dates if need be.
fn options(args: &Args, config: &Config, source: &Source, kind: Kind, maps: &Maps) -> Result<Options, IntakeError> {
    let mut date_order = args.date_order.map(DateOrder::from);
    if date_order.is_none() && source.is_file() {
        date_order = dates::order_in(Rows::open(source.open()?, kind, maps)?)?;
    }
    let shop = &config.shop;
    let (zone, currency, source_name) = (shop.zone(), shop.currency, args.source.clone());
    Ok(Options { zone, currency, date_order, source: source_name, data_at: source.data_at(), now: Clock::System.now() })
}

/// What an import did, as JSON.
#[derive(serde::Serialize)]
struct Summary {
    #[serde(flatten)]
    counts: ImportCounts,
    /// Of events only.
    #[serde(flatten)]
    complaints: Option<ComplaintCounts>,
}

/// What the summary says about the file.
struct About {
    form: crate::intake::rows::Form,
    used: String,
    unused: String,
}

fn about(rows: &Rows) -> About {
    let used: Vec<String> = rows.mapping.used().iter().map(|(ours, theirs)| format!("{ours} ← {theirs}")).collect();
    About { form: rows.form.clone(), used: used.join(", "), unused: rows.mapping.unused().join(", ") }
}

/// Decodes on a thread of its own, so that reading and storing go on at the same time; three batches exist at most.
fn read<T>(
    decoder: impl Iterator<Item = Result<Found<T>, IntakeError>>,
    weigh: impl Fn(&T) -> usize,
    wrap: impl Fn(Vec<T>) -> Records,
    sender: &mpsc::Sender<Batch>,
) -> Result<(), IntakeError> {
    let (mut records, mut refused, mut weight) = (Vec::new(), Vec::new(), 0);
    for found in decoder {
        match found? {
            Found::Record(record) => {
                weight += weigh(&record);
                records.push(record);
            }
            Found::Refused(lines) => {
                weight += lines.iter().map(|line| 1 + line.raw.len() / 200).sum::<usize>();
                refused.extend(lines);
            }
        }
        if weight >= ingest::BATCH {
            let batch = Batch { records: wrap(std::mem::take(&mut records)), refused: std::mem::take(&mut refused) };
            weight = 0;
            // Nobody listens any more: storing has failed and says why.
            if sender.blocking_send(batch).is_err() {
                return Ok(());
            }
        }
    }
    let _ = sender.blocking_send(Batch { records: wrap(records), refused });
    Ok(())
}

async fn store(
    ctx: &Ctx,
    mut batches: mpsc::Receiver<Batch>,
    rejected: &mut RejectedFile,
    bar: &ProgressBar,
) -> anyhow::Result<(ImportCounts, ComplaintCounts)> {
    let (mut counts, mut complaints) = (ImportCounts::default(), ComplaintCounts::default());
    let mut stored = 0;
    while let Some(batch) = batches.recv().await {
        let done = match batch.records {
            Records::Customers(records) => ingest::customers(ctx, records).await,
            Records::Orders(records) => ingest::orders(ctx, records).await.map(|ingested| ingested.counts),
            Records::Events(records) => ingest::events(ctx, records).await.map(|(counts, of_batch)| {
                complaints.add(of_batch);
                counts
            }),
        };
        counts.add(done.with_context(|| format!("after {stored} records, which are stored; importing the file again goes on"))?);
        counts.rejected += batch.refused.len() as u64;
        rejected.write(&batch.refused)?;
        stored = counts.inserted + counts.updated + counts.unchanged;
        let seconds = bar.elapsed().as_secs().max(1);
        bar.set_message(format!("{stored} records, {}/s", stored / seconds));
    }
    Ok((counts, complaints))
}
