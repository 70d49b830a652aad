//! Customers from files.

use std::io::Cursor;

use stammgast::base::time::UnixMs;
use stammgast::intake::customers::Customers;
use stammgast::intake::mapping::Maps;
use stammgast::model::attribute::{AttributeKind, Declared};
use stammgast::model::consent::ConsentKind;
use stammgast::model::customer::Locale;

use super::{DATA_AT, customers, map, options, sort};

#[test]
fn a_column_that_is_not_there_says_nothing_and_an_empty_cell_says_none() {
    let (found, refused) = customers("customer_id,email,first_name,tags\n1,,Eva,\n2,a@b.example,,\"x, y\"\n");
    assert!(refused.is_empty());
    assert_eq!((found[0].email.clone(), found[0].last_name.clone(), found[0].tags.clone()), (Some(None), None, Some(vec![])));
    assert_eq!((found[1].first_name.clone(), found[1].tags.clone()), (Some(None), Some(vec!["x".to_owned(), "y".to_owned()])));
    let (json, _) = customers("{\"customer_id\":\"1\",\"email\":null}\n{\"customer_id\":2,\"locale\":\"en-GB\",\"name\":\"Muster, Eva Maria\"}\n");
    assert_eq!((json[0].email.clone(), json[0].first_name.clone()), (Some(None), None));
    assert_eq!((json[1].email.clone(), json[1].locale), (None, Some(Some(Locale::En))));
    assert_eq!((json[1].first_name.clone(), json[1].last_name.clone()), (Some(Some("Eva Maria".to_owned())), Some(Some("Muster".to_owned()))));
}

#[test]
fn a_faulty_line_comes_back_as_it_was_with_number_field_and_expectation() {
    let (found, refused) = customers("customer_id,email,birthday,consent\n1,nobody,,\n2,,31.02.1980,\n3,,,maybe\n4,,\n,,,\n,,1980-01-01,\n5,,,no\n");
    let told: Vec<(u64, &str, &str)> = refused.iter().map(|line| (line.line, line.raw.as_str(), line.reason.split(':').next().unwrap())).collect();
    assert_eq!(
        told,
        [
            (2, "1,nobody,,", "email"),
            (3, "2,,31.02.1980,", "birthday"),
            (4, "3,,,maybe", "consent"),
            (5, "4,,", "3 cells, but the header has 4"),
            (7, ",,1980-01-01,", "customer_id")
        ]
    );
    assert!(refused.iter().all(|line| line.reason.contains("expected") || line.reason.contains("cells")), "{refused:?}");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].consent, None);
}

#[test]
fn quoted_headers_tabs_and_a_line_that_names_the_delimiter_are_understood() {
    for file in ["\"Kunden-Nr.\";\"E-Mail\"\r\n\"1\";\"a@b.example\"\r\n", "sep=;\nKundennr;Email\n1;a@b.example\n", "\nid\tmail\n1\ta@b.example"] {
        let (found, refused) = customers(file);
        assert_eq!((found.len(), refused.len()), (1, 0), "{file}");
        assert_eq!((found[0].external_id.as_str(), found[0].email.clone().flatten().unwrap().as_str()), ("1", "a@b.example"));
    }
}

#[test]
fn an_objection_without_a_date_counts_from_the_age_of_the_data_and_a_consent_from_long_ago() {
    let (found, _) = customers("customer_id,consent,created_at\n1,unsubscribed,2020-01-01\n2,double_opt_in,\n3,yes,2020-01-01T00:00:00Z\n");
    let told: Vec<_> = found.iter().map(|customer| customer.consent.clone().unwrap()).map(|consent| (consent.kind, consent.at)).collect();
    assert_eq!(
        told,
        [(ConsentKind::Objected, DATA_AT), (ConsentKind::DoubleOptIn, UnixMs(0)), (ConsentKind::SingleOptIn, UnixMs(1_577_836_800_000))]
    );
    assert_eq!(found[0].consent.clone().unwrap().source, "import");
}

#[test]
fn a_source_stands_before_the_ids_and_behind_the_consents() {
    let file = "customer_id,email,consent\n1,,yes\n,a@b.example,\n";
    let with_source = stammgast::intake::Options { source: Some("kasse".to_owned()), ..options() };
    let (found, _) = sort(Customers::open(Box::new(Cursor::new(file)), &Maps::default(), with_source).unwrap());
    assert_eq!((found[0].external_id.as_str(), found[0].consent.clone().unwrap().source.as_str()), ("kasse:1", "kasse"));
    assert_eq!(found[1].external_id, "kasse:a@b.example");
}

#[test]
fn a_column_that_cannot_be_found_is_asked_for_with_the_columns_that_are_there() {
    let open = |file: &'static str, maps: &Maps| Customers::open(Box::new(Cursor::new(file)), maps, options()).err().map(|error| error.to_string());
    assert_eq!(
        open("Nr;Mailadresse privat\n1;a@b.example\n", &Maps::default()).unwrap(),
        "no column is known as customer_id or email; say which it is, e.g. --map customer_id=COLUMN (columns in the file: 'Nr', 'Mailadresse privat')"
    );
    assert_eq!(open("Nr;Mailadresse privat\n1;a@b.example\n", &map(&[("customer_id", "nr"), ("email", "Mailadresse privat")])), None);
    let missing = open("Nr;x\n1;2\n", &map(&[("email", "Post")])).unwrap();
    assert!(missing.contains("there is no column 'Post'") && missing.contains("'Nr', 'x'"), "{missing}");
    let unknown = open("Nr;x\n1;2\n", &map(&[("shoe_size", "Nr")])).unwrap();
    assert!(unknown.contains("'shoe_size' is nothing that customers have") && unknown.contains("birthday"), "{unknown}");
    assert!(open("", &Maps::default()).unwrap().contains("empty"));
    assert!(open("[{\"customer_id\":1}]", &Maps::default()).unwrap().contains("one object a line"));
    assert!(open("{\"nr\":1}\n", &Maps::default()).unwrap().contains("columns in the file: 'nr'"));
}

#[test]
fn what_the_configuration_says_counts_only_where_the_column_is_and_after_the_command_line() {
    let usual = |pairs: &[(&str, &str)]| Maps { usual: map(pairs).asked, ..Maps::default() };
    let read = |maps: &Maps| {
        sort(Customers::open(Box::new(Cursor::new("customer_id,email,Mail 2\n1,a@b.example,c@d.example\n")), maps, options()).unwrap()).0
    };
    let address = |maps: &Maps| read(maps)[0].email.clone().flatten().unwrap().to_string();
    assert_eq!(address(&usual(&[("email", "Mail 2")])), "c@d.example");
    assert_eq!(address(&usual(&[("email", "Mail 3")])), "a@b.example");
    assert_eq!(address(&Maps { usual: map(&[("email", "Mail 2")]).asked, ..map(&[("email", "email")]) }), "a@b.example");
}

#[test]
fn declared_attributes_are_read_by_their_kind_and_an_empty_cell_clears_them() {
    let declared =
        [("city", AttributeKind::Text), ("points", AttributeKind::Number), ("stammkarte", AttributeKind::Flag), ("mail", AttributeKind::Text)];
    let attributes = declared.map(|(name, kind)| Declared { name: name.to_owned(), kind });
    let maps = Maps { attributes: attributes.into(), ..map(&[("points", "Bonus")]) };
    let read = |text: &str| sort(Customers::open(Box::new(Cursor::new(text.to_owned().into_bytes())), &maps, options()).unwrap());
    let (found, refused) = read("customer_id;email;City;Bonus;Stammkarte\n1;a@b.example;Bonn;12,5;ja\n2;;;;\n3;;Köln;many;x\n4;;;7;perhaps\n");
    let told: Vec<String> = found.iter().map(|customer| format!("{:?}", customer.attributes)).collect();
    assert_eq!(
        told,
        [
            "{\"city\": Some(Text(\"Bonn\")), \"points\": Some(Number(12.5)), \"stammkarte\": Some(Flag(true))}",
            "{\"city\": None, \"points\": None, \"stammkarte\": None}"
        ],
        "'mail' is an attribute here, and the file has none"
    );
    let reasons: Vec<&str> = refused.iter().map(|line| line.reason.as_str()).collect();
    assert_eq!(
        reasons,
        ["points: expected a number such as 1250 or 12,5, of at most 15 digits", "stammkarte: expected yes or no, true or false, 1 or 0, ja or nein"]
    );
    let (json, _) =
        read("{\"customer_id\":1,\"attributes\":{\"city\":\"Ulm\",\"stammkarte\":true},\"Bonus\":3}\n{\"customer_id\":2,\"city\":null}\n");
    assert_eq!(format!("{:?}", json[0].attributes), "{\"city\": Some(Text(\"Ulm\")), \"points\": Some(Number(3)), \"stammkarte\": Some(Flag(true))}");
    assert_eq!(format!("{:?}", json[1].attributes), "{\"city\": None}");
}
