//! Whether the templates and webhook targets that rules name are there, and whether actions give templates what they print.

use super::campaign::Campaign;
use crate::channel::vars::STANDARD;
use crate::model::action::Channel;
use crate::model::fault::FileFault;
use crate::rules::{Given, Mention};

/// Errors, and warnings.
pub(super) fn check(campaign: &Campaign) -> (Vec<FileFault>, Vec<FileFault>) {
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
    // Rules that a loop makes share their text.
    for found in [&mut faults, &mut warnings] {
        found.sort();
        found.dedup();
    }
    (faults, warnings)
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
