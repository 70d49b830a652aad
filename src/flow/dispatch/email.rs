//! Delivers emails: one worker per connection to the relay, or files.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};
use tokio::time::Instant;

use super::compose::compose;
use super::queue::{Held, Queue};
use super::settle::{Patience, settle};
use super::writer::{Change, Permit, Suppress};
use super::{Dispatcher, Ordering, Pass};
use crate::base::retry::Curve;
use crate::base::time::UnixMs;
use crate::channel::file::MailFolder;
use crate::channel::message::Sender;
use crate::channel::smtp::{SmtpClient, SmtpSession};
use crate::config::Config;
use crate::config::mail::Transport;
use crate::flow::pause;
use crate::model::attempt::{Delivery, Fault};
use crate::model::email_address::EmailAddress;
use crate::model::message::LeasedMessage;

/// A connection that was not used for longer is not trusted any more: relays close after a minute or so.
const KEEP_IDLE: Duration = Duration::from_secs(30);

/// The way out for emails.
pub(super) struct Post {
    way: Way,
    /// Who mails come from; `None`: not configured, nothing is sent.
    pub(super) from: Option<Sender>,
    pub(super) reply_to: Option<Sender>,
    idle: Mutex<Vec<Kept>>,
    /// How many connections are open or being opened.
    open: Arc<AtomicUsize>,
}

enum Way {
    Smtp(Box<SmtpClient>),
    File(MailFolder),
}

/// An open connection and what it has been through.
struct Kept {
    session: SmtpSession,
    /// `None`: no message was begun on it yet.
    last_used: Option<Instant>,
    _counted: Counted,
}

/// A connection among those that are open.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Post").field("from", &self.from.is_some()).finish_non_exhaustive()
    }
}

impl Post {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let mail = &config.mail;
        let way = match mail.transport {
            Transport::Smtp => Way::Smtp(Box::new(SmtpClient::new(mail)?)),
            Transport::File => Way::File(MailFolder::new(&mail.folder)),
        };
        let sender = |key: &str, text: &str| match text {
            "" => Ok(None),
            text => Sender::parse(text).map(Some).map_err(|problem| format!("[mail] {key}: {problem}")),
        };
        let (from, reply_to) = (sender("from", &mail.from)?, sender("reply_to", &mail.reply_to)?);
        Ok(Self { way, from, reply_to, idle: Mutex::new(Vec::new()), open: Arc::default() })
    }

    /// The setting without which no mail may leave, if it is not filled in.
    pub(super) fn missing(&self, config: &Config) -> Option<String> {
        if self.from.is_none() {
            return Some("[mail] from is empty: expected the sender, \"Name <address>\" or an address".to_owned());
        }
        config.shop.imprint.trim().is_empty().then(|| "[shop] imprint is empty: every mail has to say who sends it (§5 DDG)".to_owned())
    }

    /// A kept connection that may still be good, or a new one. The error tells whether others of ours are open or being opened: of all who fail at the
    /// same time, the last has none beside it.
    async fn connection(&self, client: &SmtpClient) -> Result<Kept, (Delivery, bool)> {
        let mut idle = self.idle.lock().await;
        while let Some(kept) = idle.pop() {
            if kept.last_used.is_some_and(|at| at.elapsed() < KEEP_IDLE) {
                return Ok(kept);
            }
        }
        drop(idle);
        self.open.fetch_add(1, Ordering::Relaxed);
        match client.connect().await {
            Ok(session) => Ok(Kept { session, last_used: None, _counted: Counted(Arc::clone(&self.open)) }),
            Err(delivery) => Err((delivery, self.open.fetch_sub(1, Ordering::Relaxed) > 1)),
        }
    }

    pub(super) async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().await);
        for kept in idle {
            kept.session.quit().await;
        }
    }
}

/// Counts an email as "will soon ask for its mark" for as long as it lives.
struct Beginning<'pass>(&'pass AtomicUsize);

impl<'pass> Beginning<'pass> {
    fn of(pass: &'pass Pass) -> Self {
        pass.beginning.fetch_add(1, Ordering::Relaxed);
        Self(&pass.beginning)
    }
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A message and what it becomes as a mail.
struct Draft {
    message: Held,
    mail: Result<(String, EmailAddress), Delivery>,
}

/// What a worker keeps from one message to the next.
#[derive(Default)]
struct Desk {
    /// The connection that the last mail went over.
    open: Option<Kept>,
    /// The mail that was composed while the last one waited for its mark.
    ahead: Option<Draft>,
}

/// Delivers messages until the queue ends.
pub(super) async fn work(dispatcher: &Dispatcher, pass: &Pass, queue: &Queue) {
    let mut desk = Desk::default();
    loop {
        let draft = match desk.ahead.take() {
            Some(draft) if !pass.may_begin(&draft.message).await => continue,
            Some(draft) => draft,
            None => match pass.next(queue).await {
                Some(message) => draft(dispatcher, pass, message),
                None => break,
            },
        };
        let started_at = dispatcher.ctx.clock.now();
        let Some(delivery) = deliver(dispatcher, pass, &draft, queue, &mut desk).await else {
            // Others go on with the connections that they have.
            pass.handed_back.lock().await.push(draft.message);
            break;
        };
        if let Delivery::Retry { fault, detail, .. } = &delivery
            && fault.concerns_relay()
        {
            pass.no_more_emails.store(true, Ordering::Relaxed);
            pass.relay_fault.lock().await.get_or_insert_with(|| format!("{}: {detail}", fault.code()));
        }
        record(dispatcher, pass, &draft.message, &delivery, started_at).await;
    }
    if let Some(kept) = desk.open {
        dispatcher.post.idle.lock().await.push(kept);
    }
}

fn draft(dispatcher: &Dispatcher, pass: &Pass, message: Held) -> Draft {
    let mail = compose(&dispatcher.ctx, &pass.in_force.get(), &dispatcher.post, &message);
    if mail.is_ok() {
        let _ = pass.makes(&message.rule, true, 0);
    }
    Draft { message, mail }
}

/// A rule whose mails cannot be made pauses itself, as one whose condition fails: each that fails is lost until somebody tries it again.
async fn unmade(dispatcher: &Dispatcher, pass: &Pass, rule: &str, problem: &str) {
    let ctx = &dispatcher.ctx;
    let Some(failed) = pass.makes(rule, false, ctx.config.rules.pause_after_failures) else { return };
    let campaign = pass.in_force.get();
    let Some(rule) = campaign.rules.rule(rule) else { return };
    // At once: until the pause is written others would be begun.
    pass.paused.begin(&rule.spec.name).await;
    match pause::unmade(ctx, &rule.spec, failed, problem).await {
        Ok(()) => {
            tracing::error!(rule = rule.spec.name, "its mails cannot be made: the rule pauses itself; `stammgast rules list` says why");
        }
        // The next look at the pauses lets the rule go on, and the next pass asks again.
        Err(error) => tracing::error!(%error, rule = rule.spec.name, "its mails cannot be made, and it cannot be paused"),
    }
}

/// Hands the end of a try to the writer.
async fn record(dispatcher: &Dispatcher, pass: &Pass, message: &LeasedMessage, delivery: &Delivery, started_at: UnixMs) {
    let give_up_after_days = dispatcher.ctx.config.dispatch.give_up_after_days;
    let patience = Patience { curve: Curve::Email, give_up_after_days, jitter_ratio: rand::random() };
    let end = settle(message, delivery, started_at, dispatcher.ctx.clock.now(), patience);
    if let Delivery::Refused { fault: Fault::Render, detail } = delivery {
        unmade(dispatcher, pass, &message.rule, detail).await;
    }
    let dead = matches!(delivery, Delivery::Refused { fault: Fault::BadAddress, .. });
    let address = message.email.as_deref().filter(|_| dead).and_then(|text| EmailAddress::parse(text).ok());
    let suppress = address.map(|address| Suppress { email_key: address.key(), reason: Fault::BadAddress.code() });
    dispatcher.ended.fetch_add(1, Ordering::Relaxed);
    pass.end(message, end, suppress).await;
}

/// `None`: the relay gives us no further connection while others of ours are open. Many allow some ten from one client; that is no fault.
async fn deliver(dispatcher: &Dispatcher, pass: &Pass, draft: &Draft, queue: &Queue, desk: &mut Desk) -> Option<Delivery> {
    let (post, message) = (&dispatcher.post, &draft.message);
    let beginning = Beginning::of(pass);
    let (mail, to) = match &draft.mail {
        Ok(mail) => mail,
        Err(delivery) => return Some(delivery.clone()),
    };
    let client = match &post.way {
        Way::File(folder) => {
            return Some(match permit(pass, message, beginning, || {}).await {
                Permit::Go => folder.write(message.id, mail).await,
                Permit::Stop => Delivery::Cancelled,
                Permit::Unavailable => unavailable(pass),
            });
        }
        Way::Smtp(client) => client,
    };
    let Some(from) = &post.from else { return Some(missing("no sender: set [mail] from")) };
    let kept = match desk.open.take() {
        Some(kept) => kept,
        None => match post.connection(client).await {
            Ok(kept) => kept,
            Err((Delivery::Retry { fault, detail, .. }, true)) => {
                tracing::info!(fault = fault.code(), detail, "no further connection to the relay was to be had; the others of this pass go on");
                return None;
            }
            Err((delivery, _)) => return Some(delivery),
        },
    };
    let mut kept = match begin(client, &from.address, to, kept).await {
        Ok(kept) => kept,
        Err((delivery, kept)) => {
            desk.open = Some(kept).filter(|kept| kept.session.is_usable());
            return Some(delivery);
        }
    };
    let many = dispatcher.ctx.config.mail.connections;
    let compose_next = || desk.ahead = queue.next_of_many(many).map(|next| self::draft(dispatcher, pass, next));
    let delivery = match permit(pass, message, beginning, compose_next).await {
        Permit::Go => kept.session.finish(mail).await,
        // Closing before the final dot is the only way to take DATA back.
        Permit::Stop => {
            kept.session.abandon();
            return Some(Delivery::Cancelled);
        }
        Permit::Unavailable => {
            kept.session.abandon();
            return Some(unavailable(pass));
        }
    };
    kept.last_used = Some(Instant::now());
    if kept.session.is_usable() {
        desk.open = Some(kept);
    } else {
        kept.session.quit().await;
    }
    Some(delivery)
}

/// MAIL, RCPT and DATA. A connection that was used before may have been closed by the relay meanwhile: that is no fault of the message, so a new one
/// takes its place.
async fn begin(client: &SmtpClient, from: &EmailAddress, to: &EmailAddress, mut kept: Kept) -> Result<Kept, (Delivery, Kept)> {
    let mut begun = kept.session.begin(from, to).await;
    let was_used = kept.last_used.replace(Instant::now()).is_some();
    if let Err(Delivery::Retry { fault: Fault::Closed | Fault::Timeout | Fault::Connect, .. }) = &begun
        && was_used
        && !kept.session.is_usable()
    {
        match client.connect().await {
            Ok(session) => kept.session = session,
            Err(delivery) => return Err((delivery, kept)),
        }
        begun = kept.session.begin(from, to).await;
    }
    match begun {
        Ok(()) => Ok(kept),
        Err(delivery) => Err((delivery, kept)),
    }
}

/// Asks the writer for the durable mark "its bytes may be with the receiver"; does `meanwhile` until it comes.
async fn permit(pass: &Pass, message: &LeasedMessage, beginning: Beginning<'_>, meanwhile: impl FnOnce()) -> Permit {
    let (answer, answered) = oneshot::channel();
    drop(beginning);
    if pass.changes.send(Change::Mark { id: message.id, fence: message.fence, answer }).await.is_err() {
        return Permit::Unavailable;
    }
    meanwhile();
    answered.await.unwrap_or(Permit::Unavailable)
}

fn unavailable(pass: &Pass) -> Delivery {
    // The next ones would fare no better.
    pass.no_more_emails.store(true, Ordering::Relaxed);
    Delivery::Retry { fault: Fault::Busy, detail: "our own database could not record the send".to_owned(), after_ms: None }
}

fn missing(what: &str) -> Delivery {
    Delivery::Refused { fault: Fault::Missing, detail: what.to_owned() }
}
