//! The sample shop is the same shop everywhere, its people behave like people, and every shipped rule finds somebody each day.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::LazyLock;

use chrono::{Datelike as _, Days, NaiveDate, Timelike as _, Weekday};
use sha2::{Digest as _, Sha256};
use stammgast::base::time::{UnixMs, Zone, anniversary, days_between};
use stammgast::intake::sample_shop::{CUSTOMERS, SampleShop, sample_shop};
use stammgast::model::consent::ConsentKind;
use stammgast::model::customer::NewCustomer;
use stammgast::model::email_address::EmailAddress;
use stammgast::model::order::{NewOrder, OrderStatus};

static SHOP: LazyLock<SampleShop> = LazyLock::new(|| sample_shop(end(), berlin(), CUSTOMERS));

/// The end of the last day.
static SHOP_END: LazyLock<UnixMs> = LazyLock::new(|| berlin().start_of(end() + Days::new(1)));

fn end() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()
}

fn berlin() -> Zone {
    Zone::parse("Europe/Berlin").unwrap()
}

fn day_of(order: &NewOrder) -> NaiveDate {
    berlin().date(order.ordered_at)
}

/// Percent of a whole.
fn share(part: usize, whole: usize) -> usize {
    part * 100 / whole
}

/// Customer → days of the paid orders in order, and their revenue in cents.
type Facts<'a> = HashMap<&'a str, (Vec<NaiveDate>, i64)>;

/// What rules look at, up to the start of `day`.
fn facts(shop: &SampleShop, day: NaiveDate) -> Facts<'_> {
    let mut facts: Facts = HashMap::new();
    for order in shop.orders.iter().filter(|order| order.status == OrderStatus::Paid && day_of(order) < day) {
        let entry = facts.entry(&order.customer_external_id).or_default();
        entry.0.push(day_of(order));
        entry.1 += order.revenue.0;
    }
    facts
}

/// The customers that make up the first 80 % of the revenue.
fn best(facts: &Facts) -> BTreeSet<String> {
    let mut by_revenue: Vec<(&str, i64)> = facts.iter().map(|(customer, (_, revenue))| (*customer, *revenue)).collect();
    by_revenue.sort_by_key(|(customer, revenue)| (std::cmp::Reverse(*revenue), *customer));
    let border = by_revenue.iter().map(|(_, revenue)| revenue).sum::<i64>() * 80 / 100;
    let mut sum = 0;
    by_revenue
        .into_iter()
        .take_while(|(_, revenue)| {
            sum += revenue;
            sum <= border
        })
        .map(|(customer, _)| customer.to_owned())
        .collect()
}

#[test]
fn the_same_end_makes_the_same_shop_on_every_machine() {
    assert_eq!(sample_shop(end(), berlin(), 150), sample_shop(end(), berlin(), 150));
    let digest = Sha256::digest(format!("{:?}", *SHOP)).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    let customers = &SHOP.customers;
    let consents = |kind| customers.iter().filter(|customer| customer.consent.as_ref().map(|consent| consent.kind) == kind).count();
    let mut places: BTreeMap<char, usize> = BTreeMap::new();
    for order in &SHOP.orders {
        *places.entry(order.external_id.chars().next().unwrap()).or_default() += 1;
    }
    let figures = format!(
        "customers {}, without email {}, birthdays {}, english {}\nconsents: double {}, single {}, existing {}, objected {}, none {}\n\
         orders {}, cancelled {}, with voucher {}, lines {}, revenue {}, cost {}\nfirst {}, last {}\nplaces {places:?}\ndigest {digest}",
        customers.len(),
        customers.iter().filter(|customer| customer.email == Some(None)).count(),
        customers.iter().filter(|customer| customer.birthday.flatten().is_some()).count(),
        customers.iter().filter(|customer| customer.locale.flatten().is_some_and(|locale| locale.code() == "en")).count(),
        consents(Some(ConsentKind::DoubleOptIn)),
        consents(Some(ConsentKind::SingleOptIn)),
        consents(Some(ConsentKind::ExistingCustomer)),
        consents(Some(ConsentKind::Objected)),
        consents(None),
        SHOP.orders.len(),
        SHOP.orders.iter().filter(|order| order.status == OrderStatus::Cancelled).count(),
        SHOP.orders.iter().filter(|order| order.voucher_code.is_some()).count(),
        SHOP.orders.iter().map(|order| order.lines.len()).sum::<usize>(),
        SHOP.orders.iter().map(|order| order.revenue.0).sum::<i64>(),
        SHOP.orders.iter().filter_map(|order| order.cost).map(|cost| cost.0).sum::<i64>(),
        SHOP.orders[0].ordered_at,
        SHOP.orders[SHOP.orders.len() - 1].ordered_at,
    );
    insta::assert_snapshot!(figures);
}

/// How many a rule finds at the start of `day`, and how many of them may be written to.
fn count(shop: &SampleShop, day: NaiveDate, facts: &Facts, rule: impl Fn(&NewCustomer, &[NaiveDate]) -> bool) -> (usize, usize) {
    let found = shop.customers.iter().filter(|customer| facts.get(customer.external_id.as_str()).is_some_and(|(days, _)| rule(customer, days)));
    let consents = |customer: &NewCustomer| {
        customer.consent.as_ref().is_some_and(|consent| consent.kind == ConsentKind::DoubleOptIn && berlin().date(consent.at) < day)
    };
    found.fold((0, 0), |(all, reached), customer| (all + 1, reached + usize::from(consents(customer))))
}

#[test]
fn every_shipped_rule_finds_somebody_on_each_day_of_the_last_six_weeks() {
    // A usual end, one after a leap day, one right after Christmas.
    for end in [end(), NaiveDate::from_ymd_opt(2028, 3, 10).unwrap(), NaiveDate::from_ymd_opt(2025, 12, 28).unwrap()] {
        let shop = sample_shop(end, berlin(), CUSTOMERS);
        let mut reached_on_anniversaries = 0;
        for day in (0..42).map(|back| end - Days::new(back)) {
            let facts = facts(&shop, day);
            let best = best(&facts);
            let recency = |days: &[NaiveDate]| days_between(days[days.len() - 1], day);
            let on_day = |date: NaiveDate| anniversary(date, day.year()) == day;
            let (_, win_back) = count(&shop, day, &facts, |_, days| recency(days) > 60 && days.len() >= 2);
            let (_, birthday) =
                count(&shop, day, &facts, |customer, _| best.contains(&customer.external_id) && customer.birthday.flatten().is_some_and(on_day));
            let came_on_this_day = |days: &[NaiveDate]| days[0].year() < day.year() && on_day(days[0]);
            let (anniversaries, _) = count(&shop, day, &facts, |_, days| came_on_this_day(days));
            let (_, reached) = count(&shop, day, &facts, |_, days| came_on_this_day(days) && days.len() >= 2);
            let (_, thanks) = count(&shop, day, &facts, |_, days| recency(days) == 1);
            let (_, second) = count(&shop, day, &facts, |_, days| days.len() == 1 && (21..=45).contains(&recency(days)));
            assert!(win_back > 50, "{day}: {win_back} to win back");
            assert!(birthday > 0, "{day}: no birthday of an A customer");
            // Nobody can have come first on a leap day within the last two years.
            assert!(anniversaries > 0 || (day.month(), day.day()) == (2, 29), "{day}: no anniversary of a first order");
            assert!(thanks > 0, "{day}: nobody to thank");
            assert!(second > 5, "{day}: {second} for a second order");
            reached_on_anniversaries += reached;
        }
        assert!(reached_on_anniversaries > 20, "{end}: {reached_on_anniversaries} anniversaries of people who came again and may be written to");
    }
}

#[test]
fn the_customers_are_as_different_as_those_of_a_real_shop() {
    let customers = &SHOP.customers;
    let percent = |what: &dyn Fn(&NewCustomer) -> bool| share(customers.iter().filter(|customer| what(customer)).count(), customers.len());
    let said = |customer: &NewCustomer| customer.consent.as_ref().map(|consent| consent.kind);
    assert!((52..=58).contains(&percent(&|customer| said(customer) == Some(ConsentKind::DoubleOptIn))));
    assert!((5..=15).contains(&percent(&|customer| said(customer) == Some(ConsentKind::SingleOptIn))));
    assert!((12..=20).contains(&percent(&|customer| said(customer).is_none())));
    assert!((2..=7).contains(&percent(&|customer| said(customer) == Some(ConsentKind::Objected))));
    assert!((1..=6).contains(&percent(&|customer| customer.email == Some(None))));
    assert!((80..=95).contains(&percent(&|customer| customer.birthday.flatten().is_some())));
    let addresses: BTreeSet<String> = customers.iter().filter_map(|customer| customer.email.as_ref()?.as_ref().map(EmailAddress::key)).collect();
    assert_eq!(addresses.len(), customers.iter().filter(|customer| customer.email != Some(None)).count(), "an address belongs to one customer");
    assert!(addresses.iter().all(|address| address.ends_with(".example") || address.contains("@example.")), "a mail could reach somebody");
    let first_orders: HashMap<&str, UnixMs> = SHOP.orders.iter().rev().map(|order| (order.customer_external_id.as_str(), order.ordered_at)).collect();
    for customer in customers {
        let first_at = first_orders[customer.external_id.as_str()];
        assert!(customer.consent.as_ref().is_none_or(|consent| consent.at >= first_at && consent.at <= *SHOP_END), "{}", customer.external_id);
        let age = customer.birthday.flatten().map_or(30, |birthday| berlin().date(first_at).year() - birthday.year());
        assert!((17..=85).contains(&age), "{} is {age}", customer.external_id);
    }
}

#[test]
fn the_orders_follow_habits_weekdays_and_feasts() {
    let facts = facts(&SHOP, end() + Days::new(1));
    assert_eq!(facts.len(), CUSTOMERS, "everybody has bought once");
    let with_orders =
        |range: std::ops::RangeInclusive<usize>| share(facts.values().filter(|(days, _)| range.contains(&days.len())).count(), CUSTOMERS);
    assert!((40..=55).contains(&with_orders(1..=1)), "{}", with_orders(1..=1));
    assert!((5..=15).contains(&with_orders(20..=60)), "{}", with_orders(20..=60));
    assert!((20..=40).contains(&share(best(&facts).len(), CUSTOMERS)), "a third of the customers makes four fifths of the revenue");
    let mut weekdays = [0_usize; 7];
    let mut months = [0_usize; 12];
    for order in &SHOP.orders {
        weekdays[day_of(order).weekday().num_days_from_monday() as usize] += 1;
        months[day_of(order).month0() as usize] += 1;
    }
    assert_eq!(weekdays.iter().max(), Some(&weekdays[Weekday::Sat as usize]));
    assert_eq!(weekdays.iter().min(), Some(&weekdays[Weekday::Mon as usize]));
    assert_eq!(months.iter().max(), Some(&months[11]), "{months:?}");
    assert!(months[3] > months[6] * 5 / 4, "Easter is better than July: {months:?}");
}

#[test]
fn every_order_adds_up_and_lies_within_opening_hours() {
    let mut numbers = BTreeSet::new();
    for order in &SHOP.orders {
        let number = &order.external_id;
        assert!(numbers.insert(number), "{number} is there twice");
        assert_eq!(order.revenue.0, order.lines.iter().map(|line| line.total.unwrap().0).sum::<i64>(), "{number}");
        assert_eq!(order.cost.unwrap().0, order.lines.iter().map(|line| line.cost.unwrap().0).sum::<i64>(), "{number}");
        assert!(order.revenue > order.cost.unwrap() && order.lines.iter().all(|line| line.quantity > 0), "{number}");
        let wall = berlin().wall(order.ordered_at);
        let hours = if number.starts_with('O') { 7..23 } else { 8..18 };
        assert!(hours.contains(&wall.hour()), "{number} at {wall}");
        assert!(number.starts_with('O') || wall.weekday() != Weekday::Mon, "{number} was sold on a Monday");
        assert!(order.ordered_at <= *SHOP_END && wall.date() >= end() - Days::new(730), "{number} at {wall}");
    }
    assert!(SHOP.orders.is_sorted_by_key(|order| order.ordered_at));
    let cancelled = SHOP.orders.iter().filter(|order| order.status == OrderStatus::Cancelled).count();
    assert!((0..=3).contains(&share(cancelled, SHOP.orders.len())) && cancelled > 50, "{cancelled}");
}
