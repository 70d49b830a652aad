//! Counts per rule and arm, as the store finds them and the analysis takes them.

use serde::Serialize;

use crate::base::time::UnixMs;

/// One arm's counts. `people` are all who were assigned to it (intention to treat): also those whose mail failed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ArmCounts {
    /// Variant name; `control` for the held-out.
    pub name: String,
    /// Decisions for this arm (one person may come again on a later occasion).
    pub people: i64,
    /// Messages taken by the receiver.
    pub sent: i64,
    /// Messages refused for good, or cancelled: the customer objected meanwhile, or a person discarded them.
    pub failed: i64,
    /// Messages of which nobody knows.
    pub in_doubt: i64,
    /// Messages that still wait.
    pub pending: i64,
    /// Unsubscribed by a link in a message of this arm.
    pub unsubscribed: i64,
    /// Messages of this arm that somebody called spam.
    pub complained: i64,
    /// Decisions with at least one order inside the goal's window.
    pub converted: i64,
    /// What those orders brought, in cents.
    pub revenue_cents: i64,
    /// Sum of squares of the revenue per decision, in cents²; for the variance. As f64: it may pass 64 bits.
    #[serde(skip)]
    pub revenue_squares: f64,
    /// The same revenue, each decision's counted up to [`RuleCounts::cap_cents`] only.
    #[serde(skip)]
    pub capped_cents: i64,
    /// Sum of squares of the capped revenue.
    #[serde(skip)]
    pub capped_squares: f64,
    /// What was earned with that revenue.
    #[serde(skip)]
    pub money: ArmMoney,
    /// Sums over customers, when somebody is in the arm with more than one decision.
    #[serde(skip)]
    pub again: Option<Again>,
}

/// What an arm's orders inside the goal's window and its vouchers come to, in cents. As f64: a share of whole cents is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ArmMoney {
    /// Margin of the orders as though no voucher of ours had been used: price − cost, or the shop's share of the price where the cost is not known.
    pub margin_cents: f64,
    /// Sum of squares of that margin per decision.
    pub margin_squares: f64,
    /// Sum of squares of margin − vouchers per decision.
    pub net_squares: f64,
    /// What the vouchers that the arm's messages handed out took off orders, whoever redeemed them and whenever.
    pub voucher_cents: f64,
    /// So many orders.
    pub vouchers: i64,
    /// Those of them that are no conversion of the decision that handed out the voucher: after the goal's window, or by somebody else.
    pub vouchers_outside: i64,
    /// Orders inside the goal's window whose cost is not known.
    pub without_cost: i64,
}

/// Sums over the customers of an arm, each with their number of decisions, of those that converted, and revenue in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Again {
    /// Customers.
    pub customers: i64,
    /// Σ decisions².
    pub decisions_squares: f64,
    /// Σ converted².
    pub converted_squares: f64,
    /// Σ decisions × converted.
    pub decisions_converted: f64,
    /// Σ revenue².
    pub revenue_squares: f64,
    /// Σ decisions × revenue.
    pub decisions_revenue: f64,
}

/// How people were assigned under one version of a rule: each counts once, in the version that assigned them first.
#[derive(Clone, Debug, PartialEq)]
pub struct Assigned {
    /// The version.
    pub hash: String,
    /// People by variant; the empty name is control.
    pub people: Vec<(String, i64)>,
}

/// One rule's counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleCounts {
    /// The rule.
    pub rule: String,
    /// All decisions.
    pub proposed: i64,
    /// Decisions (sent or held out) that count towards a goal; 0: the rule has none.
    pub with_goal: i64,
    /// Those of them whose goal's window is still open.
    pub open: i64,
    /// When the first decision to send or to hold out took effect.
    pub first_at: Option<UnixMs>,
    /// What 95 of 100 decisions that converted did not pass, in cents, in all arms together; 0 when none did.
    pub cap_cents: i64,
    /// Who was assigned to which arm, by version.
    pub assigned: Vec<Assigned>,
    /// Decisions not to write because the customer is held out from all rules.
    pub holdout: i64,
    /// Refusals by reason word.
    pub refused: Vec<(String, i64)>,
    /// The held-out arm.
    pub control: ArmCounts,
    /// The variants, by name.
    pub variants: Vec<ArmCounts>,
}
