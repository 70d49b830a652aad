//! Tests of policy.

mod bucket;
