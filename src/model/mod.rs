//! Floor 1: the only domain types that more than one floor knows. Constructors parse and validate; nothing here reads or writes.

pub mod action;
pub mod attempt;
pub mod attribute;
pub mod consent;
pub mod customer;
pub mod decision;
pub mod email_address;
pub mod event;
pub mod example;
pub mod fact;
pub mod facts;
pub mod fault;
pub mod hold;
pub mod holdout;
pub mod import;
pub mod kpi;
pub mod message;
pub mod order;
pub mod outlook;
pub mod pause;
pub mod predicate;
pub mod report;
pub mod rule;
pub mod scenario;
pub mod score;
pub mod text;
