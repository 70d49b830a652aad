//! `/`: what an owner wants to see at a glance: what each rule earned, what waits, what runs next.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::pulse::Health;
use super::text::{escape, number, pick};
use super::{Figures, Web, problem};
use crate::base::money::Cents;
use crate::config::shop::Shop;
use crate::flow::analyse::{self, ArmReport, HoldoutReport, RuleReport};
use crate::flow::{FlowError, pause, trigger, watch};
use crate::model::hold::{Barrier, Guard, Hold};
use crate::model::pause::Pause;
use crate::store::report;

/// The status page, in the shop's language.
pub(super) async fn page_of(web: &Web) -> Result<String, FlowError> {
    let shop = &web.ctx.config.shop;
    let t = |german, english| pick(&shop.locale, german, english);
    let ctx = web.ctx.clone();
    let make = async move {
        let states = report::message_states(&mut ctx.db.read().await?).await?;
        Ok(Figures { report: analyse::report(&ctx, None).await?, states })
    };
    let figures = web.glance.get(&web.ctx.clock, make).await?;
    let Figures { report: found, states } = &*figures;
    let mut body = format!("<h1>{}</h1>", escape(&shop.name));
    let waiting: Vec<String> = states.iter().map(|(state, count)| format!("{count} {}", state_word(state, &shop.locale))).collect();
    let outbox = if waiting.is_empty() { t("noch keine", "none yet").to_owned() } else { waiting.join(", ") };
    let _ = write!(body, "<p>{}: {outbox}</p>", t("Nachrichten", "Messages"));
    if let Some((_, count)) = states.iter().find(|(state, _)| state == "in_doubt") {
        let text = t("Nachrichten sind unklar: niemand weiß, ob sie ankamen. Siehe", "messages are in doubt: nobody knows whether they arrived. See");
        let _ = write!(body, "<p class=\"bad\">{count} {text} <code>stammgast messages</code>.</p>");
    }
    let paused = pause::all(&web.ctx).await?;
    for pause in &paused {
        body.push_str(&pause_line(pause, shop));
    }
    body.push_str(&warnings(web).await?);
    if let Some(due) = trigger::next(&web.ctx, &web.in_force.get(), &paused) {
        let when = shop.zone().wall(due.tick_at).format("%d.%m.%Y %H:%M");
        let _ = write!(body, "<p class=\"quiet\">{}: {} – {when}</p>", t("Nächster Lauf", "Next run"), escape(&due.rule));
    }
    for rule in &found.rules {
        body.push_str(&rule_table(rule, &shop.locale, shop.currency.code()));
    }
    if let Some(holdout) = &found.holdout {
        body.push_str(&together(holdout, shop));
    }
    let _ = write!(body, "<h2>{}</h2><table>", t("Betrieb", "Operation"));
    for (stage, beat) in web.pulse.all() {
        let class = if beat.health == Health::Well { "quiet" } else { "bad" };
        let when = shop.zone().wall(beat.at).format("%H:%M:%S");
        let _ = write!(body, "<tr><td>{stage}</td><td>{when}</td><td class=\"{class}\">{}</td></tr>", escape(&beat.said));
    }
    body.push_str("</table>");
    Ok(body)
}

/// A rule that is paused; why a rule failed is told at the command line only, for it may name a customer.
fn pause_line(pause: &Pause, shop: &Shop) -> String {
    let t = |german, english| pick(&shop.locale, german, english);
    let since = shop.zone().wall(pause.since).format("%d.%m.%Y %H:%M");
    let (what, why) = if pause.by_itself() {
        let why = t("zu viele Fehler, siehe stammgast rules list", "too many failures, see stammgast rules list");
        (t("hat sich selbst angehalten", "paused itself"), why)
    } else {
        (t("ist angehalten", "is paused"), pause.reason.as_str())
    };
    let by = if pause.by.is_empty() { String::new() } else { format!(", {}", pause.by) };
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    format!("<p class=\"bad\">{}</p>", escape(&format!("{} {what} ({since}{by}){why}", pause.rule)))
}

/// Answers with the page.
pub(super) async fn page(State(web): State<Web>) -> Response {
    match page_of(&web).await {
        Ok(body) => super::page(StatusCode::OK, &web.ctx.config.shop.locale, &web.ctx.config.shop.name, &body),
        Err(error) => problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// Runs that are held, and rules that have gone silent.
async fn warnings(web: &Web) -> Result<String, FlowError> {
    let shop = &web.ctx.config.shop;
    let t = |german, english| pick(&shop.locale, german, english);
    let mut html = String::new();
    for hold in watch::held(&web.ctx).await? {
        let (rule, number) = (escape(&hold.rule), hold.waiting);
        let waiting = t("Nachrichten warten", "messages wait");
        let why = escape(&held_why(&hold, &shop.locale, shop.currency.code()));
        let until = hold.until.map(|until| shop.zone().wall(until).format("%d.%m.%Y %H:%M").to_string());
        let then = match (until, hold.goes_on) {
            (Some(until), true) => format!("{} {until}", t("Weiter ab", "It goes on at")),
            (Some(until), false) => format!("{} {until}", t("Ohne Antwort verworfen ab", "Discarded without an answer at")),
            (None, _) => t("Es wartet auf Ihre Antwort", "It waits for your answer").to_owned(),
        };
        let _ = write!(
            html,
            "<p class=\"bad\">{rule} {}: {number} {waiting} – {why}. {then}. <code>stammgast holds release {rule}</code> {} <code>stammgast holds discard \
             {rule}</code></p>",
            t("ist angehalten", "is held"),
            t("oder", "or"),
        );
    }
    for found in watch::silent(&web.ctx, &web.in_force.get()).await? {
        let (since, silence) = (found.silence.since.format("%d.%m.%Y"), found.silence);
        let text = match shop.locale.as_str() {
            "de" => format!("hat seit {since} niemanden erreicht, seit {} Tagen; üblich sind {} Tage", silence.days, silence.usual_days),
            _ => found.sentence(),
        };
        let _ = write!(html, "<p class=\"bad\">{} {}</p>", escape(&found.rule), escape(&text));
    }
    Ok(html)
}

/// What guard holds a run, in the page's language.
fn held_why(hold: &Hold, locale: &str, currency: &str) -> String {
    let Barrier { guard, most, norm, today, customers } = hold.barrier;
    if locale != "de" {
        return guard.sentence(&hold.barrier, currency);
    }
    let money = || number(&format!("{} {currency}", Cents(most)), locale);
    let before = if today > 0 { format!(" (heute bisher {today})") } else { String::new() };
    match guard {
        Guard::Norm => format!("üblich sind {} am Tag, ohne Frage gehen bis zu {most}{before}", norm.unwrap_or_default()),
        Guard::Percent => format!("ohne Frage gehen am Tag bis zu {most} bei {customers} Kunden{before}"),
        Guard::RuleHour => format!("die Regel schreibt höchstens {most} in der Stunde"),
        Guard::RuleDay => format!("die Regel schreibt höchstens {most} am Tag"),
        Guard::RuleVouchers => format!("die Gutscheine der Regel dürfen am Tag höchstens {} kosten", money()),
        Guard::ShopHour => format!("alle Regeln zusammen schreiben höchstens {most} in der Stunde"),
        Guard::ShopDay => format!("alle Regeln zusammen schreiben höchstens {most} am Tag"),
        Guard::ShopVouchers => format!("die Gutscheine aller Regeln dürfen am Tag höchstens {} kosten", money()),
    }
}

fn state_word<'a>(state: &'a str, locale: &str) -> &'a str {
    let words = match state {
        "queued" | "claimed" | "data" => ("unterwegs", "on the way"),
        "sent" => ("versendet", "sent"),
        "failed" => ("gescheitert", "failed"),
        "in_doubt" => ("unklar", "in doubt"),
        "cancelled" => ("zurückgezogen", "cancelled"),
        other => (other, other),
    };
    pick(locale, words.0, words.1)
}

fn rule_table(rule: &RuleReport, locale: &str, currency: &str) -> String {
    let t = |german, english| pick(locale, german, english);
    let mut html = format!("<h2>{}</h2><table><tr>", escape(&rule.rule));
    let headers = [
        t("Gruppe", "Group"),
        t("Personen", "People"),
        t("Versendet", "Sent"),
        t("Gekauft", "Bought"),
        t("Quote", "Rate"),
        t("Umsatz", "Revenue"),
        t("je Person", "per person"),
    ];
    for header in headers {
        let _ = write!(html, "<th>{header}</th>");
    }
    html.push_str("</tr>");
    let control = (rule.control.counts.people > 0).then_some(&rule.control);
    for arm in control.into_iter().chain(&rule.variants) {
        html.push_str(&arm_row(arm, rule.goal, locale, currency));
    }
    html.push_str("</table>");
    // The report's own sentences, which hold at whichever look: whoever keeps this page open looks more often than anybody.
    let ledger = rule.ledger.as_ref().filter(|_| rule.goal).map(|ledger| &ledger.sentence);
    for sentence in rule.verdict.as_ref().map(|verdict| &verdict.sentence).into_iter().chain(ledger) {
        let _ = write!(html, "<p>{}</p>", escape(sentence));
    }
    if rule.open > 0 {
        let text = t("Personen können noch kaufen: die Zahlen können wachsen.", "people may still buy: the figures may grow.");
        let _ = write!(html, "<p class=\"quiet\">{} {text}</p>", rule.open);
    }
    html
}

/// What all rules earned together: everybody against those held out from all of them.
fn together(holdout: &HoldoutReport, shop: &Shop) -> String {
    let (locale, currency) = (shop.locale.as_str(), shop.currency.code());
    let t = |german, english| pick(locale, german, english);
    let mut html = format!("<h2>{}</h2><table><tr>", t("Alle Kampagnen zusammen", "All campaigns together"));
    for header in [t("Gruppe", "Group"), t("Personen", "People"), t("Gekauft", "Bought"), t("Umsatz", "Revenue"), t("je Person", "per person")] {
        let _ = write!(html, "<th>{header}</th>");
    }
    html.push_str("</tr>");
    let groups =
        [(t("bekommt von keiner Regel etwas", "gets nothing from any rule"), &holdout.control), (t("alle anderen", "everybody else"), &holdout.rest)];
    for (name, group) in groups {
        let each = |cents: f64| number(&format!("{:.2} {currency}", cents / 100.0), locale);
        let cells = [
            name.to_owned(),
            group.people.to_string(),
            group.bought.to_string(),
            number(&format!("{} {currency}", Cents(group.revenue_cents)), locale),
            group.revenue_per_person_cents.map_or_else(|| "–".to_owned(), each),
        ];
        let _ = write!(html, "<tr><td>{}</td></tr>", cells.join("</td><td>"));
    }
    let day = |at| shop.zone().wall(at).format("%d.%m.%Y").to_string();
    let until = holdout.until.map_or_else(String::new, |until| format!(" {} {}", t("bis", "until"), day(until)));
    let share = format!("{} % {} {}{until}.", holdout.percent, t("der Kunden, seit", "of the customers, since"), day(holdout.since));
    let _ = write!(html, "</table><p>{}</p><p class=\"quiet\">{share}</p>", escape(&holdout.ledger.sentence));
    html
}

fn arm_row(arm: &ArmReport, goal: bool, locale: &str, currency: &str) -> String {
    let control = arm.counts.name == "control";
    let name = if control { pick(locale, "Kontrolle (nicht angeschrieben)", "control (not written to)") } else { &arm.counts.name };
    let dash = || "–".to_owned();
    let cells = [
        escape(name),
        arm.counts.people.to_string(),
        if control { dash() } else { arm.counts.sent.to_string() },
        if goal { arm.counts.converted.to_string() } else { dash() },
        arm.rate.map_or_else(dash, |rate| number(&format!("{:.1} %", rate * 100.0), locale)),
        if goal { number(&format!("{} {currency}", Cents(arm.counts.revenue_cents)), locale) } else { dash() },
        arm.revenue_per_person_cents.map_or_else(dash, |cents| number(&format!("{:.2} {currency}", cents / 100.0), locale)),
    ];
    format!("<tr><td>{}</td></tr>", cells.join("</td><td>"))
}
