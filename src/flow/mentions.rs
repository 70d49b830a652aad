//! Whether the templates and webhook targets that rules name are there, and whether actions give templates what they print.

use super::campaign::Campaign;
use crate::channel::vars::{self, Recipient, STANDARD};
use crate::config::shop::Shop;
use crate::model::action::{Action, Channel};
use crate::model::customer::Locale;
use crate::model::fault::FileFault;
use crate::rules::{Given, Mention, Rule};

/// Errors, and warnings.
pub(super) fn check(campaign: &Campaign, shop: &Shop) -> (Vec<FileFault>, Vec<FileFault>) {
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    for mention in campaign.rules.rules().iter().flat_map(|rule| &rule.mentions) {
        if let Some(problem) = missing(campaign, mention) {
            faults.push(fault(campaign, mention, problem));
        } else if let (Channel::Email, Some(given)) = (mention.channel, &mention.gives) {
            let (needed, unused) = variables(campaign, mention, given);
            faults.extend(needed);
            warnings.extend(unused);
        }
    }
    // What is missing altogether has been said.
    if faults.is_empty() {
        warnings.extend(campaign.rules.rules().iter().flat_map(|rule| unmade(campaign, shop, rule)));
    }
    // Rules that a loop makes share their text.
    for found in [&mut faults, &mut warnings] {
        found.sort();
        found.dedup();
    }
    (faults, warnings)
}

/// Mails that cannot be made for an example customer. Perhaps they can for others, so it is no fault; a text where the template wants a voucher fails for all.
fn unmade(campaign: &Campaign, shop: &Shop, rule: &Rule) -> Vec<FileFault> {
    let mut warnings = Vec::new();
    for action in rule.tried() {
        let Action::Email { template, vars } = &action else { continue };
        let made = [Locale::De, Locale::En].into_iter().try_for_each(|locale| {
            let recipient = Recipient {
                first_name: Some("Erika"),
                last_name: Some("Mustermann"),
                locale,
                basis: rule.spec.basis,
                unsubscribe_url: "https://shop.example/u/example",
            };
            campaign.templates.render(template, locale, &vars::standard_vars(shop, &recipient, vars)).map(drop)
        });
        let mention = rule.mentions.iter().find(|mention| mention.channel == Channel::Email && mention.name == *template);
        if let (Err(problem), Some(mention)) = (made, mention) {
            let problem = format!("the mail of template '{template}' cannot be made with what this action gives, e.g. {problem}");
            let mut warning = FileFault::warning(&mention.file, (mention.line, mention.column), 0, problem);
            campaign.rules.measure(&mut warning);
            warnings.push(warning);
        }
    }
    warnings
}

fn fault(campaign: &Campaign, mention: &Mention, problem: String) -> FileFault {
    let mut fault = FileFault::new(&mention.file, (mention.line, mention.column), problem);
    campaign.rules.measure(&mut fault);
    fault
}

/// The template or target that is not there.
fn missing(campaign: &Campaign, mention: &Mention) -> Option<String> {
    let (there, what, known) = match mention.channel {
        Channel::Email => (campaign.templates.contains(&mention.name), "template", campaign.templates.names().join(", ")),
        Channel::Webhook => {
            let mut names: Vec<&str> = campaign.targets.iter().map(String::as_str).collect();
            names.sort_unstable();
            (campaign.targets.contains(&mention.name), "webhook target", names.join(", "))
        }
    };
    let known = if known.is_empty() { "there is none".to_owned() } else { format!("expected one of {known}") };
    (!there).then(|| format!("there is no {what} '{}': {known}", mention.name))
}

/// Variables that the template needs and nobody gives, and variables that the action gives and the template does not print.
fn variables(campaign: &Campaign, mention: &Mention, given: &[Given]) -> (Vec<FileFault>, Vec<FileFault>) {
    let used = campaign.templates.variables(&mention.name);
    let gives = |name: &str| given.iter().any(|given| given.name == name);
    let needed = used.iter().filter(|variable| variable.needed && !gives(&variable.name)).map(|variable| {
        let problem = format!("template '{}' prints '{}', which this action does not give: expected #{{ {1}: … }}", mention.name, variable.name);
        fault(campaign, mention, problem)
    });
    let unused = given.iter().filter_map(|given| {
        let problem = if STANDARD.contains(&given.name.as_str()) {
            format!("'{}' is a standard variable: template '{}' prints the standard one, not this", given.name, mention.name)
        } else if used.iter().any(|variable| variable.name == given.name) {
            return None;
        } else {
            format!("template '{}' never prints '{}'", mention.name, given.name)
        };
        let mut warning = FileFault::warning(&mention.file, (given.line, given.column), 0, problem);
        campaign.rules.measure(&mut warning);
        Some(warning)
    });
    (needed.collect(), unused.collect())
}
