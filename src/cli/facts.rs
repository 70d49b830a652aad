//! `stammgast facts`: what a rule may read about a customer, for people, as the page docs/rules.md, or as definitions for editors.

use std::fmt::Write as _;

use serde_json::json;

use super::{App, Done};
use crate::model::attribute::AttributeKind;
use crate::model::fact::{ALL, About, Fact, Kind, Takes};
use crate::model::own_score::OwnScore;
use crate::rules::ScoreSet;
use crate::rules::words::{SCORE_WORDS, Use, WORDS};

/// Show what a rule may read about a customer
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast facts\n  stammgast facts order\n  stammgast facts --definitions > rules/stammgast.d.rhai")]
pub(super) struct Args {
    /// Only facts whose name or meaning holds this word
    word: Option<String>,
    /// As a page in Markdown: docs/rules.md
    #[arg(long, conflicts_with = "definitions")]
    markdown: bool,
    /// As a definition file for editors that know Rhai
    #[arg(long)]
    definitions: bool,
}

/// The shop's own scores, where there are a configuration and scores without fault: `check` says what is wrong with them.
fn own_scores(app: &App) -> Vec<OwnScore> {
    let loaded = app.config().ok().and_then(|config| ScoreSet::load(&config.score.path).ok());
    loaded.map(|set| set.scores().into_iter().cloned().collect()).unwrap_or_default()
}

pub(super) fn run(args: &Args, app: &App) -> Done {
    let word = args.word.as_deref().unwrap_or_default().to_lowercase();
    let wanted = |about: &&About| about.name.contains(&word) || about.meaning.to_lowercase().contains(&word);
    let facts: Vec<&About> = ALL.iter().filter(wanted).collect();
    let own = || own_scores(app).into_iter().filter(|score| score.name.contains(&word) || score.meaning.to_lowercase().contains(&word));
    if app.json {
        let fact = |about: &&About| {
            json!({
                "name": about.name, "form": form(about), "kind": about.kind.word(), "unit": about.unit, "meaning": about.meaning, "example": about.example,
            })
        };
        let score = |score: OwnScore| {
            json!({
                "name": score.name, "form": own_form(&score), "kind": own_kind(&score), "unit": score.unit, "meaning": score.meaning, "example": own_example(&score),
            })
        };
        println!("{}", json!({ "facts": facts.iter().map(fact).collect::<Vec<_>>(), "own_scores": own().map(score).collect::<Vec<_>>() }));
    } else if args.markdown {
        print!("{}", markdown(&facts));
    } else if args.definitions {
        print!("{}", definitions(&facts, &own_scores(app)));
    } else {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING).set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
        table.set_header(["fact", "kind", "unit", "meaning", "example"]);
        for about in &facts {
            table.add_row([&form(about), about.kind.word(), about.unit, about.meaning, about.example]);
        }
        for score in own() {
            table.add_row([&own_form(&score), own_kind(&score), &score.unit, &score.meaning, &own_example(&score)]);
        }
        println!("{}", table.trim_fmt());
    }
    if facts.is_empty() && own().next().is_none() { Done::WithFaults } else { Done::Well }
}

fn own_form(score: &OwnScore) -> String {
    format!("c.score(\"{}\")", score.name)
}

/// The word for people.
fn own_kind(score: &OwnScore) -> &'static str {
    match score.kind {
        AttributeKind::Text => Kind::Text.word(),
        AttributeKind::Number => Kind::Decimal.word(),
        AttributeKind::Flag => Kind::Flag.word(),
    }
}

fn own_example(score: &OwnScore) -> String {
    let compared = match score.kind {
        AttributeKind::Text => "== \"…\"",
        AttributeKind::Number => ">= 50",
        AttributeKind::Flag => "== true",
    };
    format!("{} {compared}", own_form(score))
}

/// `c.orders`, `c.orders_in(days)`.
fn form(about: &About) -> String {
    let brackets = match about.takes {
        Takes::Nothing => "",
        Takes::Days => "(days)",
        Takes::Name => "(name)",
        Takes::NameAndDays => "(name) or (name, days)",
    };
    format!("c.{}{brackets}", about.name)
}

/// The page.
fn markdown(facts: &[&About]) -> String {
    let mut page = String::from(
        "<!-- Written by `stammgast facts --markdown`; a test keeps it equal. -->\n\
         # What a rule may read\n\n\
         `c` is the customer: the parameter of the closures in `.when(|c| …)`, `.variant(…)` and `.send(…)`. Figures are as of the run's moment; days are calendar days of\n\
         the shop's time zone. Numbers are exact. A comparison with a missing value is not true; `c.has(\"age\")` asks whether there is one.\n\n\
         A window such as `days(30)` or `weeks(4)` is the last so many calendar days, today included: of whoever ordered before,\n\
         `c.orders_in(days(30)) == 0` says the same as `c.recency_days >= 30`. Without a window everything up to the run's moment counts. Windows are 1 to 3650 whole days.\n",
    );
    for (title, brackets) in [("Without brackets", false), ("With brackets", true)] {
        let _ = write!(page, "\n## {title}\n\n| fact | kind | unit | meaning | example |\n| --- | --- | --- | --- | --- |\n");
        for about in facts.iter().filter(|about| (about.takes != Takes::Nothing) == brackets) {
            let kind = about.kind.word();
            let _ = writeln!(page, "| `{}` | {kind} | {} | {} | `{}` |", form(about), about.unit, about.meaning, about.example);
        }
    }
    page.push_str("\n# The words of a rule\n\n## Verbs\n\n| verb | meaning | without it |\n| --- | --- | --- |\n");
    for word in WORDS.iter().filter(|word| word.kind == Use::Verb) {
        let _ = writeln!(page, "| `{}` | {} | {} |", word.example.replace('|', "\\|"), word.meaning, word.default);
    }
    page.push_str("\n## Verbs of an own score\n\nIn the files of `[score] path` ([Scores](scores.md#own-scores)).\n\n| verb | meaning | without it |\n| --- | --- | --- |\n");
    for word in SCORE_WORDS {
        let _ = writeln!(page, "| `{}` | {} | {} |", word.example.replace('|', "\\|"), word.meaning, word.default);
    }
    page.push_str("\n## Actions and values\n\n| word | gives | meaning |\n| --- | --- | --- |\n");
    for word in WORDS.iter().filter(|word| word.kind == Use::Value) {
        let _ = writeln!(page, "| `{}` | {} | {} |", word.example.replace('|', "\\|"), word.gives.to_lowercase(), word.meaning);
    }
    page
}

/// What the language server of Rhai reads beside scripts.
fn definitions(facts: &[&About], own: &[OwnScore]) -> String {
    let mut text = String::from("// The words of Stammgast's rules. Written by `stammgast facts --definitions`.\nmodule static;\n");
    for about in facts {
        let mut comment = format!("{} ({})\n///\n/// `{}`", about.meaning, about.kind.word(), about.example);
        for score in own.iter().filter(|_| about.fact == Fact::Score) {
            let _ = write!(comment, "\n///\n/// `{}`: {} ({})", own_form(score), score.meaning, own_kind(score));
        }
        let forms: &[&str] = match about.takes {
            Takes::Nothing => &[],
            Takes::Days => &["days: Days"],
            Takes::Name => &["name: String"],
            Takes::NameAndDays => &["name: String", "name: String, days: Days"],
        };
        if forms.is_empty() {
            let _ = write!(text, "\n/// {comment}\nfn get {}(c: Customer) -> ?;\n", about.name);
        }
        for form in forms {
            let _ = write!(text, "\n/// {comment}\nfn {}(c: Customer, {form}) -> ?;\n", about.name);
        }
    }
    for word in WORDS.iter().chain(SCORE_WORDS) {
        let receiver = match (word.kind, word.gives) {
            (Use::Verb, "Rule") if word.name != "rule" => "rule: Rule, ",
            (Use::Verb, "Score") if word.name != "score" => "score: Score, ",
            _ => "",
        };
        for form in word.forms {
            let (name, gives) = (word.name, word.gives);
            let _ = write!(text, "\n/// {}\n///\n/// `{}`\nfn {name}({receiver}{form}) -> {gives};\n", word.meaning, word.example);
        }
    }
    text
}
