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
pub mod pause;
pub mod plan;
pub mod recall;
pub mod record;
pub mod rescore;
pub mod scan;
pub mod share;
pub mod survey;
pub mod trigger;
pub mod verify;
pub mod watch;
pub mod why;

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::config::Config;
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
