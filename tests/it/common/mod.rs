//! What the tests share: both databases, fixtures, peers on sockets.

#[macro_use]
pub mod databases;
pub mod mails;
pub mod postgres;
pub mod smtp;
