//! Builds the mail itself (RFC 5322, MIME) with the headers that mail programs and providers expect of a campaign.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, Message, MultiPart, MultiPartKind, SinglePart};

use super::quoted;
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::email_address::EmailAddress;
use crate::model::text::clean;

/// Longest link in a header: the line has to stay below the 998 characters of RFC 5322.
const MAX_URL_CHARS: usize = 900;
/// The last second of the year 9999: the `Date` header has four digits for the year.
const MAX_SECONDS: u64 = 253_402_300_799;

/// Who a mail comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// What mail programs show.
    pub name: Option<String>,
    /// The address.
    pub address: EmailAddress,
}

impl Sender {
    /// Reads `Name <address>`, `"Name" <address>` or an address.
    ///
    /// # Errors
    /// A sentence with the expected form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (clean(name.trim().trim_matches('"')), address),
            None => (None, text),
        };
        let address =
            EmailAddress::parse(address).map_err(|error| format!("'{text}' is no sender: {error}; write e.g. \"My Shop <post@shop.example>\""))?;
        Ok(Self { name, address })
    }
}

/// A mail to one customer, ready to be built.
#[derive(Clone, Debug)]
pub struct OutgoingEmail {
    /// The message's key: its Message-ID is the same on each try.
    pub id: Id,
    /// Who it comes from.
    pub from: Sender,
    /// Where answers go, if not to `from`.
    pub reply_to: Option<Sender>,
    /// Where it goes.
    pub to: EmailAddress,
    /// The customer's name.
    pub to_name: Option<String>,
    /// Any text; becomes one line.
    pub subject: String,
    /// The part that most people see; `None`: text only.
    pub html: Option<String>,
    /// The same as text.
    pub text: String,
    /// What list the mail belongs to, e.g. the rule's name; becomes `<win-back.shop.example>`.
    pub list_id: Option<String>,
    /// Where one POST unsubscribes (RFC 8058); `None` for mails that belong to an order.
    pub unsubscribe_url: Option<String>,
    /// The `Date` header.
    pub date: UnixMs,
    /// Whether to say that a machine wrote it (RFC 3834), so that no holiday notice comes back: for mails that belong to an order.
    pub auto_submitted: bool,
    /// Gmail's `Feedback-ID`, e.g. `win-back:A::shop`; other characters than letters, digits and `._:-` are dropped.
    pub feedback_id: Option<String>,
}

/// Why a mail could not be built.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BuildFault {
    /// The subject is empty.
    #[error("the subject is empty")]
    NoSubject,
    /// The unsubscribe link is no http(s) URL that fits into a header.
    #[error("the unsubscribe link is no http(s) URL of at most 900 characters")]
    BadUnsubscribeUrl,
    /// The mail library refused it or gave up.
    #[error("the mail could not be built: {0}")]
    Library(String),
}

impl OutgoingEmail {
    /// The text of the mail: ASCII with CR LF line ends; with letters beyond ASCII only if an address needs SMTPUTF8. The same input gives the
    /// same bytes.
    ///
    /// # Errors
    /// [`BuildFault`]; never panics, whatever a customer's record holds.
    pub fn build(&self) -> Result<String, BuildFault> {
        // Control characters, on which lettre panics, are cleaned away; should it find another reason, one mail fails and not the worker.
        catch_unwind(AssertUnwindSafe(|| self.assemble())).unwrap_or_else(|_| Err(BuildFault::Library("it panicked".to_owned())))
    }

    fn assemble(&self) -> Result<String, BuildFault> {
        let from = &self.from.address;
        let seconds = u64::try_from(self.date.0 / 1000).unwrap_or(0).min(MAX_SECONDS);
        let mut builder = Message::builder()
            .from(mailbox(self.from.name.as_deref(), from))
            .to(mailbox(self.to_name.as_deref(), &self.to))
            .subject(unencoded(&self.subject).ok_or(BuildFault::NoSubject)?)
            .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .message_id(Some(format!("<{}@{}>", self.id, from.domain())));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(mailbox(reply_to.name.as_deref(), &reply_to.address));
        }
        for (name, value) in self.list_headers()? {
            builder = builder.raw_header(header(name, value)?);
        }
        let message = match &self.html {
            None => builder.singlepart(part(ContentType::TEXT_PLAIN, &self.text)),
            Some(html) => {
                // No line of quoted-printable can hold "=_", so the boundary cannot occur in a part; made from the id it is the same on each try.
                let parts = MultiPart::builder().kind(MultiPartKind::Alternative).boundary(format!("=_{}", self.id));
                builder.multipart(parts.singlepart(part(ContentType::TEXT_PLAIN, &self.text)).singlepart(part(ContentType::TEXT_HTML, html)))
            }
        };
        let bytes = message.map_err(|error| BuildFault::Library(error.to_string()))?.formatted();
        String::from_utf8(bytes).map_err(|error| BuildFault::Library(error.to_string()))
    }

    fn list_headers(&self) -> Result<Vec<(&'static str, String)>, BuildFault> {
        let mut headers = Vec::new();
        if let Some(list) = &self.list_id {
            let label: String = list.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).take(63).collect();
            headers.push(("List-ID", format!("<{label}.{}>", self.from.address.domain())));
        }
        if let Some(url) = &self.unsubscribe_url {
            let url = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "https" | "http")).map(String::from);
            let url = url.filter(|url| url.len() <= MAX_URL_CHARS).ok_or(BuildFault::BadUnsubscribeUrl)?;
            headers.push(("List-Unsubscribe", format!("<{url}>")));
            headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
        if self.auto_submitted {
            headers.push(("Auto-Submitted", "auto-generated".to_owned()));
        }
        if let Some(feedback) = &self.feedback_id {
            let kept: String = feedback.chars().filter(|c| c.is_ascii_alphanumeric() || "._:-".contains(*c)).take(200).collect();
            headers.push(("Feedback-ID", kept));
        }
        Ok(headers)
    }
}

/// A header on one line, as it is: folding a link breaks some signers and readers.
fn header(name: &str, value: String) -> Result<HeaderValue, BuildFault> {
    let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|error| BuildFault::Library(error.to_string()))?;
    if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(BuildFault::Library(format!("{name}: not printable ASCII")));
    }
    Ok(HeaderValue::dangerous_new_pre_encoded(name, value.clone(), value))
}

/// A text for a header: one line, and nothing in it that a reader takes for an encoded word (RFC 2047), by which a name could pretend to be
/// another or bring its line breaks along; lettre lets such words through as they are.
fn unencoded(text: &str) -> Option<String> {
    clean(text).map(|line| line.replace("=?", "= ?"))
}

fn mailbox(name: Option<&str>, address: &EmailAddress) -> Mailbox {
    Mailbox::new(name.and_then(unencoded), Address::new_dangerous(address.local(), address.domain()))
}

fn part(content_type: ContentType, text: &str) -> SinglePart {
    let body = Body::dangerous_pre_encoded(quoted::encode(text), ContentTransferEncoding::QuotedPrintable);
    SinglePart::builder().header(content_type).body(body)
}
