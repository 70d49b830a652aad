//! The verbs of a rule: `rule("…")` and what follows it with a dot. Faults are collected, so that a marketer sees all of them at once.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};

use super::crontab::Crontab;
use super::draft::Draft;
use super::example;
use super::explain::{misuse, place};
use super::helpers::{MAX_DAYS, Span, Worth, expected, is_name};
use super::internals::{Bound, Place};
use crate::config::sections::Policy;
use crate::model::consent::LegalBasis;
use crate::model::example::Example;
use crate::model::fault::FileFault;
use crate::model::rule::{Goal, MissedPolicy, Occasion, QuietHours, RuleLimits, VariantSpec, WinnerAfter};

/// Verbs that are planned.
pub(super) const LATER: [&str; 3] = ["on", "after", "unless"];
/// Verbs whose closure gets the customer.
pub(super) const TAKES_CUSTOMER: [&str; 3] = ["when", "variant", "send"];
/// Most rules that one file may begin.
pub(super) const MAX_RULES: usize = 1000;
/// Most faults that are noted of one file.
const MAX_FAULTS: usize = 200;
/// Most variants of a rule.
const MAX_VARIANTS: usize = 20;
/// Most examples of a rule.
const MAX_EXAMPLES: usize = 200;
/// Greatest weight of a variant.
const MAX_WEIGHT: i64 = 1_000_000;
/// Most people that a winner can be asked to wait for.
const MOST_PEOPLE: i64 = 1_000_000_000;
/// Greatest limit of messages.
const MAX_MESSAGES: i64 = 100_000_000;

/// A rule under construction: its place among the drafts of the workshop with that number.
#[derive(Clone, Copy)]
struct Handle {
    workshop: u64,
    draft: usize,
}

/// What a file has made so far.
#[derive(Default)]
pub(super) struct Workshop {
    file: String,
    /// Tells handles of one file from those of another that reach it through a module.
    number: u64,
    pub drafts: Vec<Draft>,
    pub faults: Vec<FileFault>,
    /// Modules under way: their rules count when their own file is run, not when it is imported.
    importing: usize,
}

impl Workshop {
    /// Notes a fault; too many end the script.
    fn note(&mut self, fault: FileFault) -> Outcome<()> {
        self.faults.push(fault);
        if self.faults.len() < MAX_FAULTS { Ok(()) } else { Err(misuse(format!("there are {MAX_FAULTS} faults: the rest is not looked at")).into()) }
    }
}

thread_local! {
    /// The file that is being run on this thread; rules can only be made while there is one.
    static WORKSHOP: RefCell<Option<Workshop>> = const { RefCell::new(None) };
}

/// Runs `work`, which runs a file, and gives what the file made.
pub(super) fn workshop<T>(file: &str, work: impl FnOnce() -> T) -> (T, Workshop) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    WORKSHOP.set(Some(Workshop { file: file.to_owned(), number, ..Workshop::default() }));
    let result = work();
    (result, WORKSHOP.take().unwrap_or_default())
}

/// Runs `work`, which runs a module: rules in it are not counted.
pub(super) fn importing<T>(work: impl FnOnce() -> T) -> T {
    let count = |by: fn(usize) -> usize| {
        WORKSHOP.with_borrow_mut(|workshop| {
            if let Some(workshop) = workshop {
                workshop.importing = by(workshop.importing);
            }
        });
    };
    count(|now| now + 1);
    let result = work();
    count(|now| now.saturating_sub(1));
    result
}

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// The file and place of a call.
fn caller(context: &NativeCallContext, workshop: &Workshop) -> (String, Place) {
    let file = context.call_source().unwrap_or(&workshop.file).to_owned();
    (file, place(context.call_position()))
}

fn begin(context: &NativeCallContext, name: &Dynamic) -> Outcome<Handle> {
    WORKSHOP.with_borrow_mut(|workshop| {
        let workshop = workshop.as_mut().ok_or_else(|| misuse("rule(…) belongs at the top of a file, not in a condition or action".to_owned()))?;
        let (file, at) = caller(context, workshop);
        let text = name.clone().into_string().unwrap_or_default();
        if workshop.drafts.len() >= MAX_RULES {
            return Err(misuse(format!("there are more than {MAX_RULES} rules")).into());
        }
        let counts = workshop.importing == 0;
        if counts && !is_name(&text) {
            let problem = format!("rule(…): the name: {}", expected("1 to 60 of a-z, 0-9 and -, such as \"win-back\"", name));
            workshop.note(FileFault::new(&file, at, problem))?;
        }
        workshop.drafts.push(Draft::new(text, file, at, counts));
        Ok(Handle { workshop: workshop.number, draft: workshop.drafts.len() - 1 })
    })
}

/// Lets a verb change its draft. What is wrong with its arguments becomes a fault, and the chain goes on.
fn say(context: &NativeCallContext, handle: Handle, verb: &'static str, change: impl FnOnce(&mut Draft) -> Result<(), String>) -> Outcome<Handle> {
    WORKSHOP.with_borrow_mut(|workshop| {
        let outside = || misuse(format!(".{verb}(…) belongs at the top of a file, not in a condition or action"));
        let workshop = workshop.as_mut().ok_or_else(outside)?;
        let (file, at) = caller(context, workshop);
        let draft = workshop.drafts.get_mut(handle.draft).filter(|_| handle.workshop == workshop.number);
        let draft = draft.ok_or_else(|| misuse(format!(".{verb}(…) follows a rule(…) of another file")))?;
        let repeated = draft.say(verb, at);
        let problem = change(draft).err().or(repeated);
        if draft.counts
            && let Some(problem) = problem
        {
            workshop.note(FileFault::new(&file, at, format!(".{verb}: {problem}")))?;
        }
        Ok(handle)
    })
}

fn text(value: &Dynamic, what: &str) -> Result<String, String> {
    value.clone().into_string().map_err(|_| expected(what, value))
}

fn whole(value: &Dynamic, from: i64, to: i64) -> Result<i64, String> {
    let number = value.as_int().ok().filter(|number| (from..=to).contains(number));
    number.ok_or_else(|| expected(&format!("a whole number from {from} to {to}"), value))
}

fn days(value: &Dynamic) -> Result<i64, String> {
    let what = format!("days(1) to days({MAX_DAYS})");
    let Some(span) = value.clone().try_cast::<Span>() else { return Err(expected(&what, value)) };
    match span.days() {
        Some(days) if (1..=MAX_DAYS).contains(&days) => Ok(days),
        Some(days) => Err(format!("expected {what}, got days({days})")),
        None => Err(format!("expected {what}: whole days only")),
    }
}

fn closure(context: &NativeCallContext, value: &Dynamic) -> Result<Bound, String> {
    let pointer = value.clone().try_cast::<FnPtr>().ok_or_else(|| expected("a closure |c| …", value))?;
    Bound::capture(context, pointer)
}

fn missed(value: &Dynamic) -> Result<MissedPolicy, String> {
    match text(value, "\"once\", \"skip\" or \"all\"")?.as_str() {
        "once" => Ok(MissedPolicy::Once),
        "skip" => Ok(MissedPolicy::Skip),
        "all" => Ok(MissedPolicy::All),
        _ => Err(expected("\"once\", \"skip\" or \"all\"", value)),
    }
}

fn once_per(value: &Dynamic) -> Result<Occasion, String> {
    const WORDS: &str = "\"year\", \"month\", \"week\", \"day\", \"order\" or \"ever\"";
    match text(value, WORDS)?.as_str() {
        "year" => Ok(Occasion::Year),
        "month" => Ok(Occasion::Month),
        "week" => Ok(Occasion::Week),
        "day" => Ok(Occasion::Day),
        "order" => Ok(Occasion::Order),
        "ever" => Ok(Occasion::Ever),
        _ => Err(expected(WORDS, value)),
    }
}

fn occasion(draft: &mut Draft, occasion: Occasion) -> Result<(), String> {
    if draft.occasion.replace(occasion).is_some() {
        return Err("a rule has one .cooldown(…) or one .once_per(…)".to_owned());
    }
    Ok(())
}

fn variant(draft: &mut Draft, name: String, weight: i64, action: Bound) -> Result<(), String> {
    let form = (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !form || name.eq_ignore_ascii_case("control") {
        return Err(format!("'{name}' is no name of a variant: expected 1 to 40 of A-Z, a-z, 0-9, - and _, and not \"control\""));
    }
    if draft.variants.iter().any(|(variant, _)| variant.name == name) {
        return Err(format!("variant '{name}' is there twice"));
    }
    if draft.variants.len() >= MAX_VARIANTS {
        return Err(format!("a rule has at most {MAX_VARIANTS} variants"));
    }
    draft.variants.push((VariantSpec { name, weight }, action));
    Ok(())
}

fn add_example(draft: &mut Draft, example: Example) -> Result<(), String> {
    if draft.examples.iter().any(|other| other.name == example.name) {
        return Err(format!("example \"{}\" is there twice", example.name));
    }
    if draft.examples.len() >= MAX_EXAMPLES {
        return Err(format!("a rule has at most {MAX_EXAMPLES} examples"));
    }
    draft.examples.push(example);
    Ok(())
}

fn quiet(from: &Dynamic, until: &Dynamic) -> Result<QuietHours, String> {
    let minute = |value: &Dynamic| Policy::minute_of_day(&text(value, "a time of day such as \"20:00\"")?);
    Ok(QuietHours { from_minute: minute(from)?, until_minute: minute(until)? })
}

fn goal(event: &Dynamic, window: &Dynamic) -> Result<Goal, String> {
    let event = text(event, "\"order\"")?;
    if event != "order" {
        return Err(format!("'{event}' is no goal: the only goal there is is \"order\""));
    }
    Ok(Goal { event, window_days: days(window)? })
}

fn limit(limits: &mut RuleLimits, most: &Dynamic, per: &Dynamic) -> Result<(), String> {
    const WORDS: &str = "\"hour\" or \"day\"";
    let word = text(per, WORDS)?;
    let place = match word.as_str() {
        "hour" => &mut limits.messages_per_hour,
        "day" => &mut limits.messages_per_day,
        _ => return Err(expected(WORDS, per)),
    };
    if place.replace(whole(most, 1, MAX_MESSAGES)?).is_some() {
        return Err(format!("the limit per {word} is said twice"));
    }
    Ok(())
}

fn budget(most: &Dynamic, per: &Dynamic) -> Result<i64, String> {
    let amount = most.clone().try_cast::<Worth>().and_then(|Worth(worth)| worth.cents());
    let cents = amount.ok_or_else(|| expected("an amount such as eur(150)", most))?;
    match text(per, "\"day\"")?.as_str() {
        "day" => Ok(cents.0),
        _ => Err(expected("\"day\"", per)),
    }
}

/// Teaches an engine the verbs.
pub(super) fn register(engine: &mut Engine) {
    type Context<'a> = NativeCallContext<'a>;
    engine
        .register_type_with_name::<Handle>("Rule")
        .register_fn("rule", |at: Context, name: Dynamic| begin(&at, &name))
        .register_fn("every", |at: Context, rule: Handle, line: Dynamic| {
            say(&at, rule, "every", |draft| {
                let line = text(&line, "a crontab line such as \"0 9 * * *\"")?;
                Crontab::parse(&line).map_err(|fault| fault.to_string())?;
                draft.schedule = Some(line);
                Ok(())
            })
        })
        .register_fn("missed", |at: Context, rule: Handle, word: Dynamic| {
            say(&at, rule, "missed", |draft| missed(&word).map(|policy| draft.missed = policy))
        })
        .register_fn("basis", |at: Context, rule: Handle, word: Dynamic| {
            say(&at, rule, "basis", |draft| {
                let basis = LegalBasis::parse(&text(&word, LegalBasis::WORDS)?);
                draft.basis = Some(basis.ok_or_else(|| expected(LegalBasis::WORDS, &word))?);
                Ok(())
            })
        })
        .register_fn("when", |at: Context, rule: Handle, condition: Dynamic| {
            say(&at, rule, "when", |draft| closure(&at, &condition).map(|bound| draft.condition = Some(bound)))
        })
        .register_fn("cooldown", |at: Context, rule: Handle, span: Dynamic| {
            say(&at, rule, "cooldown", |draft| occasion(draft, Occasion::Cooldown { days: days(&span)? }))
        })
        .register_fn("once_per", |at: Context, rule: Handle, word: Dynamic| say(&at, rule, "once_per", |draft| occasion(draft, once_per(&word)?)))
        .register_fn("variant", |at: Context, rule: Handle, name: Dynamic, weight: Dynamic, action: Dynamic| {
            say(&at, rule, "variant", |draft| {
                variant(draft, text(&name, "a name such as \"A\"")?, whole(&weight, 1, MAX_WEIGHT)?, closure(&at, &action)?)
            })
        })
        .register_fn("send", |at: Context, rule: Handle, action: Dynamic| {
            say(&at, rule, "send", |draft| variant(draft, "A".to_owned(), 100, closure(&at, &action)?))
        })
        .register_fn("control", |at: Context, rule: Handle, percent: Dynamic| {
            say(&at, rule, "control", |draft| whole(&percent, 0, 90).map(|percent| draft.control_percent = percent))
        })
        .register_fn("goal", |at: Context, rule: Handle, event: Dynamic, window: Dynamic| {
            say(&at, rule, "goal", |draft| goal(&event, &window).map(|goal| draft.goal = Some(goal)))
        })
        .register_fn("winner", |at: Context, rule: Handle, after: Dynamic| {
            say(&at, rule, "winner", |draft| days(&after).map(|days| draft.winner = Some(WinnerAfter { days, people: 0 })))
        })
        .register_fn("winner", |at: Context, rule: Handle, after: Dynamic, people: Dynamic| {
            say(&at, rule, "winner", |draft| {
                draft.winner = Some(WinnerAfter { days: days(&after)?, people: whole(&people, 1, MOST_PEOPLE)? });
                Ok(())
            })
        })
        .register_fn("quiet", |at: Context, rule: Handle, from: Dynamic, until: Dynamic| {
            say(&at, rule, "quiet", |draft| quiet(&from, &until).map(|hours| draft.quiet = Some(hours)))
        })
        .register_fn("priority", |at: Context, rule: Handle, number: Dynamic| {
            say(&at, rule, "priority", |draft| whole(&number, -1000, 1000).map(|priority| draft.priority = priority))
        })
        .register_fn("limit", |at: Context, rule: Handle, most: Dynamic, per: Dynamic| {
            say(&at, rule, "limit", |draft| limit(&mut draft.limits, &most, &per))
        })
        .register_fn("budget", |at: Context, rule: Handle, most: Dynamic, per: Dynamic| {
            say(&at, rule, "budget", |draft| budget(&most, &per).map(|cents| draft.limits.voucher_cents_per_day = Some(cents)))
        })
        .register_fn("experiment", |at: Context, rule: Handle, key: Dynamic| {
            say(&at, rule, "experiment", |draft| {
                let key = text(&key, "a text").ok().filter(|key| (1..=100).contains(&key.len()) && !key.chars().any(char::is_control));
                draft.experiment = Some(key.ok_or_else(|| "expected a text of 1 to 100 characters".to_owned())?);
                Ok(())
            })
        })
        .register_fn("example", |at: Context, rule: Handle, name: Dynamic, facts: Dynamic, verdict: Dynamic| {
            let file = at.call_source().map(ToOwned::to_owned);
            say(&at, rule, "example", |draft| {
                let file = file.unwrap_or_else(|| draft.file.clone());
                add_example(draft, example::read(&name, &facts, &verdict, (&file, place(at.call_position())))?)
            })
        });
}
