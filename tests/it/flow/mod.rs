//! Tests of flow.

mod rescore;
