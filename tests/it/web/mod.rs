//! Tests of web.

mod status;
