//! `stammgast facts`: what a rule may read about a customer, for people, as the page docs/rules.md, or as definitions for editors.

use std::fmt::Write as _;

use serde_json::json;

use super::{App, Done};
use crate::model::fact::{ALL, About, Takes};
use crate::rules::words::{Use, WORDS};

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

pub(super) fn run(args: &Args, app: &App) -> Done {
    let word = args.word.as_deref().unwrap_or_default().to_lowercase();
    let wanted = |about: &&About| about.name.contains(&word) || about.meaning.to_lowercase().contains(&word);
    let facts: Vec<&About> = ALL.iter().filter(wanted).collect();
    if app.json {
        let fact = |about: &&About| {
            json!({
                "name": about.name, "form": form(about), "kind": about.kind.word(), "unit": about.unit, "meaning": about.meaning, "example": about.example,
            })
        };
        println!("{}", json!({ "facts": facts.iter().map(fact).collect::<Vec<_>>() }));
    } else if args.markdown {
        print!("{}", markdown(&facts));
    } else if args.definitions {
        print!("{}", definitions(&facts));
    } else {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING).set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
        table.set_header(["fact", "kind", "unit", "meaning", "example"]);
        for about in &facts {
            table.add_row([&form(about), about.kind.word(), about.unit, about.meaning, about.example]);
        }
        println!("{}", table.trim_fmt());
    }
    if facts.is_empty() { Done::WithFaults } else { Done::Well }
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
    page.push_str("\n## Actions and values\n\n| word | gives | meaning |\n| --- | --- | --- |\n");
    for word in WORDS.iter().filter(|word| word.kind == Use::Value) {
        let _ = writeln!(page, "| `{}` | {} | {} |", word.example.replace('|', "\\|"), word.gives.to_lowercase(), word.meaning);
    }
    page
}

/// What the language server of Rhai reads beside scripts.
fn definitions(facts: &[&About]) -> String {
    let mut text = String::from("// The words of Stammgast's rules. Written by `stammgast facts --definitions`.\nmodule static;\n");
    for about in facts {
        let comment = format!("{} ({})\n///\n/// `{}`", about.meaning, about.kind.word(), about.example);
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
    for word in WORDS {
        let receiver = if word.kind == Use::Verb && word.name != "rule" { "rule: Rule, " } else { "" };
        for form in word.forms {
            let (name, gives) = (word.name, word.gives);
            let _ = write!(text, "\n/// {}\n///\n/// `{}`\nfn {name}({receiver}{form}) -> {gives};\n", word.meaning, word.example);
        }
    }
    text
}
