//! Tests of flow.

pub mod analyse;
mod backtest;
mod brake;
mod cdnow;
mod complaints;
mod decide;
mod dispatch;
mod holdout;
mod holds;
mod late;
mod ledger;
mod measure;
mod object;
mod own_scores;
mod pause;
mod plan;
mod product_facts;
mod rescore;
mod retrace;
mod settle;
mod trigger;
mod verify;
mod webhooks;
mod why;
mod winner;
