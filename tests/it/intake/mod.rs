//! Tests of intake.

mod sample_shop;
