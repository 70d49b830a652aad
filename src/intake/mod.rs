//! Floor 2: bytes from shops become new customers and orders: pure decoders, no database, no network.

pub mod sample_shop;
