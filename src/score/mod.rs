//! Floor 2: facts and a moment become scores: pure functions.

pub mod bgnbd;
pub mod bgnbd_fit;
mod borders;
pub mod clv;
mod compute;
mod days;
pub mod gamma_gamma;
mod gather;
pub mod habit;
pub mod kpi;
pub mod lifetime;
mod newcomers;
mod newton;
mod order_book;
mod parallel;
mod rank;
pub mod retrace;
pub mod settle;

pub use borders::{Borders, place};
pub use compute::{Columns, Models, Scored, Wanted, columns, compute};
pub use order_book::OrderBook;
