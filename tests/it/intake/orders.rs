//! Orders from files: which rows are one order, what it cost, and when it was.

use std::io::Cursor;

use stammgast::intake::dates::{DateOrder, order_in};
use stammgast::intake::fields::Kind;
use stammgast::intake::mapping::Maps;
use stammgast::intake::rows::Rows;
use stammgast::model::order::OrderStatus;

use super::orders;

fn reasons(file: &str) -> Vec<(u64, String)> {
    orders(file).1.into_iter().map(|line| (line.line, line.reason)).collect()
}

#[test]
fn one_faulty_row_refuses_its_whole_order_and_no_other() {
    let file = "order_id,customer_id,date,amount,sku,quantity\nA,1,2025-01-01,5,x,1\nA,,,,y,many\nA,,,,z,1\nB,1,2025-01-02,6,x,1\n";
    let (found, refused) = orders(file);
    assert_eq!(found.iter().map(|order| order.external_id.as_str()).collect::<Vec<_>>(), ["B"]);
    assert_eq!(refused.iter().map(|line| line.line).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(refused[1].reason.starts_with("line_quantity: 'many' is not a quantity: expected e.g. 2"), "{refused:?}");
    assert_eq!(refused[0].reason, "belongs to the same order as line 3, which is refused");
}

#[test]
fn an_unreadable_line_takes_the_order_that_it_names_with_it() {
    let file =
        "order_id,customer_id,date,amount,sku\nA1,1,2025-01-01,5,x\nA1,,,,\"y\nA1,,,,z\nB1,1,2025-01-02,6,\"x\"y\nB1,,,,w\nC1,1,2025-01-03,7,v\n";
    let (found, refused) = orders(file);
    assert_eq!(found.iter().map(|order| order.external_id.as_str()).collect::<Vec<_>>(), ["C1"]);
    assert_eq!(refused.iter().map(|line| line.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
}

#[test]
fn rows_of_one_order_that_stand_apart_are_refused_instead_of_replacing_each_other() {
    let told = reasons("order_id,customer_id,date,amount,sku\nA,1,2025-01-01,5,x\nB,1,2025-01-02,6,x\nA,1,2025-01-01,5,y\n");
    assert_eq!(told, [(4, "order A has rows further up: sort the file by order and import it again".to_owned())]);
}

#[test]
fn an_amount_that_differs_within_an_order_is_not_guessed_to_be_a_line_total() {
    let told = reasons("order_id,customer_id,date,amount,sku\nA,1,2025-01-01,5,x\nA,1,2025-01-01,6,y\n");
    assert_eq!(told[1], (3, "revenue: differs from line 2 of the same order: an amount of each line is --map line_total=COLUMN".to_owned()));
}

#[test]
fn revenue_and_cost_come_from_the_lines_when_the_order_names_none() {
    let (found, refused) =
        orders("order_id,customer_id,date,sku,menge,einzelpreis,line_cost\nA,1,2025-01-01,x,2,\"1,50\",1\nA,1,2025-01-01,y,\"0,35\",10,2\n");
    assert_eq!(refused, []);
    assert_eq!((found[0].revenue.0, found[0].cost.map(|cost| cost.0)), (650, Some(300)));
    assert_eq!(found[0].lines.iter().map(|line| line.quantity).collect::<Vec<_>>(), [2, 1], "goods by weight are one piece");
}

#[test]
fn what_was_paid_back_in_full_is_no_order_any_more_and_what_was_paid_back_in_part_counts_with_the_rest() {
    let file = "order_id,customer_id,date,amount,refunded,status\nA,1,2025-01-01,50,50,paid\nB,1,2025-01-01,50,20,paid\nC,1,2025-01-01,50,50,open\nD,1,2025-01-01,0,,paid\nE,1,2025-01-01,0,9,paid\n";
    let (found, refused) = orders(file);
    assert_eq!(refused, []);
    let told: Vec<(i64, OrderStatus)> = found.iter().map(|order| (order.revenue.0, order.status)).collect();
    let expected =
        [(0, OrderStatus::Cancelled), (3_000, OrderStatus::Paid), (0, OrderStatus::Open), (0, OrderStatus::Paid), (0, OrderStatus::Cancelled)];
    assert_eq!(told, expected);
}

#[test]
fn amounts_that_no_order_can_have_are_refused() {
    let told =
        reasons("customer_id,date,amount\n1,2025-01-01,-5\n1,2025-01-01,1.234\n1,2025-01-01,\n1,2025-01-01,999999999999999\n1,,5\n,2025-01-01,5\n");
    let beginnings = ["revenue: '-5' is negative", "revenue: '1.234' is not an amount", "revenue: empty", "revenue: '999999999999999' is too large"];
    for ((_, reason), beginning) in told.iter().zip(beginnings.into_iter().chain(["ordered_at: empty", "customer_id: empty"])) {
        assert!(reason.starts_with(beginning), "{reason}");
    }
    assert_eq!(told.len(), 6);
}

#[test]
fn an_amount_in_another_currency_than_the_shops_is_refused_in_whatever_column_it_stands() {
    let header = "order_id,customer_id,date,amount,refunded,cost,line_price,line_total,line_cost\n";
    for (field, row) in [
        ("revenue", "\"12,30 USD\",,,,,"),
        ("refunded", "5,$ 5.00,,,,"),
        ("cost", "5,,CHF 7.00,,,"),
        ("line_price", "5,,,£1,,"),
        ("line_total", "5,,,,2 USD,"),
        ("line_cost", "5,,,1,,US$ 1"),
    ] {
        let told = reasons(&format!("{header}A,1,2025-01-01,{row}\n"));
        assert!(told.len() == 1 && told[0].1.starts_with(&format!("{field}: '")), "{told:?}");
        let beginning = if field == "line_cost" { "is not an amount" } else { "but the shop's currency is EUR: expected amounts in EUR" };
        assert!(told[0].1.contains(beginning), "{told:?}");
    }
    let (found, refused) = orders(format!("{header}A,1,2025-01-01,\"12,30 EUR\",€ 2,1.00 €,,,\n"));
    assert_eq!((found[0].revenue.0, found[0].cost.map(|cost| cost.0), refused), (1_030, Some(100), Vec::new()));
}

#[test]
fn a_guest_without_an_address_is_nobody_but_a_number_0_without_addresses_is_a_customer() {
    let told = reasons("order_id,customer_id,email,date,amount\nA,0,,2025-01-01,5\n");
    assert_eq!(told, [(2, "customer_id: 0 means a guest: expected an email address at least".to_owned())]);
    assert_eq!(orders("order_id,customer_id,date,amount\nA,0,2025-01-01,5\n").0[0].customer_external_id, "0");
}

#[test]
fn an_unreadable_line_costs_no_other_order_where_every_row_is_one() {
    let (found, refused) = orders("order_id,customer_id,date,amount\n1,1,2025-01-01,5\n2,1,\"x\"y,5\n3,1,2025-01-01,6\n");
    assert_eq!((found.len(), refused.len()), (2, 1));
}

#[test]
fn an_order_without_its_number_in_a_file_that_has_numbers_is_refused() {
    assert_eq!(
        reasons("order_id,customer_id,date,amount\n,1,2025-01-01,5\n"),
        [(2, "order_id: empty, though the file has such a column".to_owned())]
    );
}

#[test]
fn the_made_up_number_depends_on_what_was_bought_and_not_on_form_or_status() {
    let id = |file: &str| orders(file).0.pop().unwrap().external_id;
    let first = id("customer_id,date,amount\n1,2025-12-31,9.90\n");
    assert_eq!(first, id("Kundennummer;Datum;Betrag;Status\n1;31.12.2025;9,90;offen\n"));
    assert_ne!(first, id("customer_id,date,amount\n1,2025-12-31,9.91\n"));
    let twice = orders("customer_id,date,amount\n1,2025-12-31,9.90\n1,2025-12-31,9.90\n").0;
    assert_eq!(twice[0].external_id, first);
    assert_eq!(twice[1].external_id, first.replace("-1", "-2"));
}

#[test]
fn two_json_lines_of_the_same_order_are_two_statements_of_it() {
    let line = |total: i64| {
        format!("{{\"order_id\":\"A\",\"customer_id\":\"1\",\"ordered_at\":\"2025-01-01\",\"revenue\":{total},\"lines\":[{{\"sku\":\"x\"}}]}}\n")
    };
    let (found, refused) = orders(format!("{}{}", line(5), line(6)));
    assert_eq!(refused, []);
    assert_eq!(found.iter().map(|order| (order.revenue.0, order.lines.len())).collect::<Vec<_>>(), [(500, 1), (600, 1)]);
}

#[test]
fn a_year_of_two_digits_behind_dots_is_one_of_this_century_unless_that_has_not_been_yet() {
    let (found, refused) = orders("customer_id,date,amount\n1,31.12.25,5\n1,1.2.99,5\n1,12/31/25,5\n");
    assert_eq!(found.iter().map(|order| order.ordered_at.to_string()).collect::<Vec<_>>(), ["2025-12-30T23:00:00Z"]);
    assert_eq!(refused[0].reason, "ordered_at: '1.2.99' would lie in the future: expected a year of four digits");
    assert!(refused[1].reason.starts_with("ordered_at: '12/31/25' is not a date or time"), "{refused:?}");
}

#[test]
fn one_date_tells_how_all_dates_with_slashes_of_a_file_are_meant() {
    let order = |dates: [&str; 2]| {
        let file = format!("customer_id,date,amount\n1,{},5\n1,{},5\n", dates[0], dates[1]);
        order_in(Rows::open(Box::new(Cursor::new(file)), Kind::Orders, &Maps::default()).unwrap()).map_err(|error| error.to_string())
    };
    assert_eq!(order(["04/05/2025", "13/05/2025"]), Ok(Some(DateOrder::DayFirst)));
    assert_eq!(order(["04/05/2025", "05/13/2025"]), Ok(Some(DateOrder::MonthFirst)));
    assert_eq!(order(["2025-05-04", "13.05.2025"]), Ok(None));
    assert!(order(["04/05/2025", "05/04/2025"]).unwrap_err().contains("say --date-order dmy or --date-order mdy"));
    assert!(order(["13/05/2025", "05/13/2025"]).unwrap_err().contains("line 2 has the day first ('13/05/2025'), line 3 the month"));
    assert!(reasons("customer_id,date,amount\n1,04/05/2025,5\n")[0].1.contains("can be read in two ways"));
}
