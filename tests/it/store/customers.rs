//! Customers in both databases.

use stammgast::base::id::Id;
use stammgast::base::time::UnixMs;
use stammgast::model::consent::{Consent, ConsentKind};
use stammgast::model::customer::{Customer, Locale, NewCustomer};
use stammgast::model::email_address::EmailAddress;
use stammgast::model::import::ImportCounts;
use stammgast::store::{Db, customers};

use super::{number, texts};

fn person(key: &str, email: &str) -> NewCustomer {
    NewCustomer {
        email: Some(EmailAddress::parse(email).ok()),
        first_name: Some(Some("Eva".to_owned())),
        last_name: Some(Some("Muster".to_owned())),
        birthday: Some("1980-05-17".parse().ok()),
        locale: Some(Some(Locale::En)),
        tags: Some(vec!["vip".to_owned(), "a".to_owned(), "vip".to_owned()]),
        ..NewCustomer::unknown(key)
    }
}

async fn upsert(db: &Db, batch: &[NewCustomer], now: i64) -> (ImportCounts, Vec<Id>) {
    let mut tx = db.write().await.unwrap();
    let done = customers::upsert(&mut tx, batch, UnixMs(now)).await.unwrap();
    tx.commit().await.unwrap();
    done
}

async fn find(db: &Db, key: &str) -> Option<Customer> {
    customers::by_external_id(&mut db.read().await.unwrap(), key).await.unwrap()
}

fn counts(inserted: u64, updated: u64, unchanged: u64) -> ImportCounts {
    ImportCounts { inserted, updated, unchanged, rejected: 0 }
}

on_both!(what_is_stored_is_read_back, |db| {
    let (done, ids) = upsert(&db.db, &[person("1", "Eva@Shop.example")], 5).await;
    assert_eq!(done, counts(1, 0, 0));
    let stored = find(&db.db, "1").await.unwrap();
    assert_eq!(stored, Customer { tags: vec!["a".to_owned(), "vip".to_owned()], ..person("1", "Eva@Shop.example").apply(ids[0], None) });
    assert_eq!(texts(&db.db, "SELECT email_key FROM customers").await, ["eva@shop.example"]);
    assert_eq!(find(&db.db, "2").await, None);
});

on_both!(news_change_only_what_they_tell_and_the_same_news_change_nothing, |db| {
    upsert(&db.db, &[person("1", "eva@shop.example")], 5).await;
    assert_eq!(upsert(&db.db, &[person("1", "eva@shop.example")], 6).await.0, counts(0, 0, 1));
    assert_eq!(number(&db.db, "SELECT updated_at FROM customers").await, 5);
    let news = NewCustomer { email: Some(None), last_name: Some(Some("Neu".to_owned())), ..NewCustomer::unknown("1") };
    assert_eq!(upsert(&db.db, std::slice::from_ref(&news), 7).await.0, counts(0, 1, 0));
    let stored = find(&db.db, "1").await.unwrap();
    assert_eq!((stored.email, stored.first_name.as_deref(), stored.last_name.as_deref()), (None, Some("Eva"), Some("Neu")));
    assert_eq!(number(&db.db, "SELECT updated_at FROM customers").await, 7);
    assert_eq!(number(&db.db, "SELECT COUNT(*) FROM customers WHERE email_key IS NULL").await, 1);
});

on_both!(the_later_of_two_news_in_a_batch_lies_on_top_of_the_earlier, |db| {
    let second = NewCustomer { last_name: Some(None), ..NewCustomer::unknown("1") };
    let (done, ids) = upsert(&db.db, &[person("1", "eva@shop.example"), second], 5).await;
    assert_eq!(done, counts(1, 1, 0), "the later one changed it");
    assert_eq!(ids[0], ids[1]);
    let stored = find(&db.db, "1").await.unwrap();
    assert_eq!((stored.first_name.as_deref(), stored.last_name), (Some("Eva"), None));
});

on_both!(a_consent_is_kept_once_and_a_new_one_counts_as_a_change, |db| {
    let said = |at| NewCustomer {
        consent: Some(Consent { kind: ConsentKind::DoubleOptIn, at: UnixMs(at), source: "checkout".to_owned() }),
        ..NewCustomer::unknown("1")
    };
    assert_eq!(upsert(&db.db, &[said(1)], 5).await.0, counts(1, 0, 0));
    assert_eq!(upsert(&db.db, &[said(1)], 6).await.0, counts(0, 0, 1));
    assert_eq!(upsert(&db.db, &[said(2)], 7).await.0, counts(0, 1, 0));
    assert_eq!(number(&db.db, "SELECT COUNT(*) FROM consents").await, 2);
});

on_both!(a_batch_above_the_limit_of_placeholders_is_stored_whole_and_read_page_by_page, |db| {
    let batch: Vec<NewCustomer> = (0..6_000).map(|number| person(&format!("k{number}"), &format!("c{number}@shop.example"))).collect();
    let (done, mut ids) = upsert(&db.db, &batch, 5).await;
    assert_eq!(done, counts(6_000, 0, 0));
    ids.sort_unstable();
    let (mut read, mut after) = (Vec::new(), Id(0));
    loop {
        let page = customers::page_after(&mut db.db.read().await.unwrap(), after, 2_500).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        read.extend(page.into_iter().map(|customer| customer.id));
    }
    assert_eq!(read, ids);
});

on_both!(a_customer_known_by_address_only_gets_the_shops_key_when_it_comes, |db| {
    let (_, before) =
        upsert(&db.db, &[person("eva@shop.example", "eva@shop.example"), person("kasse:max@shop.example", "max@shop.example")], 5).await;
    let (done, after) =
        upsert(&db.db, &[person("7", "Eva@shop.example"), person("8", "eva@shop.example"), person("kasse:9", "max@shop.example")], 6).await;
    assert_eq!(done, counts(1, 2, 0));
    assert_eq!((after[0], after[2]), (before[0], before[1]));
    assert_eq!(texts(&db.db, "SELECT external_id FROM customers ORDER BY external_id").await, ["7", "8", "kasse:9"]);
});
