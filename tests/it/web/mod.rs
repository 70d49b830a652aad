//! Tests of web.

mod api;
mod status;
