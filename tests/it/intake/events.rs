//! Events from files.

use std::io::Cursor;

use stammgast::base::time::UnixMs;
use stammgast::intake::customers::Customers;
use stammgast::intake::events::Events;
use stammgast::intake::mapping::Maps;
use stammgast::intake::{Options, Refused};
use stammgast::model::event::NewEvent;

use super::{map, options, sort};

fn events(text: &str) -> (Vec<NewEvent>, Vec<Refused>) {
    sort(Events::open(Box::new(Cursor::new(text.as_bytes().to_vec())), &Maps::default(), options()).unwrap())
}

#[test]
fn answers_and_other_events_are_read_by_the_names_that_exports_use() {
    let (found, refused) =
        events("Antwort-ID;Kundennummer;Umfrage;Bewertung;Datum\n7;1;NPS;9;31.12.2025 14:30\n8;2;csat;4,0;2026-01-01\n9;3;shop.visit;;2026-01-02\n");
    assert!(refused.is_empty(), "{refused:?}");
    let told: Vec<(&str, &str, &str, Option<&str>)> = found
        .iter()
        .map(|event| (event.external_id.as_str(), event.customer_external_id.as_str(), event.kind.as_str(), event.value.as_deref()))
        .collect();
    assert_eq!(told, [("7", "1", "nps", Some("9")), ("8", "2", "csat", Some("4")), ("9", "3", "shop.visit", None)]);
    assert_eq!(found[0].at.to_string(), "2025-12-31T13:30:00Z");
    let (json, _) = events("{\"customer_id\":\"1\",\"kind\":\"nps\",\"value\":10,\"at\":\"2026-01-01T10:00:00Z\"}\n");
    assert_eq!((json[0].value.as_deref(), json[0].at), (Some("10"), UnixMs(1_767_261_600_000)));
}

#[test]
fn an_event_without_a_key_gets_one_from_what_it_says() {
    let (found, _) =
        events("customer_id,kind,value,at\n1,nps,9,2026-01-01\n1,nps,9,2026-01-01\n1,nps,9,2026-01-02\n1,nps,8,2026-01-01\n2,nps,9,2026-01-01\n");
    let keys: Vec<&str> = found.iter().map(|event| event.external_id.as_str()).collect();
    assert_eq!(keys[0], keys[1], "the same answer at the same moment is the same event");
    let mut others = keys.clone();
    others.sort_unstable();
    others.dedup();
    assert!(others.len() == 4 && keys.iter().all(|key| key.starts_with("auto-") && key.len() == 37), "{keys:?}");
    let file = "customer_id,kind,at\n1,x,2026-01-01\n";
    let told = Options { source: Some("kasse".to_owned()), ..options() };
    let (found, _) = sort(Events::open(Box::new(Cursor::new(file)), &Maps::default(), told).unwrap());
    assert!(found[0].external_id.starts_with("kasse:auto-") && found[0].customer_external_id == "kasse:1", "{found:?}");
}

#[test]
fn answers_that_are_none_come_back_with_what_is_expected() {
    let rows = ["-1", "11", "7.5", "", "ten"].map(|value| format!("1,nps,{value},2026-01-01\n")).concat();
    let rest = "1,csat,0,2026-01-01\n1,csat,6,2026-01-01\n1,,5,2026-01-01\n1,two words,5,2026-01-01\n1,nps,5,\n1,nps,5,soon\n,nps,5,2026-01-01\n";
    let (found, refused) = events(&format!("customer_id,kind,value,at\n{rows}{rest}"));
    assert!(found.is_empty());
    let reasons: Vec<String> = refused.iter().map(|refused| format!("{}: {}", refused.line, refused.reason)).collect();
    insta::assert_snapshot!("refused", reasons.join("\n"));
}

#[test]
fn a_column_that_every_event_needs_is_asked_for() {
    let open =
        |text: &'static str, maps: &Maps| Events::open(Box::new(Cursor::new(text)), maps, options()).map(|_| ()).map_err(|error| error.to_string());
    let error = open("customer_id,value,at\n1,9,2026-01-01\n", &Maps::default()).unwrap_err();
    assert!(
        error.starts_with("no column is known as kind; say which it is, e.g. --map kind=COLUMN, or what all of them are, e.g. --kind nps ("),
        "{error}"
    );
    let error = open("customer_id,kind,value\n1,nps,9\n", &Maps::default()).unwrap_err();
    assert!(error.starts_with("no column is known as at; say which it is"), "{error}");
    assert_eq!(open("customer_id,kind,Wann\n1,x,2026-01-01\n", &map(&[("at", "Wann")])), Ok(()));
}

#[test]
fn a_file_without_a_column_for_the_kind_is_of_one_kind() {
    let told = |maps: Maps, text: &'static str| {
        let maps = Maps { event_kind: Some("nps".to_owned()), ..maps };
        Events::open(Box::new(Cursor::new(text)), &maps, options()).map(sort).map_err(|error| error.to_string())
    };
    let (found, refused) = told(Maps::default(), "customer_id,score,date\n1,9,2026-01-01\n2,11,2026-01-01\n").unwrap();
    assert_eq!((found.len(), found[0].kind.as_str(), found[0].value.as_deref()), (1, "nps", Some("9")));
    assert_eq!(refused[0].reason, "value: '11' is no answer to nps: expected a whole number from 0 to 10");
    // A column that looks as if it said the kind says something else.
    for text in [
        "customer_id,survey,score,date\n1,Spring 2026,9,2026-01-01\n",
        "{\"customer_id\":1,\"survey\":\"Spring 2026\",\"score\":9,\"date\":\"2026-01-01\"}\n",
    ] {
        let (found, refused) = told(Maps::default(), text).unwrap();
        assert!(refused.is_empty() && found[0].kind == "nps", "{refused:?}");
    }
    let error = told(map(&[("kind", "Art")]), "customer_id,Art,score,date\n1,csat,9,2026-01-01\n").unwrap_err();
    assert_eq!(error, "--kind says what all events are, --map kind=Art that a column does: expected one of them");
    let maps = Maps { event_kind: Some("nps".to_owned()), ..Maps::default() };
    let error = Customers::open(Box::new(Cursor::new("customer_id\n1\n")), &maps, options()).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "--kind says what events are: customers have none");
}
