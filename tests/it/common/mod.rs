//! What the tests share: both databases, fixtures, peers on sockets.

#[macro_use]
pub mod databases;
pub mod act;
pub mod dice;
pub mod http;
pub mod mails;
pub mod postgres;
pub mod shop;
pub mod site;
pub mod smtp;
pub mod stage;
pub mod tls;
