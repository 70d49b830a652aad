//! What vouchers may cost the shop if everybody redeems theirs.

use crate::base::money::Cents;
use crate::model::action::{Voucher, VoucherWorth};

/// The cost of a voucher to a customer whose orders are worth `average_order_value` on average: an amount is what it says, a percentage that part of such
/// an order, rounded up to the cent. Nobody knows what somebody who never ordered will order: 0.
#[must_use]
pub fn of(voucher: &Voucher, average_order_value: Option<Cents>) -> Cents {
    match voucher.worth {
        VoucherWorth::Amount(cents) => Cents(cents),
        VoucherWorth::Percent(percent) => {
            let order = average_order_value.map_or(0, |value| i128::from(value.0.max(0)));
            Cents(i64::try_from((order * i128::from(percent) + 99) / 100).unwrap_or(i64::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_what_it_says_and_a_percentage_a_part_of_the_average_order() {
        let voucher = |worth| Voucher { code: "X".into(), worth, valid_until: chrono::NaiveDate::MAX };
        assert_eq!(of(&voucher(VoucherWorth::Amount(500)), None), Cents(500));
        assert_eq!(of(&voucher(VoucherWorth::Percent(10)), Some(Cents(1995))), Cents(200));
        assert_eq!(of(&voucher(VoucherWorth::Percent(10)), None), Cents(0));
        assert_eq!(of(&voucher(VoucherWorth::Percent(100)), Some(Cents(i64::MAX))), Cents(i64::MAX));
        assert_eq!(of(&voucher(VoucherWorth::Percent(10)), Some(Cents(-100))), Cents(0));
    }
}
