//! Floor 0: words without a domain: clock, ids, time, money, secrets, retry curve, the nearest known word, the gamma function, numbers
//! as people write them.

pub mod clock;
pub mod gamma;
pub mod id;
pub mod memory;
pub mod money;
pub mod retry;
pub mod secret;
pub mod suggest;
pub mod time;
pub mod token;
pub mod written;
