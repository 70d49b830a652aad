//! Rows become orders: neighbouring rows with the same number are one order; an order without a number gets one from its content.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read;

use super::cells::{Cells, MAX_CENTS};
use super::fields::{Field, Kind};
use super::mapping::Maps;
use super::rows::{Form, Next, Row, Rows};
use super::{Found, IntakeError, Options, Refused};
use crate::base::money::{Cents, Currency};
use crate::model::customer::NewCustomer;
use crate::model::order::{NewOrder, OrderLine, OrderStatus};

/// Rows that one order may have.
const MAX_ROWS: usize = 5_000;

/// Decodes a file of orders. Needs memory for one order, and besides: 5 to 10 bytes for each order without a number (its content came
/// before or not), 9 to 18 bytes for each order of a CSV file with order lines (its rows stood together or not).
#[derive(Debug)]
pub struct Orders {
    rows: Rows,
    options: Options,
    group: Group,
    ready: VecDeque<Found<NewOrder>>,
    ended: bool,
    occurrences: Occurrences,
    /// Fingerprints of the orders so far; `None`: every row is an order, so that a later one of the same number is news of it.
    closed: Option<HashSet<u64>>,
}

/// The rows of one order, and the lines among them that cannot be read.
#[derive(Debug, Default)]
struct Group {
    rows: Vec<Row>,
    refused: Vec<Refused>,
}

/// How often each content came so far. A fingerprint of 32 bits is enough: two contents that share one are only counted together,
/// and their ids, which hold the content's whole digest, stay different and the same in every import of the file.
#[derive(Debug, Default)]
struct Occurrences {
    once: HashSet<u32>,
    more: HashMap<u32, u32>,
}

impl Occurrences {
    fn count(&mut self, digest: &[u8; 32]) -> u32 {
        let fingerprint = u32::from_le_bytes([digest[28], digest[29], digest[30], digest[31]]);
        if self.once.insert(fingerprint) {
            return 1;
        }
        let count = self.more.entry(fingerprint).or_insert(1);
        *count += 1;
        *count
    }
}

impl Orders {
    /// Looks at the file's form and columns.
    ///
    /// # Errors
    /// As [`Rows::open`].
    pub fn open(input: Box<dyn Read + Send>, maps: &Maps, options: Options) -> Result<Self, IntakeError> {
        let rows = Rows::open(input, Kind::Orders, maps)?;
        let lines = [Field::LineSku, Field::LineName].into_iter().any(|field| rows.mapping.has(field));
        let closed = (rows.form != Form::JsonLines && lines).then(HashSet::new);
        let (group, ready, occurrences) = (Group::default(), VecDeque::new(), Occurrences::default());
        Ok(Self { rows, options, group, ready, ended: false, occurrences, closed })
    }

    /// Form and mapping of the file.
    #[must_use]
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Reads on until something is ready or the file has ended.
    fn advance(&mut self) -> Result<(), IntakeError> {
        match self.rows.next_row()? {
            Next::End => {
                self.ended = true;
                self.close();
            }
            // Where an order may have several rows, an unreadable line that names one belongs to it: an order without one of its lines
            // would be a wrong order.
            Next::Refused(refused) if self.closed.is_none() => self.ready.push_back(Found::Refused(vec![refused])),
            Next::Refused(refused) if self.group.rows.first().is_some_and(|first| names(&refused.raw, first)) => self.group.refused.push(refused),
            Next::Refused(refused) => {
                self.close();
                self.group.refused.push(refused);
            }
            Next::Row(row) => self.take(*row),
        }
        Ok(())
    }

    fn take(&mut self, row: Row) {
        let joins = match self.group.rows.first() {
            Some(first) => same_order(first, &row),
            None => self.group.refused.iter().any(|refused| names(&refused.raw, &row)),
        };
        if !joins || self.group.rows.len() >= MAX_ROWS {
            self.close();
        }
        self.group.rows.push(row);
    }

    /// Turns the rows so far into an order, or refuses them all.
    fn close(&mut self) {
        let Group { rows, mut refused } = std::mem::take(&mut self.group);
        if rows.is_empty() {
            if !refused.is_empty() {
                self.ready.push_back(Found::Refused(refused));
            }
            return;
        }
        let faulty = match refused.first() {
            Some(other) => Err((usize::MAX, format!("belongs to the same order as line {}, which is refused", other.line))),
            None => self.order(&rows),
        };
        match faulty {
            Ok(order) => self.ready.push_back(Found::Record(order)),
            Err((at, reason)) => {
                let line = rows.get(at).map_or(0, |row| row.line);
                for (index, row) in rows.into_iter().enumerate().filter(|(_, row)| !row.continues) {
                    let told = at == usize::MAX || line == row.line || index == at;
                    let reason = if told { reason.clone() } else { format!("belongs to the same order as line {line}, which is refused") };
                    refused.push(Refused { line: row.line, reason, raw: row.raw });
                }
                refused.sort_by_key(|refused| refused.line);
                self.ready.push_back(Found::Refused(refused));
            }
        }
    }

    /// The order that the rows say; a fault comes with the number of its row.
    fn order(&mut self, rows: &[Row]) -> Result<NewOrder, (usize, String)> {
        if rows.len() >= MAX_ROWS {
            return Err((0, format!("an order of more than {MAX_ROWS} lines")));
        }
        let first = &rows[0];
        let number = number(first).map(str::to_owned);
        if let (Some(closed), Some(number)) = (&mut self.closed, &number) {
            let mut hasher = DefaultHasher::new();
            number.hash(&mut hasher);
            if !closed.insert(hasher.finish()) {
                let reason = format!("order {number} has rows further up: sort the file by order and import it again");
                return Err((0, reason));
            }
        }
        let cells = |row| Cells { row, kind: Kind::Orders, options: &self.options };
        let mut order = head(&cells(first)).map_err(|reason| (0, reason))?;
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                agrees(first, row).map_err(|reason| (index, reason))?;
            }
            order.lines.extend(line(&cells(row)).map_err(|reason| (index, reason))?);
        }
        let (revenue, refunded) = revenue(&cells(first), &order.lines).map_err(|reason| (0, reason))?;
        order.revenue = revenue;
        if order.cost.is_none() && !order.lines.is_empty() {
            order.cost = order.lines.iter().map(|line| line.cost.map(|cost| cost.0)).sum::<Option<i64>>().map(Cents);
        }
        let key = match cells(first).key(Field::OrderId).and_then(|id| Ok(id.or(cells(first).key(Field::OrderNumber)?))) {
            Ok(Some(key)) => key,
            Ok(None) if first.cell(Field::OrderId).is_some() || first.cell(Field::OrderNumber).is_some() => {
                return Err((0, "order_id: empty, though the file has such a column".to_owned()));
            }
            // Content and occurrence: of what the customer bought, not of where the order stands by now.
            Ok(None) => {
                let digest = order.digest();
                let content = digest.first_chunk().map_or(0, |first| u128::from_be_bytes(*first));
                format!("auto-{content:032x}-{}", self.occurrences.count(&digest))
            }
            Err(reason) => return Err((0, reason)),
        };
        order.external_id = self.options.external_id(&key);
        order.status = status(first).map_err(|reason| (0, reason))?;
        // Some shops leave an order paid that they have paid back.
        if refunded && order.status == OrderStatus::Paid {
            order.status = OrderStatus::Cancelled;
        }
        order.customer = contact(&cells(first), &order).map_err(|reason| (0, reason))?.map(Box::new);
        Ok(order)
    }
}

impl Iterator for Orders {
    type Item = Result<Found<NewOrder>, IntakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Some(Ok(found));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.advance() {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }
}

/// What tells orders apart.
fn number(row: &Row) -> Option<&str> {
    row.value(Field::OrderId).or_else(|| row.value(Field::OrderNumber))
}

/// Shopify repeats an order's name in each row, its id only in the first.
fn same_order(first: &Row, row: &Row) -> bool {
    let same = |field| row.value(field).is_some() && row.value(field) == first.value(field);
    row.continues || (!first.whole && !row.whole && (same(Field::OrderId) || (row.value(Field::OrderId).is_none() && same(Field::OrderNumber))))
}

/// Whether an unreadable line speaks of the row's order: its number stands in the line as a word of its own.
fn names(raw: &str, row: &Row) -> bool {
    number(row).is_some_and(|number| raw.split(|c: char| !c.is_alphanumeric() && !number.contains(c)).any(|word| word == number))
}

/// Everything but number, status, person, revenue and lines.
fn head(cells: &Cells<'_>) -> Result<NewOrder, String> {
    let id = cells.key(Field::CustomerId)?;
    let address = cells.email()?.flatten();
    // WooCommerce gives 0 to guests.
    let key = match (id, address) {
        (Some(id), _) if id != "0" || cells.row.cell(Field::Email).is_none() => id,
        (_, Some(address)) => address.key(),
        (Some(_), None) => return Err("customer_id: 0 means a guest: expected an email address at least".to_owned()),
        (None, None) => return Err("customer_id: empty: expected the shop's number of the customer, or an email address in its place".to_owned()),
    };
    let currency = cells.options.currency;
    if let Some(code) = cells.row.value(Field::Currency)
        && Currency::parse(code).map_err(|problem| format!("currency: {problem}"))? != currency
    {
        // Scores and reports add amounts up; two currencies have no sum.
        return Err(format!("currency: {code}, but the shop's is {currency}: expected amounts in {currency}"));
    }
    Ok(NewOrder {
        external_id: String::new(),
        customer_external_id: cells.options.external_id(&key),
        customer: None,
        ordered_at: cells.moment(Field::OrderedAt)?.ok_or("ordered_at: empty: expected when the order was placed")?,
        revenue: Cents(0),
        cost: cells.amount(Field::Cost)?,
        currency,
        status: OrderStatus::Paid,
        voucher_code: cells.word(Field::VoucherCode).map(|code| code.to_uppercase()),
        lines: Vec::new(),
    })
}

/// A later row of an order may leave out what the first says, or repeat it.
fn agrees(first: &Row, row: &Row) -> Result<(), String> {
    for (field, name) in [(Field::CustomerId, "customer_id"), (Field::Email, "email"), (Field::Revenue, "revenue")] {
        if let (Some(here), Some(there)) = (row.value(field), first.value(field))
            && here != there
        {
            let hint = if field == Field::Revenue { ": an amount of each line is --map line_total=COLUMN" } else { "" };
            return Err(format!("{name}: differs from line {} of the same order{hint}", first.line));
        }
    }
    Ok(())
}

fn line(cells: &Cells<'_>) -> Result<Option<OrderLine>, String> {
    let (sku, name, category) = (cells.word(Field::LineSku), cells.word(Field::LineName), cells.word(Field::LineCategory));
    let (quantity, price) = (cells.hundredths(Field::LineQuantity)?, cells.amount(Field::LinePrice)?);
    let (total, cost) = (cells.amount(Field::LineTotal)?, cells.amount(Field::LineCost)?);
    if sku.is_none() && name.is_none() && category.is_none() && quantity.is_none() && price.is_none() && total.is_none() {
        return Ok(None);
    }
    let hundredths = quantity.unwrap_or(100);
    let product = |price: Cents| i64::try_from((i128::from(price.0) * i128::from(hundredths) + 50) / 100).ok();
    let total = match (total, price) {
        (None, Some(price)) => Some(product(price).filter(|cents| *cents <= MAX_CENTS).map(Cents).ok_or("line_price: too large")?),
        (total, _) => total,
    };
    // Goods by weight: 0,35 kg are one piece.
    Ok(Some(OrderLine { sku, name, category, quantity: (hundredths + 99) / 100, total, cost }))
}

/// What was paid, less what was paid back, and whether that was all of it; the sum of the lines when the order names no amount itself.
fn revenue(cells: &Cells<'_>, lines: &[OrderLine]) -> Result<(Cents, bool), String> {
    let sum = || lines.iter().map(|line| line.total.map(|total| total.0)).sum::<Option<i64>>().filter(|_| !lines.is_empty()).map(Cents);
    let paid = cells.amount(Field::Revenue)?.or_else(sum).ok_or("revenue: empty: expected what the customer paid")?;
    let refunded = cells.amount(Field::Refunded)?.unwrap_or_default();
    Ok((Cents((paid.0 - refunded.0).max(0)), refunded.0 > 0 && refunded.0 >= paid.0))
}

fn status(row: &Row) -> Result<OrderStatus, String> {
    if row.value(Field::CancelledAt).is_some() {
        return Ok(OrderStatus::Cancelled);
    }
    let word = row.value(Field::Status).unwrap_or_default();
    OrderStatus::parse(word)
        .ok_or_else(|| format!("status: '{word}' is not a word we know: expected paid, open or cancelled, or those of Shopify or WooCommerce"))
}

/// What the order says about the person; an empty cell says nothing here.
fn contact(cells: &Cells<'_>, order: &NewOrder) -> Result<Option<NewCustomer>, String> {
    let mut person = cells.person(order.customer_external_id.clone(), Some(order.ordered_at))?;
    person.email = person.email.filter(Option::is_some);
    person.first_name = person.first_name.filter(Option::is_some);
    person.last_name = person.last_name.filter(Option::is_some);
    let told = person.email.is_some() || person.first_name.is_some() || person.last_name.is_some() || person.consent.is_some();
    Ok(told.then_some(person))
}
