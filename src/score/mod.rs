//! Floor 2: facts and a moment become scores: pure functions.

mod borders;
mod compute;
mod ledger;
mod rank;

pub use borders::{Borders, place};
pub use compute::{Scored, compute};
pub use ledger::Ledger;
