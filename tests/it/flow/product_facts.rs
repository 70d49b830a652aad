//! What was bought, who was brought, and how much of a stated need the shop covers: as rules see it.

use stammgast::base::time::DAY_MS;
use stammgast::flow::{ingest, plan};
use stammgast::intake::mapping::Maps;
use stammgast::intake::{Found, Options, customers::Customers};

use crate::common::shop::execute;
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::texts;

const RULE: &str = "rule(\"x\").basis(\"consent\").when(|c| CONDITION).once_per(\"ever\").control(0).send(|c| email(\"thank-you\"));";

on_both!(rules_ask_what_was_bought_and_who_was_brought_and_find_the_same_people_by_database_and_interpreter, |test| {
    people(&test.db, 1..=4).await;
    let line = |order: i64, number: i64, sku: &str, name: &str, category: &str| format!("({order}, {number}, {sku}, {name}, {category}, 1)");
    let rows = [
        line(1, 1, "'P-1'", "'Tee'", "'Tee'"),
        line(1, 2, "'P-1'", "'Tea'", "'Tee'"),
        line(1, 3, "NULL", "'Kanne'", "'Geschirr'"),
        line(2, 1, "'P-2'", "NULL", "NULL"),
        line(3, 1, "'P-1'", "NULL", "'Tee'"),
    ];
    execute(&test.db, format!("INSERT INTO order_lines (order_id, line_no, sku, name, category, quantity) VALUES {}", rows.join(", "))).await;
    execute(&test.db, "UPDATE customers SET attributes = '{\"yearly_need\":40}' WHERE id IN (1, 2)".to_owned()).await;
    execute(&test.db, "UPDATE customers SET attributes = '{\"yearly_need\":0}' WHERE id = 3".to_owned()).await;
    execute(&test.db, "UPDATE customers SET referred_by = '1' WHERE id IN (2, 3)".to_owned()).await;
    let future = Stage::new(&test.db, MONDAY_NINE, &RULE.replace("CONDITION", "true"), "").moment(MONDAY_NINE).0 + DAY_MS;
    execute(&test.db, format!("UPDATE customers SET referred_by = '1', created_at = {future} WHERE id = 4")).await;
    for (condition, expected) in [
        ("c.different_products == 2", "1"),
        ("c.different_products < 1", "4"),
        ("c.different_categories >= 1", "1 3"),
        ("c.referrals == 2", "1"),
        ("c.referrals == 0", "2 3 4"),
        ("c.referred_by == \"1\"", "2 3 4"),
        ("c.top_interest == \"Tee\"", "3"),
        ("c.interest(\"Tee\") == 0.5", "1"),
        ("c.interest(\"Tee\") == 0", ""),
        ("c.interests.contains(\"Geschirr\")", "1"),
        // Ten euros in the last year.
        ("c.share_of_wallet(\"yearly_need\") == 25", "1 2"),
        ("c.share_of_wallet(\"yearly_need\") != ()", "1 2"),
        ("c.interest_drift(days(30)) >= 0", ""),
    ] {
        let stage = Stage::new(&test.db, MONDAY_NINE, &RULE.replace("CONDITION", condition), "");
        let found = plan::plan(&stage.ctx, &stage.in_force.get(), "x", None).await.unwrap();
        assert_eq!(found.people.iter().map(|person| person.customer.as_str()).collect::<Vec<_>>().join(" "), expected, "{condition}");
    }
});

on_both!(an_import_says_who_brought_a_customer_and_an_empty_cell_that_nobody_did, |test| {
    let stage = Stage::new(&test.db, MONDAY_NINE, &RULE.replace("CONDITION", "true"), "");
    let config = &stage.ctx.config;
    let import = async |text: &'static str| {
        let options = Options {
            zone: config.shop.zone(),
            currency: config.shop.currency,
            date_order: None,
            source: Some("shop".to_owned()),
            data_at: stage.ctx.clock.now(),
            now: stage.ctx.clock.now(),
        };
        let rows = Customers::open(Box::new(text.as_bytes()), &Maps::default(), options).unwrap();
        let batch = rows
            .map(|row| match row.unwrap() {
                Found::Record(news) => news,
                Found::Refused(why) => panic!("{why:?}"),
            })
            .collect();
        ingest::customers(&stage.ctx, batch).await.unwrap()
    };
    let stored = async || texts(&test.db, "SELECT external_id || ' ' || COALESCE(referred_by, '-') FROM customers ORDER BY external_id").await;
    import("Kundennummer,Geworben von\n1,\n2,1\n3,3\n").await;
    assert_eq!(stored().await, ["shop:1 -", "shop:2 shop:1", "shop:3 -"], "nobody brings themselves");
    assert_eq!(import("Kundennummer,Vorname\n2,Anna\n").await.updated, 1);
    assert_eq!(stored().await[1], "shop:2 shop:1", "who says nothing changes nothing");
    import("Kundennummer,Geworben von\n2,\n").await;
    assert_eq!(stored().await[1], "shop:2 -");
});
