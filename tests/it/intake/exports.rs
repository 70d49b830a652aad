//! Exports of Shopify, WooCommerce, Excel and CDNOW need no mapping.

use stammgast::base::money::Cents;
use stammgast::model::consent::ConsentKind;
use stammgast::model::order::{NewOrder, OrderStatus};

use super::{customers, fixture, orders};

/// Number, customer, time, cents, status, voucher.
fn told(order: &NewOrder) -> (&str, &str, String, i64, OrderStatus, Option<&str>) {
    let NewOrder { external_id, customer_external_id, ordered_at, revenue, status, voucher_code, .. } = order;
    (external_id, customer_external_id, ordered_at.to_string(), revenue.0, *status, voucher_code.as_deref())
}

/// Article, quantity, cents.
fn lines(order: &NewOrder) -> Vec<(&str, &str, i64, i64)> {
    let line = |line: &stammgast::model::order::OrderLine| (line.quantity, line.total.unwrap_or(Cents(-1)).0);
    order.lines.iter().map(|l| (l.sku.as_deref().unwrap_or(""), l.name.as_deref().unwrap_or(""), line(l).0, line(l).1)).collect()
}

#[test]
fn shopify_orders_with_several_rows_each() {
    let (found, refused) = orders(fixture("exports/shopify_orders.csv"));
    assert_eq!(refused, []);
    assert_eq!(found.len(), 3);
    assert_eq!(told(&found[0]), ("5001", "eva@shop.example", "2025-12-31T13:30:00Z".to_owned(), 3490, OrderStatus::Paid, Some("WB10")));
    assert_eq!(lines(&found[0]), [("TR-1", "Trüffel", 2, 1800), ("PR-2", "Pralinen, \"fein\"", 1, 1200)]);
    assert_eq!(told(&found[1]).4, OrderStatus::Cancelled);
    assert_eq!((told(&found[2]).1, told(&found[2]).3), ("eva@shop.example", 1500));
    let person = found[0].customer.as_deref().unwrap();
    assert_eq!((person.first_name.clone(), person.last_name.clone()), (Some(Some("Eva Maria".to_owned())), Some(Some("Muster".to_owned()))));
    assert_eq!(person.consent.as_ref().map(|consent| (consent.kind, consent.at)), Some((ConsentKind::SingleOptIn, found[0].ordered_at)));
    assert_eq!(found[1].customer.as_deref().unwrap().consent, None);
}

#[test]
fn shopify_customers() {
    let (found, refused) = customers(fixture("exports/shopify_customers.csv"));
    assert_eq!(refused, []);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].external_id, "7001");
    assert_eq!(found[0].tags, Some(vec!["vip".to_owned(), "stamm".to_owned()]));
    assert_eq!(found[0].consent.as_ref().map(|consent| consent.kind), Some(ConsentKind::SingleOptIn));
    assert_eq!(found[1].consent, None);
}

#[test]
fn woocommerce_orders_with_guests() {
    let (found, refused) = orders(fixture("exports/woocommerce_orders.csv"));
    assert_eq!(refused, []);
    assert_eq!(told(&found[0]), ("101", "7", "2025-07-01T08:00:00Z".to_owned(), 2500, OrderStatus::Paid, Some("SOMMER")));
    assert_eq!(lines(&found[0]), [("S1", "Seife", 2, 1000), ("S2", "Kerze", 1, 1500)]);
    assert_eq!((told(&found[1]).1, told(&found[1]).4), ("gast@shop.example", OrderStatus::Open));
    assert_eq!(told(&found[2]).4, OrderStatus::Cancelled);
}

#[test]
fn a_german_spreadsheet_in_windows_1252() {
    let (found, refused) = orders(fixture("exports/german.csv"));
    assert_eq!(refused, []);
    assert_eq!(found.len(), 2);
    assert_eq!(told(&found[0]), ("B1", "K1", "2025-12-31T13:30:00Z".to_owned(), 123_450, OrderStatus::Paid, None));
    assert_eq!((told(&found[1]).2, told(&found[1]).3), ("2025-06-30T22:00:00Z".to_owned(), 990));
    let (people, refused) = customers(fixture("exports/german.csv"));
    assert_eq!(refused, []);
    assert_eq!(people[0].last_name, Some(Some("von Höfen".to_owned())));
    assert_eq!(people[0].email.clone().flatten().unwrap().as_str(), "söhnke@xn--mller-kva.example");
    assert_eq!(people[0].birthday.flatten().unwrap().to_string(), "1980-05-17");
    assert_eq!(people[1].first_name, Some(Some("Ägidius".to_owned())));
}

#[test]
fn shopify_orders_as_json_lines() {
    let (found, refused) = orders(fixture("exports/shopify_orders.jsonl"));
    assert_eq!(refused, []);
    assert_eq!(told(&found[0]), ("5001", "7001", "2025-12-31T13:30:00Z".to_owned(), 2990, OrderStatus::Paid, Some("WB10")));
    assert_eq!(lines(&found[0]), [("TR-1", "Trüffel - dunkel", 2, 1800), ("PR-2", "Pralinen", 1, 1200)]);
    assert_eq!(told(&found[1]), ("5002", "max@shop.example", "2026-01-01T08:59:00Z".to_owned(), 1200, OrderStatus::Cancelled, None));
    assert_eq!(found[1].lines, []);
}

#[test]
fn cdnow_with_its_identical_rows() {
    let (found, refused) = orders(fixture("cdnow/transactions.csv"));
    assert_eq!(refused, []);
    assert_eq!(found.len(), 6_919);
    assert_eq!(found.iter().map(|order| order.revenue.0).sum::<i64>(), 24_409_194);
    let mut ids: Vec<&str> = found.iter().map(|order| order.external_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6_919, "every row is an order of its own");
    assert_eq!(ids.iter().filter(|id| !id.ends_with("-1")).count(), 21);
    let again = orders(fixture("cdnow/transactions.csv")).0;
    assert_eq!(again, found);
    let (people, refused) = customers(fixture("cdnow/customers.csv"));
    assert_eq!((people.len(), refused.len()), (2_357, 0));
}
