//! A mail as somebody would get it, made without a message in the outbox.

use serde_json::{Map, Value};

use super::Ctx;
use super::campaign::Campaign;
use super::dispatch::compose;
use crate::channel::templates::Rendered;
use crate::channel::vars::Recipient;
use crate::model::consent::LegalBasis;
use crate::model::customer::Locale;

/// Whom a mail is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    /// Given name.
    pub first_name: Option<&'a str>,
    /// Family name.
    pub last_name: Option<&'a str>,
    /// Language; `None`: the shop's.
    pub locale: Option<Locale>,
}

/// Fills a template in, as the daemon does when the message leaves.
///
/// # Errors
/// A sentence when it cannot be filled in.
pub(super) fn mail(
    ctx: &Ctx,
    campaign: &Campaign,
    basis: LegalBasis,
    reader: Reader<'_>,
    content: (&str, &Map<String, Value>),
) -> Result<Rendered, String> {
    let recipient = Recipient {
        first_name: reader.first_name,
        last_name: reader.last_name,
        locale: compose::locale(ctx, reader.locale),
        basis,
        // There is no such message, so nothing that a link could unsubscribe from.
        unsubscribe_url: &format!("{}/u/preview", ctx.config.server.public_url),
    };
    compose::render(ctx, campaign, &recipient, content)
}
