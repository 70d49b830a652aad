//! Makes the bytes of an email from a message of the outbox: template, standard headers, unsubscribe link.

use serde_json::{Map, Value};

use super::email::Post;
use crate::channel::message::OutgoingEmail;
use crate::channel::templates::Rendered;
use crate::channel::vars::{self, Recipient};
use crate::flow::Ctx;
use crate::flow::campaign::Campaign;
use crate::model::attempt::{Delivery, Fault};
use crate::model::consent::LegalBasis;
use crate::model::customer::Locale;
use crate::model::email_address::EmailAddress;
use crate::model::message::{Content, LeasedMessage, Letter, UNSUBSCRIBE_PURPOSE};

/// The mail and the address it goes to.
///
/// # Errors
/// What becomes of a message that cannot be made: refused for good, with the reason.
pub(super) fn compose(ctx: &Ctx, campaign: &Campaign, post: &Post, message: &LeasedMessage) -> Result<(String, EmailAddress), Delivery> {
    let refuse = |fault: Fault, detail: String| Delivery::Refused { fault, detail };
    let Content::Email(Letter { template, vars }) = &message.content else {
        return Err(refuse(Fault::Missing, "not an email".to_owned()));
    };
    let from = post.from.clone().ok_or_else(|| refuse(Fault::Missing, "no sender: set [mail] from".to_owned()))?;
    let to = message.email.as_deref().map(EmailAddress::parse);
    let to = to.and_then(Result::ok).ok_or_else(|| refuse(Fault::Missing, "the customer has no valid address any more".to_owned()))?;
    let basis = LegalBasis::parse(&message.basis).ok_or_else(|| refuse(Fault::Render, format!("'{}' is no legal basis", message.basis)))?;
    let advertising = basis != LegalBasis::Contract;
    let unsubscribe_url = format!("{}/u/{}", ctx.config.server.public_url, campaign.token_key.sign(UNSUBSCRIBE_PURPOSE, message.id));
    let recipient = Recipient {
        first_name: message.first_name.as_deref(),
        last_name: message.last_name.as_deref(),
        locale: locale(ctx, message.locale.as_deref().and_then(Locale::parse)),
        basis,
        unsubscribe_url: &unsubscribe_url,
    };
    let rendered = render(ctx, campaign, &recipient, (template, vars)).map_err(|problem| refuse(Fault::Render, problem))?;
    let name: Vec<&str> = [message.first_name.as_deref(), message.last_name.as_deref()].into_iter().flatten().collect();
    let mail = OutgoingEmail {
        id: message.id,
        from,
        reply_to: post.reply_to.clone(),
        to: to.clone(),
        to_name: (!name.is_empty()).then(|| name.join(" ")),
        subject: rendered.subject,
        html: rendered.html,
        text: rendered.text,
        list_id: advertising.then(|| message.rule.clone()),
        unsubscribe_url: advertising.then_some(unsubscribe_url),
        date: ctx.clock.now(),
        auto_submitted: !advertising,
        feedback_id: advertising.then(|| format!("{}:{}:{}", message.rule, message.variant, "stammgast")),
    };
    let mail = mail.build().map_err(|fault| refuse(Fault::Render, fault.to_string()))?;
    Ok((mail, to))
}

/// The language of somebody's mails: their own, or the shop's.
pub(in crate::flow) fn locale(ctx: &Ctx, own: Option<Locale>) -> Locale {
    own.or_else(|| Locale::parse(&ctx.config.shop.locale)).unwrap_or_default()
}

/// A template filled in for somebody.
///
/// # Errors
/// A sentence when it cannot be filled in.
pub(in crate::flow) fn render(
    ctx: &Ctx,
    campaign: &Campaign,
    recipient: &Recipient<'_>,
    (template, vars): (&str, &Map<String, Value>),
) -> Result<Rendered, String> {
    campaign.templates.render(template, recipient.locale, &vars::standard_vars(&ctx.config.shop, recipient, vars))
}
