//! What is in force: rules and templates, loaded together and swapped together, and the installation's key.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use super::mentions;
use super::reload::Swap;
use crate::base::suggest::hint;
use crate::base::token::TokenKey;
use crate::channel::templates::TemplateSet;
use crate::config::Config;
use crate::model::attribute::AttributeKind;
use crate::model::fact::Fact;
use crate::model::facts::Needs;
use crate::model::fault::FileFault;
use crate::rules::{Kept, OwnMention, Rule, RuleSet, ScoreSet};

/// A set of rules with the templates that it was loaded with.
#[derive(Debug)]
pub struct Campaign {
    /// The rules.
    pub rules: RuleSet,
    /// The own scores that they may name.
    pub scores: Arc<ScoreSet>,
    /// The mail templates.
    pub templates: Arc<TemplateSet>,
    /// Names of the webhook targets.
    pub targets: HashSet<String>,
    /// Signs links, derives voucher codes.
    pub token_key: TokenKey,
    /// What is perhaps not what was meant.
    pub warnings: Vec<FileFault>,
}

impl Campaign {
    /// Loads rules and templates from the folders that the configuration names.
    ///
    /// # Errors
    /// Every fault of every file, one sentence each with its place.
    pub fn load(config: &Config, token_key: TokenKey) -> Result<Self, Vec<FileFault>> {
        let rules = RuleSet::load(&config.rules.path);
        let scores = ScoreSet::load(&config.score.path);
        let templates = TemplateSet::load(&config.templates.path);
        match (rules, scores, templates) {
            (Ok(rules), Ok(scores), Ok(templates)) => {
                let targets = config.webhooks.iter().map(|target| target.name.clone()).collect();
                let warnings = rules.warnings(&Kept::of(&config.score));
                let mut campaign = Self { rules, scores: Arc::new(scores), templates: Arc::new(templates), targets, token_key, warnings };
                let (mut missing, unused) = mentions::check(&campaign, &config.shop);
                let declared = |name: &str| config.attributes.0.get(name).and_then(|kind| AttributeKind::parse(kind));
                missing.extend(campaign.rules.unfit_for(&campaign.scores, declared));
                missing.extend(undeclared(&campaign, config));
                missing.extend(same_seed(&campaign.rules, config));
                campaign.warnings.extend(unused);
                if missing.is_empty() { Ok(campaign) } else { Err(missing) }
            }
            (rules, scores, templates) => {
                Err([rules.err().unwrap_or_default(), scores.err().unwrap_or_default(), templates.err().unwrap_or_default()].concat())
            }
        }
    }
}

impl Campaign {
    /// The same templates, targets and key with other rules.
    #[must_use]
    pub fn with_rules(&self, rules: RuleSet) -> Self {
        let scores = Arc::clone(&self.scores);
        Self {
            rules,
            scores,
            templates: Arc::clone(&self.templates),
            targets: self.targets.clone(),
            token_key: self.token_key.clone(),
            warnings: Vec::new(),
        }
    }

    /// These facts, with what the own scores are made of if they are among them.
    #[must_use]
    pub fn with_own(&self, needs: Needs) -> Needs {
        if needs.has(Fact::Score) { needs.and(self.scores.needs()) } else { needs }
    }

    /// The rule of that name.
    ///
    /// # Errors
    /// A sentence that names those there are.
    pub fn rule(&self, name: &str) -> Result<&Rule, String> {
        let names = || self.rules.rules().iter().map(|rule| rule.spec.name.as_str());
        let unknown = || format!("there is no rule '{name}'{}: expected one of {}", hint(name, names(), ""), names().collect::<Vec<_>>().join(", "));
        self.rules.rule(name).ok_or_else(unknown)
    }
}

/// Rules that are split by the seed that holds people out from all of them: their control would be the first who are held out.
fn same_seed(rules: &RuleSet, config: &Config) -> Vec<FileFault> {
    let policy = &config.policy;
    let fault = |rule: &Rule| {
        let (file, at) = rule.place_of("experiment");
        let problem =
            format!("'{}' is the seed of those held out from all rules ([policy] holdout_seed): expected another key or name", policy.holdout_seed);
        let mut fault = FileFault::new(file, at, problem);
        rules.measure(&mut fault);
        fault
    };
    // Also while nobody is held out: the day on which somebody is would be a bad one to rename an experiment.
    let same = |rule: &&Rule| rule.spec.experiment == policy.holdout_seed;
    rules.rules().iter().filter(same).map(fault).collect()
}

/// Attributes that rules and scores name and the configuration does not declare: they would be missing for everybody.
fn undeclared(campaign: &Campaign, config: &Config) -> Vec<FileFault> {
    let declared = &config.attributes.0;
    let Campaign { rules, scores, .. } = campaign;
    let fault = |mention: &OwnMention| {
        let names: Vec<&str> = declared.keys().map(String::as_str).collect();
        let kind = declared.get(&mention.name).map(String::as_str);
        let known = if names.is_empty() { "there is none".to_owned() } else { format!("expected one of {}", names.join(", ")) };
        let problem = match kind {
            Some(kind) => {
                format!("[attributes] of the configuration declares '{}' as {kind}: {}(…) takes a number", mention.name, mention.fact.about().name)
            }
            None => format!("[attributes] of the configuration declares no '{}': {known}", mention.name),
        };
        let mut fault = FileFault::new(&mention.file, mention.at, problem);
        rules.measure(&mut fault);
        scores.measure(&mut fault);
        fault
    };
    let fits = |mention: &OwnMention| declared.get(&mention.name).is_some_and(|kind| mention.fact == Fact::Attr || kind == "number");
    let by_rules = rules.rules().iter().flat_map(|rule| &rule.own).filter(|mention| mention.fact != Fact::Score);
    let mut faults: Vec<FileFault> = by_rules.chain(scores.attributes()).filter(|mention| !fits(mention)).map(fault).collect();
    // Rules that share a function share its faults.
    faults.dedup();
    faults
}

/// The campaign in force; a reload swaps it whole, whoever works with the old one ends with the old one.
#[derive(Debug)]
pub struct InForce(RwLock<Arc<Campaign>>);

impl InForce {
    /// Puts the first campaign in force.
    #[must_use]
    pub fn new(campaign: Campaign) -> Self {
        Self(RwLock::new(Arc::new(campaign)))
    }

    /// The campaign in force now.
    #[must_use]
    pub fn get(&self) -> Arc<Campaign> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Loads what may be put in force next, aside. A folder without any rule is a fault as long as rules are in force: it is more likely emptied by
    /// accident, or a mount that is away, than meant.
    ///
    /// # Errors
    /// As [`Campaign::load`].
    pub fn load_next(&self, config: &Config) -> Result<Campaign, Vec<FileFault>> {
        let running = self.get();
        let fresh = Campaign::load(config, running.token_key.clone())?;
        if fresh.rules.rules().is_empty() && !running.rules.rules().is_empty() {
            let problem = "holds no rule any more: expected at least one (pause rules that are not to run, or restart to run without any)".to_owned();
            return Err(vec![FileFault::new(&config.rules.path.display().to_string(), (0, 0), problem)]);
        }
        Ok(fresh)
    }

    /// Puts rules and templates in force, both at once; says what that changed.
    pub fn put(&self, fresh: Campaign) -> Swap {
        let fresh = Arc::new(fresh);
        let before = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), Arc::clone(&fresh));
        Swap::between(&before, &fresh)
    }
}
