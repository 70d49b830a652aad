//! The rules that come with the program.

use std::path::Path;

use stammgast::model::action::{Action, Channel};
use stammgast::model::consent::LegalBasis;
use stammgast::model::facts::Facts;
use stammgast::model::rule::Occasion;
use stammgast::rules::{ActJob, Evaluation, RuleSet};

use super::example::{regular, regular_with, stranger, today};

fn shipped() -> RuleSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    RuleSet::load(&folder).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn finds(rule: &str, facts: &Facts) -> bool {
    let set = shipped();
    match set.rule(rule).unwrap().evaluate(std::slice::from_ref(facts), today()).remove(0) {
        Evaluation::Match { .. } => true,
        Evaluation::NoMatch => false,
        Evaluation::Failed(sentence) => panic!("{sentence}"),
    }
}

#[test]
fn the_shipped_rules_load_and_say_what_they_should() {
    let set = shipped();
    let lines: Vec<String> = set
        .rules()
        .iter()
        .map(|rule| {
            let spec = &rule.spec;
            let variants: Vec<String> = spec.variants.iter().map(|variant| format!("{} {}", variant.name, variant.weight)).collect();
            let goal = spec.goal.as_ref().map_or_else(|| "no goal".to_owned(), |goal| format!("{} in {} days", goal.event, goal.window_days));
            let schedule = spec.schedule.as_deref().unwrap_or("never");
            format!(
                "{} | {schedule} | {:?} | {:?} | {} | control {} | {goal}",
                spec.name,
                spec.basis,
                spec.occasion,
                variants.join(", "),
                spec.control_percent
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    anniversary | 0 10 * * * | ExistingCustomer | Year | A 100 | control 0 | order in 14 days
    birthday-gift | 0 8 * * * | Consent | Year | A 100 | control 0 | order in 30 days
    second-order | 30 9 * * * | ExistingCustomer | Ever | A 100 | control 10 | order in 30 days
    thank-you | 0 11 * * * | ExistingCustomer | Order | A 100 | control 0 | no goal
    win-back | 0 9 * * * | Consent | Cooldown { days: 90 } | A 50, B 50 | control 10 | order in 14 days
    ");
    assert_eq!(set.rule("win-back").unwrap().spec.basis, LegalBasis::Consent);
    assert_eq!(set.rule("win-back").unwrap().spec.occasion, Occasion::Cooldown { days: 90 });
}

#[test]
fn each_shipped_rule_finds_its_people_and_nobody_else() {
    let with = |change: fn(&mut stammgast::model::score::Score)| regular_with(change);
    assert!(finds("win-back", &with(|score| score.recency_days = 61)));
    assert!(!finds("win-back", &with(|score| score.recency_days = 60)));
    assert!(!finds("win-back", &with(|score| score.orders = 1)));
    assert!(finds("birthday-gift", &regular()));
    assert!(!finds("birthday-gift", &with(|score| score.abc = stammgast::model::score::Abc::B)));
    assert!(finds("anniversary", &regular()));
    assert!(finds("thank-you", &with(|score| score.recency_days = 1)));
    assert!(!finds("thank-you", &with(|score| score.recency_days = 0)));
    for (recency_days, found) in [(20, false), (21, true), (45, true), (46, false)] {
        let facts = regular_with(|score| (score.orders, score.recency_days) = (1, recency_days));
        assert_eq!(finds("second-order", &facts), found, "{recency_days}");
    }
    for rule in shipped().rules() {
        assert!(!finds(&rule.spec.name, &stranger()), "{} does not write to somebody who never bought", rule.spec.name);
    }
}

#[test]
fn the_shipped_actions_name_these_templates() {
    let set = shipped();
    let names: Vec<&str> = set.rules().iter().flat_map(|rule| &rule.mentions).map(|mention| mention.name.as_str()).collect();
    assert_eq!(names, ["anniversary", "birthday-gift", "second-order", "thank-you", "win-back", "win-back-plain"]);
    assert!(set.rules().iter().flat_map(|rule| &rule.mentions).all(|mention| mention.channel == Channel::Email && mention.line > 1));
    let facts = regular();
    for rule in set.rules() {
        for variant in &rule.spec.variants {
            let made = rule.act(&[ActJob { facts: &facts, variant: &variant.name, code_seed: [1; 32] }], today()).remove(0).unwrap();
            let Action::Email { template, vars } = made.action else { panic!("an email") };
            assert_eq!(vars.contains_key("voucher"), ["win-back", "birthday-gift"].contains(&template.as_str()), "{template}");
            assert_eq!(made.vouchers.len(), usize::from(vars.contains_key("voucher")));
        }
    }
}
