//! Tests of flow.

mod backtest;
mod cdnow;
mod decide;
mod dispatch;
mod object;
mod plan;
mod rescore;
mod trigger;
mod webhooks;
mod why;
