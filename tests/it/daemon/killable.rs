//! A shop whose daemon is killed again and again: its folder, its customers, its outbox.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use stammgast::store::Db;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::common::databases::TestDb;
use crate::store::{number, texts};

/// Open connections to the receiver at most, and so messages in doubt after one kill at most.
pub(super) const CONNECTIONS: usize = 4;
/// When a daemon is killed, in milliseconds after it connected to the receiver.
const LIFE_MS: std::ops::RangeInclusive<u64> = 12..=300;
/// One daemon in so many is killed while it starts (opens the database, takes up what the last one left), at most so many milliseconds after its start.
const EARLY: (u32, u64) = (8, 150);
/// A program that does not end within this hangs.
const HANGS: Duration = Duration::from_mins(10);
/// A daemon that does not connect to the receiver within this hangs, or has nothing to send.
const SILENT: Duration = Duration::from_mins(1);

/// How much is done; the environment asks for more than the short form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) messages: usize,
    pub(super) kills: usize,
    pub(super) seed: u64,
}

impl Plan {
    pub(super) fn read() -> Self {
        #[expect(clippy::disallowed_methods, reason = "settings of the test, not of the program")]
        let setting = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text}")));
        let count = |name: &str| setting(name).map(|count| usize::try_from(count).unwrap());
        Self {
            messages: count("STAMMGAST_MAILS").unwrap_or(300),
            kills: count("STAMMGAST_KILLS").unwrap_or(12),
            seed: setting("STAMMGAST_KILL_SEED").unwrap_or_else(rand::random),
        }
    }

    pub(super) fn dice(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }

    /// The receiver's pause before each answer, so that two thirds of the messages leave between all kills: a mail takes four answers on one of four
    /// connections, so one mail leaves per pause.
    pub(super) fn pause(&self) -> Duration {
        let life_ms = usize::midpoint(usize::try_from(*LIFE_MS.start()).unwrap(), usize::try_from(*LIFE_MS.end()).unwrap());
        Duration::from_millis((self.kills * life_ms * 3 / (self.messages * 2)).max(1) as u64)
    }
}

/// The shop. Its database is open in this process only while it is looked at, so that each daemon finds the files as the last one left them.
pub(super) struct Shop {
    pub(super) plan: Plan,
    pub(super) url: String,
    folder: tempfile::TempDir,
}

impl Shop {
    /// A shop with as many customers as the plan has messages, each with a queued message made by `action`. `sections` completes the configuration.
    pub(super) async fn open(db: &TestDb, plan: Plan, action: &str, sections: &str) -> Self {
        db.db.close().await;
        let shop = Self { plan, url: db.url.clone(), folder: tempfile::tempdir().unwrap() };
        let rule =
            format!("rule(\"welcome\").every(\"0 9 1 1 *\").basis(\"consent\").when(|c| c.orders == 0).once_per(\"ever\").send(|c| {action});\n");
        std::fs::create_dir(shop.path("rules")).unwrap();
        std::fs::write(shop.path("rules/welcome.rhai"), rule).unwrap();
        let config = format!(
            "[shop]\nname = \"Konditorei Süßner\"\nimprint = \"Marktplatz 3, 01234 Zuckerstadt\"\n[database]\nurl = \"{}\"\nconnections = 4\n\
             [templates]\npath = \"{}/templates\"\n[policy]\nquiet_from = \"00:00\"\nquiet_until = \"00:00\"\n[guards]\nhold_percent = 0\n[dispatch]\nbatch = 10\n\
             [server]\nlisten = \"127.0.0.1:0\"\n[daemon]\nname = \"one\"\npoll_s = 1\n[log]\nfilter = \"warn\"\n{sections}",
            shop.url,
            env!("CARGO_MANIFEST_DIR"),
        );
        std::fs::write(shop.path("stammgast.toml"), config).unwrap();
        let people = (1..=plan.messages).map(|n| format!("{n},k{n}@kunde.example,de,double_opt_in,2025-01-01T12:00:00Z,checkout\n"));
        let csv: String = ["customer_id,email,locale,consent,consent_at,consent_source\n".to_owned()].into_iter().chain(people).collect();
        std::fs::write(shop.path("customers.csv"), csv).unwrap();
        shop.json(&["import", "customers", "customers.csv"], &[]).await;
        let ran = shop.json(&["run", "welcome", "--no-dispatch"], &[]).await;
        assert_eq!(ran["runs"][0]["messages"].as_u64(), Some(plan.messages as u64), "{ran}");
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str], settings: &[(&str, String)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
        command.args(arguments).arg("--config").arg(self.path("stammgast.toml")).current_dir(self.folder.path());
        // On PostgreSQL a daemon's lock stands in the folder for temporary files: each test has its own.
        command.env("TMPDIR", self.folder.path()).envs(settings.iter().map(|(key, value)| (key, value))).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// What a command that must succeed says. The receivers of this process answer meanwhile.
    pub(super) async fn json(&self, arguments: &[&str], settings: &[(&str, String)]) -> Value {
        let mut command = self.command(arguments, settings);
        let Ok(output) = timeout(HANGS, command.arg("--json").output()).await else {
            let states = tally(self.states().await.into_values());
            panic!("{arguments:?} hangs: {states:?}\n{}", self.log())
        };
        let output = output.unwrap();
        assert!(output.status.success(), "{arguments:?}: {}{}", String::from_utf8_lossy(&output.stderr), self.log());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Starts a daemon.
    pub(super) fn serve(&self, settings: &[(&str, String)]) -> Child {
        let log = OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        self.command(&["serve"], settings).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    /// Asks a daemon to end, and waits until it did.
    pub(super) async fn terminate(child: &mut Child) -> ExitStatus {
        let id = child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        timeout(HANGS, child.wait()).await.expect("it hangs").unwrap()
    }

    /// What the daemons wrote to stderr.
    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Starts a daemon and kills it at a random moment, as often as the plan says. `arrivals` counts its connections to the receiver.
    pub(super) async fn kill_again_and_again(&self, settings: &[(&str, String)], mut arrivals: watch::Receiver<usize>) -> Kills {
        let (mut dice, mut kills) = (self.plan.dice(), Kills::default());
        let mut unseen: usize = 0;
        while kills.all < self.plan.kills {
            arrivals.mark_unchanged();
            let mut child = self.serve(settings);
            if dice.random_ratio(1, EARLY.0) {
                tokio::time::sleep(Duration::from_millis(dice.random_range(0..=EARLY.1))).await;
                kills.early += 1;
            } else {
                tokio::select! {
                    arrived = timeout(SILENT, arrivals.changed()) => arrived.unwrap_or_else(|_| panic!("nothing is sent\n{}", self.log())).unwrap(),
                    ended = child.wait() => panic!("a daemon ended by itself: {ended:?}\n{}", self.log()),
                }
                // Whoever sends has taken up what the last one left: nothing else can put a message in doubt here.
                let doubtful = self.count("in_doubt").await;
                let new = doubtful - kills.doubtful;
                assert!(new <= CONNECTIONS * unseen, "{new} new in doubt after {unseen} kills; seed {}", self.plan.seed);
                kills.most = kills.most.max(if unseen == 1 { new } else { 0 });
                (kills.doubtful, unseen) = (doubtful, 0);
                tokio::time::sleep(Duration::from_millis(dice.random_range(LIFE_MS))).await;
            }
            assert!(child.try_wait().unwrap().is_none(), "a daemon ended by itself\n{}", self.log());
            child.kill().await.unwrap();
            kills.all += 1;
            unseen += 1;
        }
        let waiting = self.count("queued").await + self.count("claimed").await;
        assert!(waiting > 0, "the kills must fit into the sending; seed {}", self.plan.seed);
        kills
    }

    async fn look<T>(&self, question: impl AsyncFnOnce(&Db) -> T) -> T {
        let db = Db::open(&self.url, 1).await.unwrap();
        let answer = question(&db).await;
        db.close().await;
        answer
    }

    async fn number(&self, query: &str) -> usize {
        usize::try_from(self.look(async |db| number(db, query).await).await).unwrap()
    }

    /// How many messages are in a state.
    pub(super) async fn count(&self, state: &str) -> usize {
        self.number(&format!("SELECT COUNT(*) FROM deliveries WHERE state = '{state}'")).await
    }

    /// How many outcomes of a kind were logged.
    pub(super) async fn outcomes(&self, kind: &str) -> usize {
        self.number(&format!("SELECT COUNT(*) FROM outcome_log WHERE kind = '{kind}'")).await
    }

    /// The state of each message.
    pub(super) async fn states(&self) -> BTreeMap<String, String> {
        let rows = self.look(async |db| texts(db, "SELECT CAST(message_id AS TEXT) || ' ' || state FROM deliveries").await).await;
        rows.iter().map(|row| row.split_once(' ').unwrap()).map(|(id, state)| (id.to_owned(), state.to_owned())).collect()
    }
}

/// How often each text comes.
fn tally(texts: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    texts.fold(BTreeMap::new(), |mut counts, text| {
        *counts.entry(text).or_default() += 1;
        counts
    })
}

/// What was done to a daemon.
#[derive(Debug, Default)]
pub(super) struct Kills {
    /// Kills.
    pub(super) all: usize,
    /// Those of them while it started.
    pub(super) early: usize,
    /// In doubt when it was looked at last.
    doubtful: usize,
    /// Most new ones in doubt after one kill.
    pub(super) most: usize,
}
