//! Floor 1: the configuration: the embedded `config/default.toml`, the shop's file over it, the environment over both.

mod environment;
pub mod goals;
pub mod mail;
pub mod sections;
pub mod server;
pub mod shop;
pub mod webhooks;

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;

/// The commented defaults; also what `stammgast init` writes.
pub const DEFAULT_TOML: &str = include_str!("../../config/default.toml");
/// Where the shop's file is when nobody says otherwise.
pub const DEFAULT_PATH: &str = "config/stammgast.toml";

/// All settings.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The shop itself.
    pub shop: shop::Shop,
    /// Where the data is.
    pub database: sections::Database,
    /// Where the rules are.
    pub rules: sections::Rules,
    /// Where the mail templates are.
    pub templates: sections::Folder,
    /// How exports call what we know.
    pub import: sections::Import,
    /// Own facts about customers.
    pub attributes: sections::Attributes,
    /// How scores are made.
    pub score: sections::Score,
    /// What key figures assume.
    pub kpi: goals::KpiSettings,
    /// What they are to reach.
    #[serde(default)]
    pub goals: goals::Goals,
    /// When nobody may be written to.
    pub policy: sections::Policy,
    /// When a run stops and asks.
    pub guards: sections::Guards,
    /// What comparisons are about.
    pub experiments: sections::Experiments,
    /// How mail leaves.
    pub mail: mail::Mail,
    /// Targets of webhooks.
    #[serde(default)]
    pub webhooks: Vec<webhooks::Target>,
    /// How webhooks leave.
    pub webhook: webhooks::Webhook,
    /// How the outbox is emptied.
    pub dispatch: sections::Dispatch,
    /// The web pages.
    pub server: server::Server,
    /// The daemon's rhythm.
    pub daemon: sections::Daemon,
    /// Logging.
    pub log: sections::Log,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there although it was named.
    #[error("{0}: no such file; `stammgast init DIR` makes a new shop's folder with one")]
    Missing(PathBuf),
    /// A key is unknown, or a value has the wrong type.
    #[error("{0}")]
    Bad(String),
}

impl Config {
    /// Loads the defaults, then `file`, then the environment. Without `file` the default path is taken if it exists.
    ///
    /// # Errors
    /// A sentence that names the file, the key and what is expected.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let chosen = match file {
            Some(path) if path.is_dir() => {
                return Err(ConfigError::Bad(format!(
                    "{}: is a folder: expected a TOML file, e.g. {}",
                    path.display(),
                    path.join("stammgast.toml").display()
                )));
            }
            Some(path) if !path.is_file() => return Err(ConfigError::Missing(path.to_owned())),
            Some(path) => Some(path.to_owned()),
            None => Some(PathBuf::from(DEFAULT_PATH)).filter(|path| path.is_file()),
        };
        let text = chosen.as_deref().map(std::fs::read_to_string).transpose();
        let text =
            text.map_err(|error| ConfigError::Bad(format!("{}: cannot be read: {error}", chosen.as_deref().unwrap_or(Path::new("")).display())))?;
        let environment = Env::prefixed("STAMMGAST__").split("__");
        Self::from_parts(text.as_deref().unwrap_or_default(), chosen.as_deref(), Some(environment))
    }

    /// Builds a configuration from a text, without file and environment: for tests and the demo.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::from_parts(text, None, None)
    }

    fn from_parts(text: &str, path: Option<&Path>, environment: Option<Env>) -> Result<Self, ConfigError> {
        let name = path.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string());
        let defaults = Figment::from(Toml::string(DEFAULT_TOML));
        let mut figment = defaults.clone().merge(Toml::string(text));
        if let Some(environment) = environment {
            figment = environment::over(figment, &defaults, &environment);
        }
        let mut config: Self = figment.extract().map_err(|error| ConfigError::Bad(explain(error, text, &name)))?;
        config.read_files()?;
        config.check().map_err(|(section, key, problem)| ConfigError::Bad(format!("{}: {problem}", place(text, &name, section, key))))?;
        let told = |(goal, key, problem): goals::GoalFault| format!("{}: {problem}", place(text, &name, &format!("goals.{goal}"), key));
        let faults: Vec<String> = config.goals.faults().into_iter().map(told).collect();
        if faults.is_empty() { Ok(config) } else { Err(ConfigError::Bad(faults.join("\n"))) }
    }

    /// What is allowed and perhaps not meant, a sentence each.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.mail.warning().into_iter().map(|(key, problem)| format!("[mail] {key}: {problem}")).collect()
    }

    fn read_files(&mut self) -> Result<(), ConfigError> {
        sections::read_secret_file(&self.database.url_file, &mut self.database.url)?;
        sections::read_secret(&self.mail.password_file, &mut self.mail.password)?;
        sections::read_secret(&self.server.api_token_file, &mut self.server.api_token)?;
        for target in &mut self.webhooks {
            sections::read_secret(&target.secret_file, &mut target.secret)?;
        }
        Ok(())
    }

    /// Checks each section: section, key and a sentence for the first fault.
    fn check(&self) -> Result<(), (&'static str, &'static str, String)> {
        self.shop.check().map_err(|(key, problem)| ("shop", key, problem))?;
        self.database.check().map_err(|(key, problem)| ("database", key, problem))?;
        self.attributes.check().map_err(|(key, problem)| ("attributes", key, problem))?;
        self.rules.check().map_err(|(key, problem)| ("rules", key, problem))?;
        self.score.check().map_err(|(key, problem)| ("score", key, problem))?;
        self.kpi.check().map_err(|(key, problem)| ("kpi", key, problem))?;
        self.policy.check().map_err(|(key, problem)| ("policy", key, problem))?;
        self.guards.check().map_err(|(key, problem)| ("guards", key, problem))?;
        self.experiments.check().map_err(|(key, problem)| ("experiments", key, problem))?;
        self.mail.check().map_err(|(key, problem)| ("mail", key, problem))?;
        self.webhook.check().map_err(|(key, problem)| ("webhook", key, problem))?;
        for target in &self.webhooks {
            target.check().map_err(|(key, problem)| ("webhooks", key, problem))?;
        }
        webhooks::all_differ(&self.webhooks).map_err(|(key, problem)| ("webhooks", key, problem))?;
        self.dispatch.check(&self.mail).map_err(|(key, problem)| ("dispatch", key, problem))?;
        self.server.check().map_err(|(key, problem)| ("server", key, problem))?;
        self.daemon.check().map_err(|(key, problem)| ("daemon", key, problem))
    }
}

/// Keys whose values no sentence may repeat; a database's or a target's URL may hold a password.
const SECRETS: [&str; 4] = ["password", "secret", "api_token", "url"];

/// A fault of TOML itself shows the line that it stands in.
fn without_secrets(problem: &str) -> String {
    let tells = |line: &&str| line.contains('|') && SECRETS.iter().any(|key| line.contains(key));
    problem.lines().filter(|line| !tells(line)).collect::<Vec<_>>().join("\n")
}

/// One sentence per fault that figment found, each with its place.
fn explain(error: figment::Error, text: &str, name: &str) -> String {
    let sentences: Vec<String> = error
        .into_iter()
        .map(|fault| {
            let path: Vec<&str> = fault.path.iter().map(String::as_str).collect();
            // A goal is a section of its own.
            let depth = if path.first() == Some(&"goals") { 2 } else { 1 };
            let section = path.iter().take(depth).copied().collect::<Vec<_>>().join(".");
            let key = path.get(depth..).and_then(<[&str]>::last).copied().unwrap_or(&section);
            let problem = if SECRETS.contains(&key) { "expected a text".to_owned() } else { without_secrets(&fault.kind.to_string()) };
            match &fault.kind {
                figment::error::Kind::UnknownField(field, expected) => {
                    format!("{}: unknown key '{field}': expected one of {}", place(text, name, &section, field), expected.join(", "))
                }
                _ if section.is_empty() => format!("{name}: {problem}"),
                _ => format!("{}: {}: {problem}", place(text, name, &section, key), path.join(".")),
            }
        })
        .collect();
    sentences.join("\n")
}

/// `file:line` of a key, as well as it can be found in the text; the file alone when the key came from elsewhere.
fn place(text: &str, name: &str, section: &str, key: &str) -> String {
    let mut inside = section.is_empty();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            let header = line.trim_matches(['[', ']', ' ']).replace(['"', '\''], "");
            inside = header == section;
            if header == key {
                return format!("{name}:{}", number + 1);
            }
        } else if inside && line.split('=').next().is_some_and(|left| left.trim() == key) {
            return format!("{name}:{} [{section}] {key}", number + 1);
        }
    }
    if section == key || section.is_empty() { name.to_owned() } else { format!("{name}: [{section}] {key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_a_valid_configuration() {
        let config = Config::from_toml("").unwrap();
        assert_eq!(config.shop.currency.code(), "EUR");
        assert_eq!(config.database.url, "sqlite://data/stammgast.db");
    }

    #[test]
    fn a_fault_names_file_line_key_and_what_is_expected() {
        for (text, sentence) in [
            (
                "[shop]\nname = \"x\"\ntime_zone = \"Mars/Olympus\"",
                "configuration:3 [shop] time_zone: 'Mars/Olympus' is not a time zone: expected an IANA name such as Europe/Berlin",
            ),
            ("[mail]\nport = \"abc\"", "configuration:2 [mail] port: mail.port: invalid type: found string \"abc\", expected u16"),
            ("[mail]\nhots = \"abc\"", "configuration:2 [mail] hots: unknown key 'hots': expected one of"),
            ("[policy]\nquiet_from = \"25:00\"", "configuration:2 [policy] quiet_from: '25:00' is not a time of day: expected e.g. \"20:00\""),
        ] {
            let error = Config::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(sentence), "{error}\nshould contain\n{sentence}");
        }
    }

    #[test]
    fn a_lease_shorter_than_a_send_may_take_is_refused() {
        let error = Config::from_toml("[dispatch]\nlease_s = 60").unwrap_err().to_string();
        assert!(error.contains("lease_s") && error.contains("660"), "{error}");
    }

    #[test]
    fn a_token_that_can_be_guessed_or_sent_by_nobody_is_refused() {
        let refused = |text: &str| Config::from_toml(&format!("[server]\n{text}")).map(drop).map_err(|error| error.to_string());
        for token in ["short", "nineteen-characters", "with spaces in it, many of them", "mit-Umlauten-über-alles-hinaus", &"a".repeat(513)] {
            let error = refused(&format!("api_token = \"{token}\"")).unwrap_err();
            assert!(error.starts_with("configuration:2 [server] api_token: the token cannot be used: expected 20 to 512"), "{error}");
            assert!(!error.contains(token), "{error}");
        }
        assert_eq!(refused("api_token = \"\""), Ok(()));
        assert_eq!(refused("api_token = \"a-token-of-the-shop-1\""), Ok(()));
        let error = refused("api_token_file = \"/dev/null\"").unwrap_err();
        assert!(error.contains("configuration:2 [server] api_token_file: the token cannot be used"), "an empty file is a mistake: {error}");
    }

    const GOAL: &str = "[goals.repeat-rate]\nkpi = \"repeat_purchase_rate\"\ntarget = \"+15 %\"\nfrom = 2026-09-30\nby = \"2027-03-31\"\n";

    #[test]
    fn a_goal_is_read_with_days_as_text_or_as_dates() {
        let goals = Config::from_toml(GOAL).unwrap().goals.list();
        assert_eq!(
            (goals[0].name.as_str(), goals[0].kpi.code(), goals[0].target),
            ("repeat-rate", "repeat_purchase_rate", goals::Target::Relative(0.15))
        );
        assert_eq!((goals[0].from.to_string(), goals[0].by.to_string(), goals[0].days), ("2026-09-30".to_owned(), "2027-03-31".to_owned(), 90));
        let target = |kpi: &str, text: &str| {
            let text = GOAL.replace("repeat_purchase_rate", kpi).replace("+15 %", text);
            Config::from_toml(&text).map(|config| config.goals.list()[0].target).map_err(|error| error.to_string())
        };
        for (kpi, text, expected) in [
            ("churn_rate", "-2,5 Punkte", goals::Target::Absolute(-0.025)),
            ("churn_rate", "40%", goals::Target::Value(0.4)),
            ("aov", "45,50", goals::Target::Value(4550.0)),
            ("aov", "+2.5", goals::Target::Absolute(250.0)),
            ("orders", "1200", goals::Target::Value(1200.0)),
            ("nps", "+10 points", goals::Target::Absolute(10.0)),
            ("csat", "80", goals::Target::Value(80.0)),
            ("purchase_frequency", "−10 %", goals::Target::Relative(-0.1)),
        ] {
            assert_eq!(target(kpi, text), Ok(expected), "{kpi} {text}");
        }
        for (kpi, text) in [
            ("churn_rate", "0.4"),
            ("churn_rate", "+5"),
            ("churn_rate", "140 %"),
            ("aov", "45 %"),
            ("aov", "+5 points"),
            ("orders", "1.200"),
            ("nps", "101"),
            ("orders", "+0 %"),
            ("orders", "-100 %"),
            ("orders", "more"),
            ("orders", ""),
            ("orders", "++5"),
            ("orders", "1e5"),
        ] {
            assert!(target(kpi, text).unwrap_err().contains("is no target for"), "{kpi} {text}");
        }
    }

    #[test]
    fn every_fault_of_every_goal_is_told_with_its_line() {
        let text = format!(
            "{}[goals.\"zwei\"]\nkpi = \"aov\"\ntarget = \"viel\"\nfrom = \"morgen\"\nby = 2026-01-01\ndays = 3\n",
            GOAL.replace("repeat_purchase_rate", "repeat_purchase_rat").replace("2027-03-31", "2026-09-30")
        );
        let error = Config::from_toml(&text).unwrap_err().to_string();
        let expected = "configuration:2 [goals.repeat-rate] kpi: 'repeat_purchase_rat' is no key figure - did you mean 'repeat_purchase_rate'?: expected one of \
                        orders, revenue, active, new, retention_rate, churn_rate, crr, repeat_purchase_rate, purchase_frequency, aov, arpu, clv_simple, \
                        clv_margin_churn, nps, csat\n\
                        configuration:5 [goals.repeat-rate] by: 2026-09-30 is not after 2026-09-30: expected a day after from\n\
                        configuration:8 [goals.zwei] target: 'viel' is no target for aov: expected \"+15 %\" (of the start value), \"+2.50\" or \"45.00\" \
                        in the shop's currency\n\
                        configuration:9 [goals.zwei] from: 'morgen' is no day: expected e.g. \"2027-03-31\"\n\
                        configuration:11 [goals.zwei] days: 3 is out of range: expected 7 to 730 days that the figure is measured over";
        assert_eq!(error, expected);
        let unknown = Config::from_toml(&format!("{GOAL}goal = 1")).unwrap_err().to_string();
        assert_eq!(unknown, "configuration:6 [goals.repeat-rate] goal: unknown key 'goal': expected one of kpi, target, from, by, days");
        let missing = Config::from_toml(&GOAL.replace("kpi = ", "#")).unwrap_err().to_string();
        assert_eq!(missing, "configuration:1: goals.repeat-rate: missing field `kpi`");
        let number = Config::from_toml(&GOAL.replace("repeat_purchase_rate", "aov").replace("\"+15 %\"", "45.5")).unwrap();
        assert_eq!(number.goals.list()[0].target, goals::Target::Value(4550.0));
        let no_section = Config::from_toml("[goals]\nx = 1").unwrap_err().to_string();
        assert!(no_section.ends_with("expected a section [goals.NAME] with kpi, target, from and by"), "{no_section}");
        let list = Config::from_toml(&GOAL.replace("2026-09-30", "[1]")).unwrap_err().to_string();
        assert_eq!(list, "configuration:4 [goals.repeat-rate] from: goals.repeat-rate.from: expected a day, e.g. \"2027-03-31\"");
    }
}
