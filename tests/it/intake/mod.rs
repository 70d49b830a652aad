//! Tests of intake.

mod any_bytes;
mod csv;
mod customers;
mod events;
mod exports;
mod orders;
mod sample_shop;
mod scenario;

use std::io::Cursor;

use stammgast::base::money::Currency;
use stammgast::base::time::{UnixMs, Zone};
use stammgast::intake::customers::Customers;
use stammgast::intake::mapping::Maps;
use stammgast::intake::orders::Orders;
use stammgast::intake::{Found, IntakeError, Options, Refused};
use stammgast::model::customer::NewCustomer;
use stammgast::model::order::NewOrder;

/// 2026-02-01T00:00:00Z.
const DATA_AT: UnixMs = UnixMs(1_769_904_000_000);

fn options() -> Options {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    Options { zone, currency: Currency::parse("EUR").unwrap(), date_order: None, source: None, data_at: DATA_AT, now: DATA_AT }
}

fn map(pairs: &[(&str, &str)]) -> Maps {
    Maps { asked: pairs.iter().map(|(ours, theirs)| ((*ours).to_owned(), (*theirs).to_owned())).collect(), ..Maps::default() }
}

fn sort<T>(found: impl Iterator<Item = Result<Found<T>, IntakeError>>) -> (Vec<T>, Vec<Refused>) {
    let (mut records, mut refused) = (Vec::new(), Vec::new());
    for item in found {
        match item.unwrap() {
            Found::Record(record) => records.push(record),
            Found::Refused(lines) => refused.extend(lines),
        }
    }
    (records, refused)
}

fn orders(bytes: impl Into<Vec<u8>>) -> (Vec<NewOrder>, Vec<Refused>) {
    sort(Orders::open(Box::new(Cursor::new(bytes.into())), &Maps::default(), options()).unwrap())
}

fn customers(bytes: impl Into<Vec<u8>>) -> (Vec<NewCustomer>, Vec<Refused>) {
    sort(Customers::open(Box::new(Cursor::new(bytes.into())), &Maps::default(), options()).unwrap())
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
