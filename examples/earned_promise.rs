//! What a rule earned, measured: in made-up shops with a planted lift, how often the ledger's 95 % interval holds the truth.
//!
//! `cargo run --release --example earned_promise` simulates 2,000 shops of each design (seconds); a number behind it says other ones.

#[path = "../tests/it/common/dice.rs"]
mod dice;
#[path = "../tests/it/stats/earned_shops.rs"]
mod earned_shops;

use earned_shops::{Design, held};

fn main() {
    let shops: u32 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2_000);
    println!(
        "{shops} shops each, in %                                    revenue held   earned held   interval above the truth   Welch's would hold"
    );
    let usual = Design { people: 2_000, control: 0.1, rates: [0.05, 0.06], chances: 1, spread: 0.6, baskets: 1.0, redeem: 0.6 };
    let year = Design { rates: [0.10, 0.11], chances: 12, redeem: 0.2, ..usual };
    for (name, design) in [
        ("usual: 2,000 people, 10 % held out, 5 to 6 % buy", usual),
        ("nothing gained, the voucher is given away", Design { rates: [0.05, 0.05], redeem: 1.0, ..usual }),
        ("twice as many buy", Design { rates: [0.05, 0.10], ..usual }),
        ("half held out", Design { control: 0.5, ..usual }),
        ("nine of ten held out", Design { control: 0.9, ..usual }),
        ("240 people, 24 held out", Design { people: 240, ..usual }),
        ("1,000 people, 10 held out", Design { people: 1_000, control: 0.01, ..usual }),
        ("20,000 people", Design { people: 20_000, ..usual }),
        ("20,000 people, 1 % held out", Design { people: 20_000, control: 0.01, ..usual }),
        ("one in five buys", Design { rates: [0.2, 0.25], ..usual }),
        ("few large orders make the revenue", Design { spread: 1.0, ..usual }),
        ("very few", Design { spread: 1.4, ..usual }),
        ("the message makes baskets half as large again", Design { rates: [0.05, 0.05], baskets: 1.5, ..usual }),
        ("2,000 people for a year, 1 % held out from all rules", Design { control: 0.01, ..year }),
        ("the same, 5 %", Design { control: 0.05, ..year }),
        ("20,000 people, 1 %", Design { people: 20_000, control: 0.01, ..year }),
        ("the same, very few large orders make the revenue", Design { people: 20_000, control: 0.01, spread: 1.4, ..year }),
    ] {
        let found = held(design, shops, 11);
        println!("  {name:54} {:10.1} {:13.1} {:17.1} {:26.1}", found.revenue, found.earned, found.too_high, found.welch);
    }
}
