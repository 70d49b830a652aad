//! Floor 4: one file per stage; stages talk to each other only through tables. Beside them what answers questions about stages and writes nothing: plan,
//! backtest, why, survey, verify, watch, analyse, measure.

pub mod analyse;
pub mod backtest;
pub mod brake;
pub mod campaign;
pub mod decide;
pub mod dispatch;
pub mod evaluate;
pub mod ingest;
pub mod measure;
mod mentions;
pub mod object;
mod own;
pub mod pause;
pub mod plan;
mod preview;
pub mod recall;
pub mod record;
pub mod reload;
pub mod rescore;
pub mod retrace;
pub mod scan;
mod settle;
pub mod share;
pub mod survey;
pub mod trigger;
pub mod verify;
pub mod watch;
pub mod why;

use std::sync::{Arc, PoisonError, RwLock};

use crate::base::clock::Clock;
use crate::base::time::UnixMs;
use crate::config::Config;
use crate::rules::ScoreSet;
use crate::store::{Db, StoreError};

/// What every stage needs.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// The database.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// The settings.
    pub config: Arc<Config>,
    /// The shop's own scores.
    pub own: Arc<OwnScores>,
}

impl Ctx {
    /// Without own scores; who loads a campaign puts its own in force.
    #[must_use]
    pub fn new(db: Db, clock: Clock, config: Arc<Config>) -> Self {
        Self { db, clock, config, own: Arc::default() }
    }

    /// The same at another moment.
    #[must_use]
    pub fn at(&self, moment: UnixMs) -> Self {
        Self { clock: Clock::simulated(moment), ..self.clone() }
    }
}

/// The own scores in force. A reload swaps them together with the rules.
#[derive(Debug)]
pub struct OwnScores(RwLock<Option<Arc<ScoreSet>>>);

impl Default for OwnScores {
    fn default() -> Self {
        Self(RwLock::new(Some(Arc::new(ScoreSet::none()))))
    }
}

impl OwnScores {
    /// Those in force; `None` when their files have faults and nothing is known of them.
    #[must_use]
    pub fn get(&self) -> Option<Arc<ScoreSet>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts scores in force, or says that they are not known.
    pub fn put(&self, scores: Option<Arc<ScoreSet>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = scores;
    }
}

/// Why a stage could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another daemon took over; it goes on where this one was.
    #[error("another daemon took over")]
    LeaseLost,
    /// A replay that would take for ever.
    #[error("the schedule asks for {0} runs or more on these days: expected fewer days")]
    TooManyRuns(usize),
    /// A task of ours died.
    #[error("a worker ended unexpectedly: {0}")]
    Worker(String),
}
