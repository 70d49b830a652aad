//! What Konditorei Sommer sells, and what a basket of it looks like.

use chrono::{Datelike, NaiveDate};

use super::calendar::{self, Season};
use super::dice::Dice;
use crate::base::money::Cents;
use crate::model::order::OrderLine;

/// When an article is on the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shelf {
    Always,
    Advent,
    Easter,
    Summer,
}

/// An article.
#[derive(Debug)]
struct Article {
    sku: &'static str,
    name: &'static str,
    category: &'static str,
    price_cents: i64,
    cost_cents: i64,
    /// The most pieces that somebody takes of it.
    most: i64,
    /// Whether the online shop sends it.
    ships: bool,
    shelf: Shelf,
}

const fn article(
    (sku, name, category): (&'static str, &'static str, &'static str),
    (price_cents, cost_cents): (i64, i64),
    most: i64,
    ships: bool,
    shelf: Shelf,
) -> Article {
    Article { sku, name, category, price_cents, cost_cents, most, ships, shelf }
}

const ARTICLES: &[Article] = &[
    article(("T01", "Schwarzwälder Kirschtorte", "Torten"), (3890, 1410), 1, false, Shelf::Always),
    article(("T02", "Sachertorte", "Torten"), (3690, 1280), 1, true, Shelf::Always),
    article(("T03", "Frankfurter Kranz", "Torten"), (3590, 1250), 1, false, Shelf::Always),
    article(("T04", "Käsesahnetorte", "Torten"), (3390, 1120), 1, false, Shelf::Always),
    article(("T05", "Himbeertorte", "Torten"), (3490, 1310), 1, false, Shelf::Summer),
    article(("T06", "Motivtorte zum Geburtstag", "Torten"), (6900, 2450), 1, false, Shelf::Always),
    article(("K01", "Leipziger Lerche", "Kuchen"), (280, 92), 6, true, Shelf::Always),
    article(("K02", "Eierschecke", "Kuchen"), (320, 108), 4, false, Shelf::Always),
    article(("K03", "Bienenstich", "Kuchen"), (310, 104), 4, false, Shelf::Always),
    article(("K04", "Mohnkuchen", "Kuchen"), (300, 101), 4, false, Shelf::Always),
    article(("K05", "Erdbeerkuchen", "Kuchen"), (380, 152), 4, false, Shelf::Summer),
    article(("K06", "Apfelkuchen mit Streuseln", "Kuchen"), (300, 96), 4, false, Shelf::Always),
    article(("K07", "Baumkuchen, 500 g", "Kuchen"), (2490, 890), 2, true, Shelf::Always),
    article(("K08", "Marmorkuchen im Glas", "Kuchen"), (890, 290), 3, true, Shelf::Always),
    article(("G01", "Butterhörnchen", "Gebäck"), (190, 58), 6, false, Shelf::Always),
    article(("G02", "Florentiner", "Gebäck"), (240, 85), 6, true, Shelf::Always),
    article(("G03", "Makronen, 200 g", "Gebäck"), (690, 235), 3, true, Shelf::Always),
    article(("G04", "Teegebäck, 250 g", "Gebäck"), (790, 255), 3, true, Shelf::Always),
    article(("G05", "Windbeutel", "Gebäck"), (340, 118), 4, false, Shelf::Always),
    article(("P01", "Pralinen, 9 Stück", "Pralinen"), (1290, 430), 3, true, Shelf::Always),
    article(("P02", "Pralinen, 16 Stück", "Pralinen"), (2190, 720), 3, true, Shelf::Always),
    article(("P03", "Pralinen, 32 Stück", "Pralinen"), (3990, 1320), 2, true, Shelf::Always),
    article(("P04", "Champagnertrüffel, 12 Stück", "Pralinen"), (1890, 690), 3, true, Shelf::Always),
    article(("P05", "Nougat handgeschnitten, 200 g", "Pralinen"), (1090, 380), 3, true, Shelf::Always),
    article(("S01", "Zartbitterschokolade 70 %", "Schokolade"), (490, 165), 5, true, Shelf::Always),
    article(("S02", "Vollmilchschokolade mit Haselnuss", "Schokolade"), (490, 160), 5, true, Shelf::Always),
    article(("S03", "Weiße Schokolade mit Himbeere", "Schokolade"), (520, 175), 5, true, Shelf::Always),
    article(("S04", "Trinkschokolade, 250 g", "Schokolade"), (990, 310), 2, true, Shelf::Always),
    article(("E01", "Eisbecher Sommer", "Eis"), (690, 190), 4, false, Shelf::Summer),
    article(("E02", "Eis zum Mitnehmen, 1 Liter", "Eis"), (1490, 480), 2, false, Shelf::Summer),
    article(("C01", "Kännchen Kaffee", "Café"), (490, 95), 4, false, Shelf::Always),
    article(("C02", "Frühstück Sommer", "Café"), (1290, 430), 4, false, Shelf::Always),
    article(("C03", "Espressobohnen, 500 g", "Café"), (1450, 690), 2, true, Shelf::Always),
    article(("N01", "Geschenkkorb klein", "Geschenke"), (2990, 1180), 2, true, Shelf::Always),
    article(("N02", "Geschenkkorb groß", "Geschenke"), (5990, 2350), 2, true, Shelf::Always),
    article(("X01", "Dresdner Stollen, 1 kg", "Advent"), (2290, 840), 3, true, Shelf::Advent),
    article(("X02", "Elisenlebkuchen, 6 Stück", "Advent"), (1390, 470), 4, true, Shelf::Advent),
    article(("X03", "Dominosteine, 250 g", "Advent"), (790, 260), 4, true, Shelf::Advent),
    article(("O01", "Osterlamm", "Ostern"), (1190, 360), 3, true, Shelf::Easter),
    article(("O02", "Schokoladenhase, 150 g", "Ostern"), (990, 320), 5, true, Shelf::Easter),
    article(("O03", "Pralineneier, 200 g", "Ostern"), (1390, 470), 4, true, Shelf::Easter),
];

/// Orders below this pay for being sent.
const FREE_SHIPPING_CENTS: i64 = 4_900;
const SHIPPING_CENTS: i64 = 490;

impl Article {
    fn on_shelf(&self, day: NaiveDate, online: bool) -> bool {
        let season = match self.shelf {
            Shelf::Always => true,
            Shelf::Advent => matches!(calendar::season(day), Season::Advent),
            Shelf::Easter => matches!(calendar::season(day), Season::Easter),
            Shelf::Summer => (5..=9).contains(&day.month()),
        };
        season && (self.ships || !online)
    }
}

/// The lines of one order: what was on the shelf that day, `percent_off` taken from each line, shipping as a line of its own.
pub(super) fn basket(dice: &mut Dice, day: NaiveDate, online: bool, generous: bool, percent_off: i64) -> Vec<OrderLine> {
    let shelf: Vec<&Article> = ARTICLES.iter().filter(|article| article.on_shelf(day, online)).collect();
    let seasonal: Vec<&Article> = shelf.iter().copied().filter(|article| article.shelf != Shelf::Always).collect();
    let wanted = dice.weighted(&[(30, 1), (35, 2), (20, 3), (10, 4), (5, 5)]) + i64::from(generous);
    let mut lines: Vec<OrderLine> = Vec::new();
    for _ in 0..wanted {
        // What is there for a few weeks only is bought in those weeks.
        let article = if !seasonal.is_empty() && dice.chance(45) { dice.pick(&seasonal) } else { dice.pick(&shelf) };
        if lines.iter().any(|line| line.sku.as_deref() == Some(article.sku)) {
            continue;
        }
        let quantity = dice.between(1, article.most);
        let full = article.price_cents * quantity;
        lines.push(line((article.sku, article.name, article.category), quantity, full - full * percent_off / 100, article.cost_cents * quantity));
    }
    if online && total(&lines) < FREE_SHIPPING_CENTS {
        lines.push(line(("V01", "Versand", "Versand"), 1, SHIPPING_CENTS, SHIPPING_CENTS));
    }
    lines
}

fn line((sku, name, category): (&str, &str, &str), quantity: i64, total_cents: i64, cost_cents: i64) -> OrderLine {
    OrderLine {
        sku: Some(sku.to_owned()),
        name: Some(name.to_owned()),
        category: Some(category.to_owned()),
        quantity,
        total: Some(Cents(total_cents)),
        cost: Some(Cents(cost_cents)),
    }
}

/// What the customer pays for the lines, in cents.
pub(super) fn total(lines: &[OrderLine]) -> i64 {
    lines.iter().filter_map(|line| line.total).map(|cents| cents.0).sum()
}

/// What the lines cost the shop, in cents.
pub(super) fn cost(lines: &[OrderLine]) -> i64 {
    lines.iter().filter_map(|line| line.cost).map(|cents| cents.0).sum()
}
