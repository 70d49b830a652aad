//! `/u/TOKEN`: the way out of every mail. GET asks (link scanners must not unsubscribe anybody), POST does it at once (RFC 8058 one-click and the button).

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::text::{escape, pick};
use super::{Web, page, problem};
use crate::base::id::Id;
use crate::flow::object;
use crate::store::messages;

/// The purpose that unsubscribe tokens are signed for.
pub(super) const PURPOSE: &str = crate::model::message::UNSUBSCRIBE_PURPOSE;

/// Shows a button; changes nothing.
pub(super) async fn ask(State(web): State<Web>, Path(token): Path<String>) -> Response {
    let Some(message) = web.in_force.get().token_key.verify(PURPOSE, &token) else { return unknown(&web) };
    // A database that does not answer is no reason to say that somebody is gone.
    let owner = async { messages::owner(&mut web.ctx.db.read().await?, message).await };
    if matches!(owner.await, Ok(None)) {
        return erased(&web);
    }
    let locale = language(&web, message).await;
    let body = format!(
        "<div class=\"card\"><h1>{}</h1><p>{}</p><form method=\"post\"><button type=\"submit\">{}</button></form></div>",
        escape(&web.ctx.config.shop.name),
        pick(&locale, "Möchten Sie keine Werbung per E-Mail mehr von uns bekommen?", "Would you like to stop receiving our marketing emails?"),
        pick(&locale, "Ja, bitte abmelden", "Yes, unsubscribe me"),
    );
    page(StatusCode::OK, &locale, pick(&locale, "Abmelden", "Unsubscribe"), &body)
}

/// Unsubscribes; a repeat does no harm.
pub(super) async fn done(State(web): State<Web>, Path(token): Path<String>) -> Response {
    let Some(message) = web.in_force.get().token_key.verify(PURPOSE, &token) else { return unknown(&web) };
    match object::unsubscribe(&web.ctx, message).await {
        Ok(true) => {
            let locale = language(&web, message).await;
            let body = format!(
                "<div class=\"card\"><h1>{}</h1><p>{}</p></div>",
                escape(&web.ctx.config.shop.name),
                pick(
                    &locale,
                    "Sie sind abgemeldet und bekommen keine Werbung per E-Mail mehr von uns.",
                    "You are unsubscribed and will receive no more marketing emails from us."
                ),
            );
            page(StatusCode::OK, &locale, pick(&locale, "Abgemeldet", "Unsubscribed"), &body)
        }
        Ok(false) => erased(&web),
        Err(error) => {
            tracing::error!(%error, "an objection could not be recorded");
            problem(StatusCode::SERVICE_UNAVAILABLE, "Please try again in a minute.")
        }
    }
}

/// The language of the mail that the link stood in: the customer's, or the shop's. A database that does not answer is no reason to show nothing.
async fn language(web: &Web, message: Id) -> String {
    let of_customer = async { messages::locale(&mut web.ctx.db.read().await?, message).await };
    let locale = of_customer.await.ok().flatten();
    locale.map_or_else(|| web.ctx.config.shop.locale.clone(), |locale| locale.code().to_owned())
}

/// The link is ours, its message is not there any more: messages go only together with their customer. Whether that person is known again, by another
/// message, nobody can tell from it, so it promises nothing about those; and it is no success, for nobody was unsubscribed.
fn erased(web: &Web) -> Response {
    let shop = &web.ctx.config.shop;
    let locale = shop.locale.as_str();
    let text = pick(
        locale,
        "Die Daten, zu denen dieser Link gehört, sind bei uns gelöscht. Auf ihrer Grundlage wird Ihnen nichts mehr gesendet. Sollten Sie dennoch wieder eine \
         E-Mail von uns bekommen, melden Sie sich bitte mit dem Link in dieser E-Mail ab.",
        "The data that this link belongs to have been erased here. Nothing is sent to you because of them any more. Should you get an email from us again, \
         please unsubscribe with the link in that email.",
    );
    let body = format!("<div class=\"card\"><h1>{}</h1><p>{text}</p></div>", escape(&shop.name));
    page(StatusCode::GONE, locale, pick(locale, "Daten gelöscht", "Data erased"), &body)
}

fn unknown(web: &Web) -> Response {
    let shop = &web.ctx.config.shop;
    let text = pick(
        &shop.locale,
        "Dieser Link ist unvollständig. Bitte kopieren Sie die ganze Adresse aus der E-Mail.",
        "This link is incomplete. Please copy the whole address from the email.",
    );
    page(StatusCode::NOT_FOUND, &shop.locale, &shop.name, &format!("<div class=\"card\"><h1>{}</h1><p>{text}</p></div>", escape(&shop.name)))
}
