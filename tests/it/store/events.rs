//! Events in both databases.

use stammgast::base::clock::Clock;
use stammgast::base::time::UnixMs;
use stammgast::config::Config;
use stammgast::flow::{Ctx, ingest};
use stammgast::model::customer::NewCustomer;
use stammgast::model::email_address::EmailAddress;
use stammgast::model::event::{NewEvent, Survey};
use stammgast::model::import::ImportCounts;
use stammgast::store::{Db, events};

use super::{number, texts};
use crate::common::shop::execute;

fn event(key: &str, customer: &str, kind: &str, value: Option<&str>, at: i64) -> NewEvent {
    let value = value.map(ToOwned::to_owned);
    NewEvent { external_id: key.to_owned(), customer_external_id: customer.to_owned(), customer: None, kind: kind.to_owned(), value, at: UnixMs(at) }
}

async fn ingest(db: &Db, batch: &[NewEvent]) -> ImportCounts {
    let ctx = Ctx::new(db.clone(), Clock::simulated(UnixMs(1_000)), Config::from_toml("").unwrap().into());
    ingest::events(&ctx, batch.to_vec()).await.unwrap().0
}

fn counts(inserted: u64, updated: u64, unchanged: u64) -> ImportCounts {
    ImportCounts { inserted, updated, unchanged, rejected: 0 }
}

async fn dump(db: &Db) -> Vec<String> {
    texts(
        db,
        "SELECT e.external_id || ' ' || c.external_id || ' ' || e.kind || ' ' || COALESCE(e.value, '-') || ' ' || CAST(e.at AS TEXT)
         FROM events e JOIN customers c ON c.id = e.customer_id ORDER BY e.external_id",
    )
    .await
}

on_both!(an_event_is_stored_once_and_a_later_telling_replaces_it, |test| {
    let first = [event("1", "a", "nps", Some("9"), 10), event("2", "b", "shop.visit", None, 20), event("1", "a", "nps", Some("8"), 10)];
    assert_eq!(ingest(&test.db, &first).await, counts(2, 0, 1));
    assert_eq!(dump(&test.db).await, ["1 a nps 8 10", "2 b shop.visit - 20"]);
    assert_eq!(ingest(&test.db, &first).await, counts(0, 0, 3));
    assert_eq!(ingest(&test.db, &[event("1", "b", "nps", Some("8"), 11)]).await, counts(0, 1, 0));
    assert_eq!(dump(&test.db).await, ["1 b nps 8 11", "2 b shop.visit - 20"]);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM customers").await, 2);
    execute(&test.db, "DELETE FROM customers WHERE external_id = 'b'".to_owned()).await;
    assert_eq!(dump(&test.db).await, Vec::<String>::new(), "events go with the person");
});

on_both!(an_event_that_names_an_address_belongs_to_the_customer_who_has_it, |test| {
    let person = |key: &str| Some(Box::new(NewCustomer { email: Some(EmailAddress::parse("eva@mail.example").ok()), ..NewCustomer::unknown(key) }));
    let by_number = NewEvent { customer: person("7"), ..event("1", "7", "nps", Some("9"), 10) };
    ingest(&test.db, &[by_number]).await;
    let by_address = NewEvent { customer: person("eva@mail.example"), ..event("2", "eva@mail.example", "nps", Some("3"), 20) };
    ingest(&test.db, &[by_address]).await;
    assert_eq!(dump(&test.db).await, ["1 7 nps 9 10", "2 7 nps 3 20"]);
});

on_both!(answers_are_read_up_to_a_moment_and_a_wrong_one_is_reported, |test| {
    let all = [
        event("1", "a", "nps", Some("9"), 10),
        event("2", "a", "csat", Some("5"), 20),
        event("3", "a", "nps", Some("0"), 30),
        event("4", "a", "shop.visit", Some("9"), 10),
    ];
    ingest(&test.db, &all).await;
    let mut tx = test.db.read().await.unwrap();
    let mut found = Vec::new();
    events::answers(&mut tx, UnixMs(20), |survey, answer, at| found.push((survey, answer, at.0))).await.unwrap();
    found.sort_by_key(|(_, _, at)| *at);
    assert_eq!(found, [(Survey::Nps, 9, 10), (Survey::Csat, 5, 20)]);
    drop(tx);
    execute(&test.db, "UPDATE events SET value = '12' WHERE external_id = '1'".to_owned()).await;
    let mut tx = test.db.read().await.unwrap();
    let error = events::answers(&mut tx, UnixMs(99), |_, _, _| ()).await.unwrap_err().to_string();
    assert_eq!(error, "the table events holds a value that cannot be read: '12'");
});
