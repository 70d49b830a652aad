//! Konditorei Sommer in Leipzig, made up: three branches, an online shop, two years of orders with habits. For `stammgast demo` and tests.

mod assortment;
mod calendar;
mod dice;
mod habits;
mod people;

use std::collections::{HashMap, HashSet};

use chrono::{Days, NaiveDate, NaiveTime};

use self::dice::Dice;
use self::habits::{Habit, Window};
use crate::base::money::{Cents, Currency};
use crate::base::time::{UnixMs, Zone};
use crate::model::consent::ConsentKind;
use crate::model::customer::NewCustomer;
use crate::model::order::{NewOrder, OrderStatus};

/// The shop's name.
pub const NAME: &str = "Konditorei Sommer";
/// What stands under its mails. The street is made up.
pub const IMPRINT: &str = "Konditorei Sommer e. K.\nLerchengasse 7, 04109 Leipzig\nInhaberin: Johanna Sommer\nTel. 0341 5550 7 07";
/// The sender of its mails, at a domain that cannot exist.
pub const FROM: &str = "Konditorei Sommer <post@konditorei-sommer.example>";
/// How many customers the shop has unless somebody wants another number.
pub const CUSTOMERS: usize = 2_000;

/// Anything else would be another shop.
const SEED: u64 = 0x5741_4d4d_4741_5354;
/// Tag of the branch or the online shop, and the letter its order numbers begin with; weights in percent.
const PLACES: [(i64, (&str, &str)); 4] = [(30, ("markt", "M")), (20, ("suedvorstadt", "S")), (18, ("gohlis", "G")), (32, ("online", "O"))];
const ONLINE: &str = "online";

/// Customers and their orders, the orders by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleShop {
    /// The customers, by number.
    pub customers: Vec<NewCustomer>,
    /// Two years of orders up to the end of the last day.
    pub orders: Vec<NewOrder>,
}

/// Makes the shop: the same for the same last day, zone and number of customers, on every machine. `end` is the last day with orders
/// (in `zone`); orders of that day reach into its evening. About six and a half orders per customer.
#[must_use]
pub fn sample_shop(end: NaiveDate, zone: Zone, customers: usize) -> SampleShop {
    let window = Window::ending(end);
    let end_at = zone.start_of(end + Days::new(1)).plus(-1);
    let mut taken = HashSet::new();
    let mut shop = SampleShop { customers: Vec::with_capacity(customers), orders: Vec::new() };
    let joining = (0..customers).filter(|number| Habit::of(*number).joins(*number)).count();
    let mut turns = (0..).map(|turn| (turn, i64::try_from(joining).unwrap_or(i64::MAX)));
    for number in 0..customers {
        let mut dice = Dice::new(SEED.wrapping_add(u64::try_from(number).unwrap_or(0).wrapping_mul(0x0100_0000_01b3)));
        let habit = Habit::of(number);
        let place = dice.weighted(&PLACES);
        let turn = if habit.joins(number) { turns.next() } else { None };
        let first = habits::first_day(&mut dice, habit, turn, window);
        let orders = customer_orders(&mut dice, number, (habit, place), first, window, zone);
        let first_at = orders.first().map_or(end_at, |order| order.ordered_at);
        let tags = tags(habit, place.0, number);
        shop.customers.push(people::person(&mut dice, number, &mut taken, (first_at, end_at), habit.is_loyal(), tags));
        shop.orders.extend(orders);
    }
    spread_birthdays(&mut shop, end);
    shop.orders.sort_by(|a, b| (a.ordered_at, &a.customer_external_id).cmp(&(b.ordered_at, &b.customer_external_id)));
    for (number, order) in shop.orders.iter_mut().enumerate() {
        order.external_id = format!("{}{}", order.external_id, 100_001 + number);
    }
    shop
}

fn tags(habit: Habit, place: &str, number: usize) -> Vec<String> {
    let mut tags = vec![place.to_owned()];
    if habit.is_loyal() {
        tags.push("loyalty-card".to_owned());
    }
    // Friends of the house: nobody sends them advertising.
    if habit == Habit::Regular && number.is_multiple_of(10) {
        tags.push("vip".to_owned());
    }
    tags
}

/// The orders of one customer, by time. Their numbers are only the place's letter yet; the rest comes when all orders are in line.
fn customer_orders(
    dice: &mut Dice,
    number: usize,
    (habit, (place, letter)): (Habit, (&str, &str)),
    first: NaiveDate,
    window: Window,
    zone: Zone,
) -> Vec<NewOrder> {
    let generous = dice.chance(25);
    let days = habits::order_days(dice, habit, first, window, place == ONLINE);
    let mut orders = Vec::with_capacity(days.len());
    for (position, day) in days.into_iter().enumerate() {
        // On a closed day only the online shop can have taken the order.
        let online = place == ONLINE || calendar::closed(day);
        let voucher = voucher(dice, day, position);
        let lines = assortment::basket(dice, day, online, generous || habit == Habit::Seasonal, voucher.map_or(0, |(_, percent)| percent));
        // The first order stands, so that the day it was placed on is the day the customer came.
        let cancelled = position > 0 && dice.chance(if online { 3 } else { 1 });
        orders.push(NewOrder {
            external_id: if online { "O" } else { letter }.to_owned(),
            customer_external_id: people::external_id(number),
            customer: None,
            ordered_at: time_of_day(dice, day, online, zone),
            revenue: Cents(assortment::total(&lines)),
            cost: Some(Cents(assortment::cost(&lines))),
            currency: Currency::EUR,
            status: if cancelled { OrderStatus::Cancelled } else { OrderStatus::Paid },
            voucher_code: voucher.map(|(code, _)| code.to_owned()),
            lines,
        });
    }
    orders
}

/// The code and percent of the voucher used, if one was.
fn voucher(dice: &mut Dice, day: NaiveDate, position: usize) -> Option<(&'static str, i64)> {
    let (percent, voucher) = match (position, calendar::season(day)) {
        (1, _) => (12, ("WILLKOMMEN10", 10)),
        (_, calendar::Season::Summer) => (8, ("SOMMERFRISCHE", 15)),
        (_, calendar::Season::Advent) => (4, ("ADVENT5", 5)),
        _ => return None,
    };
    dice.chance(percent).then_some(voucher)
}

/// A moment of the day: opening hours of a branch, or waking hours.
fn time_of_day(dice: &mut Dice, day: NaiveDate, online: bool, zone: Zone) -> UnixMs {
    let minute = if online { dice.between(7 * 60, 22 * 60 + 59) } else { dice.between(8 * 60, 17 * 60 + 59) };
    let seconds = minute * 60 + dice.between(0, 59);
    let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::try_from(seconds).unwrap_or(0), 0).unwrap_or_default();
    zone.resolve(day.and_time(time)).first()
}

/// Puts the birthdays of the best customers who may be written to on the days of the year in turn, beginning six weeks before the end,
/// so that no day is without one; their years stay. By chance alone every third day would have none.
fn spread_birthdays(shop: &mut SampleShop, end: NaiveDate) {
    let mut revenue: HashMap<&str, i64> = HashMap::new();
    for order in shop.orders.iter().filter(|order| order.status == OrderStatus::Paid) {
        *revenue.entry(&order.customer_external_id).or_default() += order.revenue.0;
    }
    let known = |customer: &&mut NewCustomer| {
        customer.birthday.flatten().is_some() && customer.consent.as_ref().is_some_and(|consent| consent.kind == ConsentKind::DoubleOptIn)
    };
    let mut best: Vec<&mut NewCustomer> = shop.customers.iter_mut().filter(known).collect();
    best.sort_by_key(|customer| (std::cmp::Reverse(revenue.get(customer.external_id.as_str()).copied().unwrap_or(0)), customer.external_id.clone()));
    let first = end - Days::new(41);
    for (day, customer) in (0..365).zip(best) {
        let marked = first + Days::new(day);
        customer.birthday = customer.birthday.map(|birthday| birthday.map(|birthday| people::on_day_of_year(birthday, marked)));
    }
}
