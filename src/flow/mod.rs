//! Floor 4: one file per stage; stages talk to each other only through tables.

pub mod rescore;

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::config::Config;
use crate::store::Db;

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
