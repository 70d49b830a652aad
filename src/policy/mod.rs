//! Floor 2: a proposal, facts and a moment become a verdict with its reason: gates, guards, quiet hours, variant and control. Pure.

pub mod bucket;
pub mod exposure;
pub mod gates;
pub mod guard;
pub mod holdout;
pub mod occasion;
pub mod quiet;
pub mod silence;
