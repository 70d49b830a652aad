//! Floor 0: words without a domain: clock, ids, time, money, secrets, retry curve.

pub mod clock;
pub mod id;
pub mod money;
pub mod retry;
pub mod secret;
pub mod time;
pub mod token;
