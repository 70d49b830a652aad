//! A shop with rules, people and a simulated clock: what tests of the flow start from.

use std::path::Path;
use std::sync::Arc;

use stammgast::base::clock::Clock;
use stammgast::base::time::UnixMs;
use stammgast::base::token::TokenKey;
use stammgast::channel::templates::TemplateSet;
use stammgast::config::Config;
use stammgast::flow::campaign::{Campaign, InForce};
use stammgast::flow::dispatch::{DispatchReport, Dispatcher};
use stammgast::flow::evaluate::{self, TickReport};
use stammgast::flow::share::Round;
use stammgast::flow::{Ctx, trigger};
use stammgast::rules::{RuleSet, ScoreSet};
use stammgast::store::Db;
use tokio_util::sync::CancellationToken;

use super::shop::execute;
use super::smtp::SmtpSink;
use crate::store::texts;

/// A Monday; everything in these tests happens in the shop's zone, Europe/Berlin.
pub const MONDAY_NINE: &str = "2024-07-01T09:00";

pub struct Stage {
    pub ctx: Ctx,
    pub in_force: Arc<InForce>,
}

impl Stage {
    /// `settings` are lines of TOML after the shop's name and imprint.
    pub fn new(db: &Db, at: &str, rules: &str, settings: &str) -> Self {
        Self::with_templates(db, at, rules, settings, Path::new("templates"))
    }

    pub fn with_templates(db: &Db, at: &str, rules: &str, settings: &str, templates: &Path) -> Self {
        let toml = format!("[shop]\nname = \"Konditorei Süßner\"\nimprint = \"Marktplatz 3, 01234 Zuckerstadt\"\n{settings}");
        let config = Config::from_toml(&toml).unwrap();
        let clock = Clock::simulated(config.shop.zone().parse_time(at).unwrap());
        let targets = config.webhooks.iter().map(|target| target.name.clone()).collect();
        let templates = TemplateSet::load(templates).unwrap_or_else(|faults| panic!("{faults:?}"));
        let campaign = Campaign {
            rules: rule_set(rules),
            scores: Arc::new(ScoreSet::none()),
            templates: Arc::new(templates),
            targets,
            token_key: TokenKey::new([7; 32]),
            warnings: Vec::new(),
        };
        Self { ctx: Ctx::new(db.clone(), clock, Arc::new(config)), in_force: Arc::new(InForce::new(campaign)) }
    }

    /// With own scores, as files of the folder would say them.
    pub fn with_scores(self, scores: &str) -> Self {
        let loaded = ScoreSet::from_sources(vec![("scores.rhai".to_owned(), scores.to_owned())]);
        let scores = Arc::new(loaded.unwrap_or_else(|faults| panic!("{faults:#?}")));
        let rules = rule_set(&self.in_force.get().rules.rules().first().map(|rule| rule.source.clone()).unwrap_or_default());
        let campaign = Campaign { scores: Arc::clone(&scores), ..self.in_force.get().with_rules(rules) };
        assert_eq!(campaign.rules.unfit_for(&scores, |_| None), []);
        self.in_force.put(campaign);
        self.ctx.own.put(Some(scores));
        self
    }

    pub fn moment(&self, text: &str) -> UnixMs {
        self.ctx.config.shop.zone().parse_time(text).unwrap()
    }

    pub fn set(&self, text: &str) {
        self.ctx.clock.set(self.moment(text));
    }

    /// Runs a rule for the present moment.
    pub async fn tick(&self, rule: &str) -> TickReport {
        let lease = evaluate::lease(&self.ctx, "test/1").await.unwrap().expect("nobody else decides");
        evaluate::tick(&self.ctx, &self.in_force.get(), rule, self.ctx.clock.now(), &lease).await.unwrap()
    }

    /// What is due now, as `rule at`.
    pub async fn due(&self) -> Vec<String> {
        let due = trigger::due(&self.ctx, &self.in_force.get()).await.unwrap();
        due.iter().map(|due| format!("{} {}", due.rule, &self.ctx.config.shop.zone().format(due.tick_at)[..16])).collect()
    }

    /// Runs what is due, as the daemon does; what ran.
    pub async fn run_due(&self) -> Vec<String> {
        let mut ran = Vec::new();
        let lease = evaluate::lease(&self.ctx, "test/1").await.unwrap().expect("nobody else decides");
        let mut round = Round::of(trigger::due(&self.ctx, &self.in_force.get()).await.unwrap());
        while let Some(report) = round.next(&self.ctx, &self.in_force.get(), &lease).await.unwrap() {
            if !report.already_ran {
                ran.push(format!("{} {}", report.rule, &self.ctx.config.shop.zone().format(report.tick_at)[..16]));
            }
        }
        ran
    }

    pub fn dispatcher(&self, owner: &str) -> Arc<Dispatcher> {
        Arc::new(Dispatcher::new(self.ctx.clone(), Arc::clone(&self.in_force), owner.to_owned()).unwrap())
    }

    pub async fn drain(&self) -> DispatchReport {
        let dispatcher = self.dispatcher("test/1");
        let report = dispatcher.drain(&CancellationToken::new()).await.unwrap();
        dispatcher.close().await;
        report
    }

    /// `customer rule occasion slot variant times`, by customer.
    pub async fn decisions(&self) -> Vec<String> {
        texts(
            &self.ctx.db,
            "SELECT c.external_id || ' ' || d.rule || ' ' || d.occasion || ' ' || d.slot || ' ' || COALESCE(d.variant, '-') || ' ' || CAST(d.times AS TEXT)
             FROM decisions d JOIN customers c ON c.id = d.customer_id ORDER BY c.id, d.tick_at, d.rule, d.slot",
        )
        .await
    }

    /// `customer state attempts fault`, by customer.
    pub async fn messages(&self) -> Vec<String> {
        texts(
            &self.ctx.db,
            "SELECT c.external_id || ' ' || d.state || ' ' || CAST(d.attempts AS TEXT) || ' ' || COALESCE(d.fault, '-')
             FROM messages m JOIN deliveries d ON d.message_id = m.id JOIN customers c ON c.id = m.customer_id ORDER BY c.id, m.created_at",
        )
        .await
    }

    /// When the messages are due, in the shop's zone, by customer.
    pub async fn due_times(&self) -> Vec<String> {
        let texts = texts(
            &self.ctx.db,
            "SELECT CAST(d.due_at AS TEXT) FROM messages m JOIN deliveries d ON d.message_id = m.id ORDER BY m.customer_id, m.created_at",
        )
        .await;
        texts.iter().map(|text| self.ctx.config.shop.zone().format(UnixMs(text.parse().unwrap()))[..16].to_owned()).collect()
    }
}

pub fn rule_set(text: &str) -> RuleSet {
    let loaded = RuleSet::from_sources(vec![("test.rhai".to_owned(), text.to_owned())]);
    loaded.unwrap_or_else(|faults| panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// Mail settings that lead to a sink.
pub fn to_sink(sink: &SmtpSink) -> String {
    to_port(sink.address().port())
}

pub fn to_port(port: u16) -> String {
    format!(
        "[mail]\ntransport = \"smtp\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nfrom = \"Konditorei <post@shop.example>\"\nconnections = 2\n"
    )
}

/// Customers with these numbers as id and external id, with an address and a double opt-in of 2020, and one order of 2024-05-01.
pub async fn people(db: &Db, ids: std::ops::RangeInclusive<i64>) {
    const OPT_IN: i64 = 1_577_836_800_000;
    const ORDERED: i64 = 1_714_550_400_000;
    let rows = |row: &dyn Fn(i64) -> String| ids.clone().map(row).collect::<Vec<_>>().join(", ");
    let customers = rows(&|id| format!("({id}, '{id}', 'p{id}@kunde.example', 'p{id}@kunde.example', 'Anna{id}', '[]', 0, 0)"));
    execute(db, format!("INSERT INTO customers (id, external_id, email, email_key, first_name, tags, created_at, updated_at) VALUES {customers}"))
        .await;
    let consents = rows(&|id| format!("({id}, {OPT_IN}, 'double_opt_in', 'test')"));
    execute(db, format!("INSERT INTO consents (customer_id, at, kind, source) VALUES {consents}")).await;
    let orders = rows(&|id| format!("({id}, 'o{id}', {id}, {ORDERED}, 1000, 'EUR', 'paid', 0, 0)"));
    execute(
        db,
        format!(
            "INSERT INTO orders (id, external_id, customer_id, ordered_at, revenue_cents, currency, status, content_hash, updated_at) VALUES {orders}"
        ),
    )
    .await;
}
