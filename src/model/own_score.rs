//! A shop's own scores: declared by files of formulas, computed with the others, read by rules as `c.score("name")`.

use super::attribute::AttributeKind;

/// What a score says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnScore {
    /// Its name.
    pub name: String,
    /// What kind of value it has.
    pub kind: AttributeKind,
    /// What it means; may be empty.
    pub meaning: String,
    /// Its unit or range; may be empty.
    pub unit: String,
}

/// Decimals of a number that are kept: what is finer is rounded, half away from zero.
pub const DECIMALS: u32 = 6;
/// A number has to be smaller than this, either side of zero.
pub const BELOW: i64 = 1_000_000_000_000;
/// Longest text in characters; it has one line and at least one character.
pub const LONGEST_TEXT: usize = 200;
/// Most scores of a shop.
pub const MOST: usize = 50;
