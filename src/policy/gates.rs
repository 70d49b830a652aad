//! The gates that every proposal passes, in a fixed order; the first that says no names the reason.
//!
//! 1. suppression: the address bounced for good or was blocked (stops every email, also order mails)
//! 2. objection: the customer does not want advertising (stops everything but basis `contract`)
//! 3. legal basis: something allows this rule to write
//! 4. occasion: this rule has not taken this occasion yet, and the cooldown is over
//! 5. frequency cap: not too many emails from all rules together
//! 6. quiet hours: do not stop, but put the message off
//!
//! Then the action is made (an email needs an address), and only who passed all of it is split: first those held out from all rules (`holdout`), the rest into
//! the rule's control and variants (`bucket`).

use super::occasion::{Key, Taken};
use crate::base::time::{DAY_MS, UnixMs};
use crate::model::consent::{ConsentKind, LegalBasis};
use crate::model::decision::Refusal;
use crate::model::rule::{Occasion, RuleSpec};

/// What is known about a customer's standing with a rule. It lends what may be long: a replay asks for everybody every day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The address is on the suppression list.
    pub suppressed: bool,
    /// What the customer said up to now.
    pub said: Said,
    /// The latest order that counts.
    pub last_order_at: Option<UnixMs>,
    /// Occasions that this rule has taken for this customer.
    pub taken: &'a Taken,
    /// Emails within the cap's days, from all rules but those of basis `contract`.
    pub recent_emails: i64,
}

impl Default for Standing<'_> {
    fn default() -> Self {
        Self { suppressed: false, said: Said::default(), last_order_at: None, taken: Taken::NONE, recent_emails: 0 }
    }
}

/// What somebody said about being written to, as far as it matters: the last word of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    objected_at: Option<UnixMs>,
    /// By a double opt-in.
    agreed_at: Option<UnixMs>,
    /// The shop stated that the address comes from a sale.
    existing_customer: bool,
}

impl Said {
    /// The same and this.
    #[must_use]
    pub fn and(mut self, kind: ConsentKind, at: UnixMs) -> Self {
        match kind {
            ConsentKind::Objected => self.objected_at = self.objected_at.max(Some(at)),
            ConsentKind::DoubleOptIn => self.agreed_at = self.agreed_at.max(Some(at)),
            ConsentKind::ExistingCustomer => self.existing_customer = true,
            ConsentKind::SingleOptIn => {}
        }
        self
    }

    /// Whether the last word is an objection: only a later double opt-in takes one back.
    fn objects(self) -> bool {
        self.objected_at.is_some_and(|objected| self.agreed_at.is_none_or(|agreed| agreed <= objected))
    }
}

/// The shop's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Emails per customer within the cap's days; `None`: no cap.
    pub cap_messages: Option<i64>,
    /// Days for which an order carries the basis `existing_customer`.
    pub existing_customer_days: i64,
}

/// Passes the gates 1 to 5.
///
/// # Errors
/// The reason of the first gate that stops the proposal.
pub fn judge(rule: &RuleSpec, occasion: Key, standing: &Standing<'_>, limits: &Limits, now: UnixMs) -> Result<(), Refusal> {
    let stops = each(rule, occasion, standing, limits, now).into_iter().find(|(_, passed)| !passed);
    stops.map_or(Ok(()), |(reason, _)| Err(reason))
}

/// The gates 1 to 5 in their order, each with whether the proposal passes it.
#[must_use]
pub fn each(rule: &RuleSpec, occasion: Key, standing: &Standing<'_>, limits: &Limits, now: UnixMs) -> [(Refusal, bool); 5] {
    let advertising = rule.basis != LegalBasis::Contract;
    let taken = || standing.taken.has(occasion);
    let capped = advertising && limits.cap_messages.is_some_and(|cap| standing.recent_emails >= cap);
    [
        (Refusal::Suppressed, !standing.suppressed),
        (Refusal::Objected, !(advertising && standing.said.objects())),
        (Refusal::NoBasis, has_basis(rule.basis, standing, limits, now)),
        (Refusal::Cooldown, !(cools_down(rule.occasion, standing, now) || taken())),
        (Refusal::FrequencyCap, !capped),
    ]
}

fn has_basis(basis: LegalBasis, standing: &Standing<'_>, limits: &Limits, now: UnixMs) -> bool {
    let agreed = standing.said.agreed_at.is_some();
    match basis {
        LegalBasis::Contract => standing.last_order_at.is_some(),
        LegalBasis::Consent => agreed,
        LegalBasis::ExistingCustomer => {
            let bought = standing.last_order_at.is_some_and(|at| now.since(at) <= limits.existing_customer_days * DAY_MS);
            bought || standing.said.existing_customer || agreed
        }
    }
}

fn cools_down(occasion: Occasion, standing: &Standing<'_>, now: UnixMs) -> bool {
    match occasion {
        // Whichever took effect last ends last.
        Occasion::Cooldown { days } => standing.taken.last_at().is_some_and(|at| now.since(at) < days * DAY_MS),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::rule::{MissedPolicy, RuleLimits, VariantSpec};
    use proptest::prelude::*;

    fn rule(basis: LegalBasis) -> RuleSpec {
        RuleSpec {
            name: "r".into(),
            hash: String::new(),
            place: String::new(),
            schedule: None,
            missed: MissedPolicy::Once,
            basis,
            occasion: Occasion::Cooldown { days: 90 },
            quiet: None,
            priority: 0,
            control_percent: 0,
            variants: vec![VariantSpec { name: "A".into(), weight: 1 }],
            experiment: "r".into(),
            goal: None,
            winner: None,
            limits: RuleLimits::default(),
        }
    }

    const LIMITS: Limits = Limits { cap_messages: Some(3), existing_customer_days: 730 };
    const NOW: UnixMs = UnixMs(1_000 * DAY_MS);

    fn said(statements: &[(ConsentKind, i64)]) -> Said {
        statements.iter().fold(Said::default(), |said, &(kind, day)| said.and(kind, UnixMs(day * DAY_MS)))
    }

    fn taken(key: Key, at: UnixMs) -> Taken {
        let mut taken = Taken::default();
        taken.add(key, at);
        taken
    }

    fn verdict(basis: LegalBasis, standing: &Standing<'_>) -> Result<(), Refusal> {
        judge(&rule(basis), Key::Number(1), standing, &LIMITS, NOW)
    }

    #[test]
    fn consent_needs_a_double_opt_in() {
        let mut standing = Standing::default();
        assert_eq!(verdict(LegalBasis::Consent, &standing), Err(Refusal::NoBasis));
        standing.said = said(&[(ConsentKind::SingleOptIn, 1)]);
        assert_eq!(verdict(LegalBasis::Consent, &standing), Err(Refusal::NoBasis));
        standing.said = said(&[(ConsentKind::DoubleOptIn, 1)]);
        assert_eq!(verdict(LegalBasis::Consent, &standing), Ok(()));
    }

    #[test]
    fn an_objection_stops_all_but_order_mails_until_a_later_double_opt_in() {
        let mut standing = Standing { last_order_at: Some(NOW), ..Standing::default() };
        standing.said = said(&[(ConsentKind::DoubleOptIn, 1), (ConsentKind::Objected, 2)]);
        assert_eq!(verdict(LegalBasis::Consent, &standing), Err(Refusal::Objected));
        assert_eq!(verdict(LegalBasis::ExistingCustomer, &standing), Err(Refusal::Objected));
        assert_eq!(verdict(LegalBasis::Contract, &standing), Ok(()));
        standing.said = standing.said.and(ConsentKind::DoubleOptIn, UnixMs(3 * DAY_MS));
        assert_eq!(verdict(LegalBasis::Consent, &standing), Ok(()));
    }

    #[test]
    fn an_old_order_carries_no_basis_for_existing_customers() {
        let mut standing = Standing { last_order_at: Some(NOW.plus(-731 * DAY_MS)), ..Standing::default() };
        assert_eq!(verdict(LegalBasis::ExistingCustomer, &standing), Err(Refusal::NoBasis));
        standing.last_order_at = Some(NOW.plus(-730 * DAY_MS));
        assert_eq!(verdict(LegalBasis::ExistingCustomer, &standing), Ok(()));
    }

    #[test]
    fn the_same_occasion_and_a_cooldown_that_is_not_over_stop_a_second_message() {
        let mut standing = Standing { said: said(&[(ConsentKind::DoubleOptIn, 1)]), ..Standing::default() };
        let (cools_down, is_over, the_same) = (
            taken(Key::Foreign, NOW.plus(-90 * DAY_MS + 1)),
            taken(Key::Foreign, NOW.plus(-90 * DAY_MS)),
            taken(Key::Number(1), NOW.plus(-900 * DAY_MS)),
        );
        standing.taken = &cools_down;
        assert_eq!(verdict(LegalBasis::Consent, &standing), Err(Refusal::Cooldown));
        standing.taken = &is_over;
        assert_eq!(verdict(LegalBasis::Consent, &standing), Ok(()));
        standing.taken = &the_same;
        assert_eq!(verdict(LegalBasis::Consent, &standing), Err(Refusal::Cooldown));
    }

    #[test]
    fn the_first_gate_in_the_order_names_the_reason() {
        let taken = taken(Key::Number(1), NOW);
        let all = Standing { suppressed: true, said: said(&[(ConsentKind::Objected, 1)]), taken: &taken, recent_emails: 9, ..Standing::default() };
        assert_eq!(verdict(LegalBasis::Consent, &all), Err(Refusal::Suppressed));
        assert_eq!(verdict(LegalBasis::Consent, &Standing { suppressed: false, ..all }), Err(Refusal::Objected));
        let agreed = Standing { suppressed: false, said: said(&[(ConsentKind::DoubleOptIn, 1)]), ..all };
        assert_eq!(verdict(LegalBasis::Consent, &agreed), Err(Refusal::Cooldown));
        assert_eq!(verdict(LegalBasis::Consent, &Standing { taken: Taken::NONE, ..agreed }), Err(Refusal::FrequencyCap));
    }

    proptest! {
        /// The last words against the list of all statements.
        #[test]
        fn the_last_word_of_each_kind_says_what_all_statements_say(kinds in prop::collection::vec((0usize..4, 0i64..20), 0..8)) {
            let kind = |k| [ConsentKind::DoubleOptIn, ConsentKind::SingleOptIn, ConsentKind::ExistingCustomer, ConsentKind::Objected][k];
            let statements: Vec<(ConsentKind, i64)> = kinds.iter().map(|&(k, day)| (kind(k), day)).collect();
            let standing = Standing { said: said(&statements), ..Standing::default() };
            let latest = |kind| statements.iter().filter(|(said, _)| *said == kind).map(|(_, day)| *day).max();
            let objects = latest(ConsentKind::Objected).is_some_and(|objected| latest(ConsentKind::DoubleOptIn).is_none_or(|agreed| agreed <= objected));
            prop_assert_eq!(standing.said.objects(), objects);
            prop_assert_eq!(has_basis(LegalBasis::Consent, &standing, &LIMITS, NOW), latest(ConsentKind::DoubleOptIn).is_some());
            let existing = latest(ConsentKind::ExistingCustomer).is_some() || latest(ConsentKind::DoubleOptIn).is_some();
            prop_assert_eq!(has_basis(LegalBasis::ExistingCustomer, &standing, &LIMITS, NOW), existing);
        }

        #[test]
        fn nothing_passes_without_a_basis(suppressed: bool, kinds in prop::collection::vec((0usize..4, 0i64..1000), 0..6), order in prop::option::of(0i64..1000), recent in 0i64..5, basis in 0usize..3) {
            let kind = |k| [ConsentKind::DoubleOptIn, ConsentKind::SingleOptIn, ConsentKind::ExistingCustomer, ConsentKind::Objected][k];
            let standing = Standing {
                suppressed,
                said: said(&kinds.iter().map(|&(k, day)| (kind(k), day)).collect::<Vec<_>>()),
                last_order_at: order.map(|day| UnixMs(day * DAY_MS)),
                taken: Taken::NONE,
                recent_emails: recent,
            };
            let basis = [LegalBasis::Consent, LegalBasis::ExistingCustomer, LegalBasis::Contract][basis];
            if verdict(basis, &standing).is_ok() {
                prop_assert!(!suppressed);
                let last_objection = kinds.iter().filter(|&&(k, _)| k == 3).map(|&(_, day)| day).max();
                let last_opt_in = kinds.iter().filter(|&&(k, _)| k == 0).map(|&(_, day)| day).max();
                if basis != LegalBasis::Contract {
                    prop_assert!(last_objection.is_none_or(|day| last_opt_in.is_some_and(|agreed| agreed > day)));
                    prop_assert!(recent < 3);
                }
                match basis {
                    LegalBasis::Consent => prop_assert!(last_opt_in.is_some()),
                    LegalBasis::Contract => prop_assert!(order.is_some()),
                    LegalBasis::ExistingCustomer => prop_assert!(last_opt_in.is_some() || order.is_some_and(|day| 1000 - day <= 730) || kinds.iter().any(|&(k, _)| k == 2)),
                }
            }
        }
    }
}
