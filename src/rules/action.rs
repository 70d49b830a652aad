//! Turns what a variant's closure returned into an action of the model: plain JSON within limits, vouchers with their codes.

use std::sync::Arc;

use chrono::{Days, NaiveDate};
use rhai::{Dynamic, Map};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::helpers::{MAX_DEPTH, Plan, Wish, WishedVoucher, Worth, kind};
use super::registry::View;
use super::sandbox::MAX_TEXT_BYTES;
use crate::base::money::Cents;
use crate::model::action::{Action, Voucher, VoucherWorth};
use crate::model::fact::Reading;

/// Largest action in bytes of JSON.
const MAX_ACTION_BYTES: usize = 64 * 1024;
/// Crockford's base 32: no I, L, O, U, which are read as other letters or make words.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// An action and the vouchers in it.
pub(super) fn build(plan: &Plan, seed: &[u8; 32], today: NaiveDate) -> Result<(Action, Vec<Voucher>), String> {
    let mut writer = Writer { seed: Some(seed), today, vouchers: Vec::new(), left: MAX_ACTION_BYTES };
    let action = match plan {
        Plan::Email { template, vars } => Action::Email { template: template.clone(), vars: writer.object(vars, 0)? },
        Plan::Webhook { target, payload } => Action::Webhook { target: target.clone(), payload: writer.object(payload, 0)? },
    };
    Ok((action, writer.vouchers.into_iter().map(|(_, voucher)| voucher).collect()))
}

/// What readings say about somebody, as JSON.
pub(super) fn inputs(readings: &[Reading], view: &View<'_>) -> serde_json::Map<String, Value> {
    let value = |reading: &Reading| {
        let mut writer = Writer { seed: None, today: view.today, vouchers: Vec::new(), left: MAX_ACTION_BYTES };
        view.value(reading).and_then(|value| writer.value(&value, 0)).unwrap_or(Value::Null)
    };
    readings.iter().map(|reading| (reading.to_string(), value(reading))).collect()
}

struct Writer<'a> {
    seed: Option<&'a [u8; 32]>,
    today: NaiveDate,
    vouchers: Vec<(Arc<WishedVoucher>, Voucher)>,
    left: usize,
}

impl Writer<'_> {
    /// Counts bytes before they are copied.
    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| format!(": the whole is larger than {} KiB", MAX_ACTION_BYTES / 1024))?;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<String, String> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(format!(": a text longer than {} KiB", MAX_TEXT_BYTES / 1024));
        }
        self.spend(text.len() + 3)?;
        Ok(text.to_owned())
    }

    fn object(&mut self, map: &Map, depth: usize) -> Result<serde_json::Map<String, Value>, String> {
        if depth > MAX_DEPTH {
            return Err(format!(": nested deeper than {MAX_DEPTH}"));
        }
        let mut object = serde_json::Map::new();
        for (key, value) in map {
            let written = self.text(key).and_then(|name| Ok((name, self.value(value, depth + 1)?)));
            let (name, value) = written.map_err(|problem| format!(" '{key}'{problem}"))?;
            object.insert(name, value);
        }
        Ok(object)
    }

    fn value(&mut self, value: &Dynamic, depth: usize) -> Result<Value, String> {
        self.spend(2)?;
        if value.is_unit() {
            return Ok(Value::Null);
        }
        if let Ok(flag) = value.as_bool() {
            return Ok(flag.into());
        }
        if let Ok(number) = value.as_int() {
            return Ok(number.into());
        }
        if value.is_decimal() || value.is_char() {
            return Ok(self.text(&value.to_string())?.into());
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            return Ok(self.text(&text)?.into());
        }
        if let Ok(list) = value.as_array_ref() {
            if depth > MAX_DEPTH {
                return Err(format!(": nested deeper than {MAX_DEPTH}"));
            }
            return list.iter().map(|item| self.value(item, depth + 1)).collect();
        }
        if let Ok(map) = value.as_map_ref() {
            return Ok(self.object(&map, depth)?.into());
        }
        if let Some(Wish(wish)) = value.clone().try_cast::<Wish>() {
            return self.voucher(&wish);
        }
        if let Some(Worth(worth)) = value.clone().try_cast::<Worth>() {
            return Ok(match worth {
                VoucherWorth::Percent(percent) => percent.into(),
                VoucherWorth::Amount(cents) => self.text(&Cents(cents).to_string())?.into(),
            });
        }
        Err(format!(": {} cannot be part of a message", kind(value)))
    }

    fn voucher(&mut self, wish: &Arc<WishedVoucher>) -> Result<Value, String> {
        let known = self.vouchers.iter().find(|(made, _)| Arc::ptr_eq(made, wish)).map(|(_, voucher)| voucher.clone());
        let voucher = match known {
            Some(voucher) => voucher,
            None => self.make_voucher(wish)?,
        };
        self.spend(80)?;
        Ok(voucher.value())
    }

    fn make_voucher(&mut self, wish: &Arc<WishedVoucher>) -> Result<Voucher, String> {
        let seed = self.seed.ok_or(": a voucher belongs to an action")?;
        let index = u32::try_from(self.vouchers.len()).map_err(|_| ": too many vouchers")?;
        let days = u64::try_from(wish.days).map_err(|_| ": a voucher without days")?;
        let valid_until = self.today.checked_add_days(Days::new(days)).ok_or(": a voucher that never ends")?;
        let voucher = Voucher { code: format!("{}-{}", wish.prefix, code(seed, index)), worth: wish.worth, valid_until };
        self.vouchers.push((Arc::clone(wish), voucher.clone()));
        Ok(voucher)
    }
}

/// Ten letters of SHA-256(seed ‖ index as four bytes, the highest first): 50 bits, so that among a million vouchers two hardly ever share a code.
fn code(seed: &[u8; 32], index: u32) -> String {
    let hash = Sha256::new().chain_update(seed).chain_update(index.to_be_bytes()).finalize();
    let bits = hash.iter().take(7).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte)) >> 6;
    (0..10).rev().map(|place| char::from(LETTERS[(bits >> (5 * place) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voucher_code_is_the_first_fifty_bits_of_the_hash_in_letters_that_cannot_be_misread() {
        // Python: int.from_bytes(hashlib.sha256(bytes(32) + n.to_bytes(4, "big")).digest()[:7], "big") >> 6, five bits a letter.
        let seed = [0u8; 32];
        assert_eq!(code(&seed, 0), "DPV5ZNCZTD");
        assert_eq!(code(&seed, 1), "45CAH43DBR");
        assert!(!LETTERS.iter().any(|letter| b"ILOU".contains(letter)));
    }
}
