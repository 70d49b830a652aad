//! Orders in both databases.

use stammgast::base::clock::Clock;
use stammgast::base::id::Id;
use stammgast::base::money::{Cents, Currency};
use stammgast::base::time::UnixMs;
use stammgast::config::Config;
use stammgast::flow::{Ctx, ingest};
use stammgast::model::consent::{Consent, ConsentKind};
use stammgast::model::customer::NewCustomer;
use stammgast::model::email_address::EmailAddress;
use stammgast::model::import::{ImportCounts, Ingested};
use stammgast::model::order::{NewOrder, OrderLine, OrderStatus};
use stammgast::store::Db;

use super::{number, texts};

fn order(key: &str, customer: &str, at: i64, cents: i64) -> NewOrder {
    NewOrder {
        external_id: key.to_owned(),
        customer_external_id: customer.to_owned(),
        customer: None,
        ordered_at: UnixMs(at),
        revenue: Cents(cents),
        cost: None,
        currency: Currency::parse("EUR").unwrap(),
        status: OrderStatus::Paid,
        voucher_code: None,
        lines: Vec::new(),
    }
}

fn line(sku: &str) -> OrderLine {
    OrderLine { sku: Some(sku.to_owned()), name: None, category: None, quantity: 1, total: Some(Cents(5)), cost: None }
}

/// An order that names its customer by address.
fn by_address(key: &str, address: &str) -> NewOrder {
    let person = NewCustomer { email: Some(EmailAddress::parse(address).ok()), ..NewCustomer::unknown(address) };
    NewOrder { customer: Some(Box::new(person)), ..order(key, address, 1, 1) }
}

fn ctx(db: &Db) -> Ctx {
    Ctx::new(db.clone(), Clock::simulated(UnixMs(1_000)), Config::from_toml("").unwrap().into())
}

async fn ingest(db: &Db, batch: &[NewOrder]) -> Ingested {
    ingest::orders(&ctx(db), batch.to_vec()).await.unwrap()
}

fn counts(inserted: u64, updated: u64, unchanged: u64) -> ImportCounts {
    ImportCounts { inserted, updated, unchanged, rejected: 0 }
}

async fn id_of(db: &Db, customer: &str) -> Id {
    Id(number(db, &format!("SELECT id FROM customers WHERE external_id = '{customer}'")).await)
}

on_both!(an_order_of_somebody_unknown_makes_the_customer, |db| {
    let person = NewCustomer { first_name: Some(Some("Ida".to_owned())), ..NewCustomer::unknown("2") };
    let batch = [order("A", "1", 10, 500), NewOrder { customer: Some(Box::new(person)), ..order("B", "2", 20, 600) }, order("C", "1", 30, 700)];
    let done = ingest(&db.db, &batch).await;
    let mut touched = vec![id_of(&db.db, "1").await, id_of(&db.db, "2").await];
    touched.sort_unstable();
    assert_eq!(done, Ingested { counts: counts(3, 0, 0), touched_customers: touched, earliest: Some(UnixMs(10)) });
    assert_eq!(texts(&db.db, "SELECT first_name FROM customers WHERE first_name IS NOT NULL").await, ["Ida"]);
});

on_both!(an_order_replaces_the_stored_one_with_its_lines_and_names_everybody_it_touched, |db| {
    let first = NewOrder { lines: vec![line("x"), line("y")], ..order("A", "1", 10, 500) };
    ingest(&db.db, &[first.clone(), order("B", "1", 5, 1)]).await;
    assert_eq!(ingest(&db.db, std::slice::from_ref(&first)).await, Ingested { counts: counts(0, 0, 1), ..Ingested::default() });
    let second = NewOrder { lines: vec![line("z")], status: OrderStatus::Cancelled, ..order("A", "2", 30, 400) };
    let done = ingest(&db.db, &[second]).await;
    let mut touched = vec![id_of(&db.db, "1").await, id_of(&db.db, "2").await];
    touched.sort_unstable();
    assert_eq!(done, Ingested { counts: counts(0, 1, 0), touched_customers: touched, earliest: Some(UnixMs(10)) });
    assert_eq!(texts(&db.db, "SELECT sku FROM order_lines").await, ["z"]);
    assert_eq!(texts(&db.db, "SELECT status FROM orders ORDER BY external_id").await, ["cancelled", "paid"]);
    assert_eq!(number(&db.db, "SELECT COUNT(*) FROM orders").await, 2);
});

on_both!(of_two_orders_with_the_same_key_in_a_batch_the_later_counts, |db| {
    let done = ingest(&db.db, &[order("A", "1", 10, 500), order("A", "1", 10, 700)]).await;
    assert_eq!(done.counts, counts(1, 1, 0), "the later one changed it");
    assert_eq!(number(&db.db, "SELECT revenue_cents FROM orders").await, 700);
});

on_both!(an_order_that_names_an_address_goes_to_the_customer_who_has_it, |db| {
    let known = NewCustomer { email: Some(EmailAddress::parse("Eva@shop.example").ok()), ..NewCustomer::unknown("7") };
    ingest::customers(&ctx(&db.db), vec![known]).await.unwrap();
    let done = ingest(&db.db, &[by_address("A", "eva@shop.example"), by_address("B", "gast@shop.example")]).await;
    assert_eq!(done.counts, counts(2, 0, 0));
    assert_eq!(
        texts(&db.db, "SELECT c.external_id FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.external_id").await,
        ["7", "gast@shop.example"]
    );
    assert_eq!(ingest(&db.db, &[by_address("A", "eva@shop.example")]).await.counts, counts(0, 0, 1));
});

on_both!(what_an_order_says_about_the_person_changes_no_known_customer_but_consent_is_kept, |db| {
    let known = NewCustomer { first_name: Some(Some("Eva".to_owned())), ..NewCustomer::unknown("7") };
    ingest::customers(&ctx(&db.db), vec![known]).await.unwrap();
    let consent = Some(Consent { kind: ConsentKind::SingleOptIn, at: UnixMs(10), source: "checkout".to_owned() });
    let person = NewCustomer { first_name: Some(Some("Old".to_owned())), consent, ..NewCustomer::unknown("7") };
    ingest(&db.db, &[NewOrder { customer: Some(Box::new(person)), ..order("A", "7", 10, 5) }]).await;
    assert_eq!(texts(&db.db, "SELECT first_name FROM customers").await, ["Eva"]);
    assert_eq!(texts(&db.db, "SELECT kind FROM consents").await, ["single_opt_in"]);
});

on_both!(two_imports_of_the_same_orders_at_the_same_time_store_each_once, |db| {
    let batch: Vec<NewOrder> =
        (0..500).map(|n| NewOrder { lines: vec![line("x"), line("y")], ..order(&format!("A{n}"), &format!("c{}", n % 200), n, 5) }).collect();
    let back: Vec<NewOrder> = batch.iter().rev().cloned().collect();
    let (first, second) = tokio::join!(ingest(&db.db, &batch), ingest(&db.db, &back));
    assert_eq!(first.counts.inserted + second.counts.inserted, 500);
    assert_eq!(first.counts.unchanged + second.counts.unchanged, 500);
    assert_eq!(number(&db.db, "SELECT COUNT(*) FROM orders").await, 500);
    assert_eq!(number(&db.db, "SELECT COUNT(*) FROM order_lines").await, 1_000);
    assert_eq!(number(&db.db, "SELECT COUNT(*) FROM customers").await, 200);
});

#[test]
fn the_content_hash_sees_every_part_of_an_order() {
    let base = NewOrder { lines: vec![line("x")], ..order("A", "1", 10, 500) };
    let person = |name: &str| NewCustomer { first_name: Some(Some(name.to_owned())), ..NewCustomer::unknown("1") };
    let mut others = vec![
        NewOrder { external_id: "B".to_owned(), ..base.clone() },
        NewOrder { customer_external_id: "2".to_owned(), ..base.clone() },
        NewOrder { ordered_at: UnixMs(11), ..base.clone() },
        NewOrder { revenue: Cents(501), ..base.clone() },
        NewOrder { cost: Some(Cents(0)), ..base.clone() },
        NewOrder { currency: Currency::parse("CHF").unwrap(), ..base.clone() },
        NewOrder { status: OrderStatus::Open, ..base.clone() },
        NewOrder { voucher_code: Some(String::new()), ..base.clone() },
        NewOrder { lines: vec![], ..base.clone() },
        NewOrder { lines: vec![line("y")], ..base.clone() },
        NewOrder { lines: vec![OrderLine { quantity: 2, ..line("x") }], ..base.clone() },
        NewOrder { lines: vec![OrderLine { name: Some("x".to_owned()), sku: None, ..line("x") }], ..base.clone() },
        NewOrder { customer: Some(Box::new(person("Eva"))), ..base.clone() },
        NewOrder { customer: Some(Box::new(person("Ida"))), ..base.clone() },
    ];
    // Fixed for good: a stored hash must mean the same in the next version.
    assert_eq!(base.content_hash(), 3_405_321_581_789_129_657);
    others.push(base);
    let count = others.len();
    let mut hashes: Vec<i64> = others.iter().map(NewOrder::content_hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}
