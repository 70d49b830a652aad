//! The mails of a scenario: each that is decided is made from the shop's templates, and says what it is expected to say.

use serde::Serialize;

use crate::channel::templates::Rendered;
use crate::flow::Ctx;
use crate::flow::campaign::Campaign;
use crate::flow::preview::{self, Reader};
use crate::model::action::Action;
use crate::model::customer::Locale;
use crate::model::rule::RuleSpec;
use crate::store::decisions::OfRun;

/// What somebody would have got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// The template.
    pub template: String,
    /// The subject; empty when it cannot be made.
    pub subject: String,
    /// The text part, where words of it are asked for.
    #[serde(skip)]
    text: String,
    /// Why it cannot be made: the template's own sentence.
    pub fault: Option<String>,
}

impl Mail {
    /// The mail of a decision, its text only if it is `asked` for (a scenario may have a million mails); `None`: held out, refused, or no mail but a webhook.
    pub(super) fn of(ctx: &Ctx, campaign: &Campaign, spec: &RuleSpec, decision: &OfRun, asked: bool) -> Option<Self> {
        let (template, vars) = match serde_json::from_str(decision.action.as_deref()?) {
            Ok(Action::Email { template, vars }) => (template, vars),
            Ok(Action::Webhook { .. }) => return None,
            Err(error) => return Some(Self::unreadable(&error)),
        };
        let reader = Reader {
            first_name: decision.first_name.as_deref(),
            last_name: decision.last_name.as_deref(),
            locale: decision.locale.as_deref().and_then(Locale::parse),
        };
        Some(match preview::mail(ctx, campaign, spec.basis, reader, (&template, &vars)) {
            Ok(Rendered { subject, text, .. }) => Self { template, subject, text: if asked { text } else { String::new() }, fault: None },
            Err(fault) => Self { template, subject: String::new(), text: String::new(), fault: Some(fault) },
        })
    }

    /// In the place of the mail of a decision that does not say what it was to send.
    fn unreadable(error: &serde_json::Error) -> Self {
        Self { template: String::new(), subject: String::new(), text: String::new(), fault: Some(error.to_string()) }
    }

    /// The first of these words that stand neither in the subject nor in the text; line ends count as spaces.
    fn lacks<'a>(&self, says: &'a [String]) -> Option<&'a str> {
        let (subject, text) = (folded(&self.subject), folded(&self.text));
        says.iter().find(|words| [&subject, &text].iter().all(|part| !part.contains(&folded(words)))).map(String::as_str)
    }
}

/// What is wrong with the mail of somebody who is written to: it cannot be made, or does not say what is expected.
pub(super) fn problem(mail: Option<&Mail>, says: &[String], held_out: bool) -> Option<String> {
    match mail {
        Some(Mail { template, fault: Some(fault), .. }) if template.is_empty() => Some(format!("the decision cannot be read: {fault}")),
        Some(Mail { template, fault: Some(fault), .. }) => Some(format!("the mail cannot be made from template '{template}': {fault}")),
        Some(mail) => mail
            .lacks(says)
            .map(|words| format!("the mail does not say \"{words}\"; its subject is \"{}\", its text:\n{}", mail.subject, mail.text.trim_end())),
        None if says.is_empty() => None,
        None if held_out => Some("there is no mail that could say so: the customer is held out".to_owned()),
        None => Some("there is no mail that could say so: it is a webhook".to_owned()),
    }
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_that_cannot_be_read_is_a_fault_and_no_webhook() {
        let error = serde_json::from_str::<Action>("{\"email\":").unwrap_err();
        let mail = Mail::unreadable(&error);
        for says in [vec![], vec!["Hello".to_owned()]] {
            let told = problem(Some(&mail), &says, false).unwrap();
            assert!(told.starts_with("the decision cannot be read: EOF"), "{told}");
        }
    }
}
