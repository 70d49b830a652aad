//! Scenarios over days: cooldowns, birthdays, quiet hours, changes of the clocks, and what is told where something differs.

use std::fmt::Write as _;

use stammgast::base::time::UnixMs;
use stammgast::flow::ingest;
use stammgast::flow::verify::scenarios::{self, Played};
use stammgast::intake::{Options, scenario};
use stammgast::model::scenario::Scenario;

use crate::common::databases::sqlite;
use crate::common::shop::execute;
use crate::common::smtp::SmtpSink;
use crate::common::stage::{MONDAY_NINE, Stage, to_sink};
use crate::store::texts;

async fn stage(rules: &str, settings: &str) -> Stage {
    // The stage's own database is not used: a scenario has one in memory.
    Stage::new(&sqlite().await.db, MONDAY_NINE, rules, settings)
}

fn read(stage: &Stage, text: &str) -> Scenario {
    let shop = &stage.ctx.config.shop;
    let options = Options {
        zone: shop.zone(),
        currency: shop.currency,
        date_order: None,
        source: None,
        data_at: stage.ctx.clock.now(),
        now: stage.ctx.clock.now(),
    };
    scenario::read("s.toml", "s", text, &options, &ingest::attributes(&stage.ctx.config)).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

async fn play(rules: &str, settings: &str, text: &str) -> Played {
    let stage = stage(rules, settings).await;
    let (scenario, campaign) = (read(&stage, text), stage.in_force.get());
    assert_eq!(scenarios::faults(&stage.ctx.config, &campaign, &scenario), []);
    scenarios::play(&stage.ctx.config, &campaign, &scenario).await.unwrap()
}

async fn faults(rules: &str, text: &str) -> Vec<String> {
    let stage = stage(rules, "").await;
    scenarios::faults(&stage.ctx.config, &stage.in_force.get(), &read(&stage, text)).iter().map(ToString::to_string).collect()
}

/// What is not the same, and how.
fn differences(played: &Played) -> Vec<String> {
    let differs = played.lines.iter().filter(|line| line.outcome != "same");
    differs.map(|line| format!("{}: {}", line.outcome, line.text)).collect()
}

/// People who all agreed in 2020, with days of orders.
fn shop(people: &[(&str, &str, &[&str])]) -> String {
    let mut text = String::new();
    for (id, more, orders) in people {
        let _ = write!(text, "\n[[customers]]\ncustomer_id = \"{id}\"\nconsent = \"double_opt_in\"\nconsent_at = 2020-01-01\n{more}\n");
        for day in *orders {
            let _ = write!(text, "\n[[orders]]\ncustomer_id = \"{id}\"\nordered_at = \"{day}\"\nrevenue = 19.98\n");
        }
    }
    text
}

fn rule(name: &str, cron: &str, condition: &str, more: &str) -> String {
    format!("rule(\"{name}\").every(\"{cron}\").basis(\"consent\").when(|c| {condition}){more}.send(|c| email(\"win-back-plain\"));\n")
}

async fn expect_well(rules: &str, settings: &str, text: &str) {
    let played = play(rules, settings, text).await;
    assert!(played.passed, "{:#?}", differences(&played));
}

#[tokio::test]
async fn a_cooldown_lasts_its_days_and_an_order_begins_the_wait_anew() {
    let rules = rule("back", "0 9 * * *", "c.recency_days >= 3", ".cooldown(days(5))");
    let days = "from = 2024-05-01\nuntil = 2024-05-19\n";
    let expect = "expect = [\"2024-05-04 a back send\", \"2024-05-05 a back cooldown\", \"2024-05-09 a back send\", \"2024-05-15 a back send\"]\n";
    let people = shop(&[("a", "", &["2024-05-01", "2024-05-12T23:59"])]);
    expect_well(&rules, "", &format!("{days}{expect}{people}")).await;
}

#[tokio::test]
async fn a_leap_day_birthday_is_met_on_the_first_of_march_in_common_years_and_once_a_year() {
    let rules = rule("birthday", "0 8 * * *", "c.birthday_in_days == 0", ".once_per(\"year\")");
    let expect = "from = 2025-02-01\nuntil = 2026-03-31\nexpect = [\"2025-03-01 leap birthday send\", \"2026-03-01 leap birthday send\", \"2025-12-31 eve birthday send\"]\n";
    let people = shop(&[
        ("leap", "birthday = 2000-02-29", &["2024-05-01"]),
        ("eve", "birthday = 1990-12-31", &["2024-05-01"]),
        ("nobody-knows", "", &["2024-05-01"]),
    ]);
    expect_well(&rules, "", &format!("{expect}{people}")).await;
}

#[tokio::test]
async fn a_run_in_the_gap_of_spring_happens_right_after_it_and_in_the_fold_of_autumn_once() {
    let rules = rule("gap", "30 2 * * *", "c.orders >= 1", ".once_per(\"day\")");
    for (from, until, days) in [
        ("2024-03-30", "2024-04-01", ["2024-03-30", "2024-03-31", "2024-04-01"]),
        ("2024-10-26", "2024-10-28", ["2024-10-26", "2024-10-27", "2024-10-28"]),
    ] {
        let lines = days.map(|day| format!("\"{day} a gap send leaves {day}T08:00\"")).join(", ");
        let settings = "[policy]\ncap_days = 0\n";
        let played =
            play(&rules, settings, &format!("from = {from}\nuntil = {until}\nexpect = [{lines}]\n{}", shop(&[("a", "", &["2024-01-01"])]))).await;
        assert!(played.passed && played.runs == 3, "{:#?}", differences(&played));
    }
}

#[tokio::test]
async fn quiet_hours_put_the_message_off_and_a_scenario_may_say_until_when() {
    let rules = rule("late", "30 22 * * *", "c.recency_days == 2", ".once_per(\"order\")");
    let people = shop(&[("a", "", &["2024-03-28T10:00"])]);
    let text = |line: &str| format!("from = 2024-03-28\nuntil = 2024-04-01\nexpect = [\"{line}\"]\n{people}");
    expect_well(&rules, "", &text("2024-03-30 a late send")).await;
    // The night in which the clocks are put forward.
    expect_well(&rules, "", &text("2024-03-30 a late send leaves 2024-03-31T08:00")).await;
    let played = play(&rules, "", &text("2024-03-30 a late send leaves 2024-03-31T09:00")).await;
    assert_eq!(
        differences(&played),
        ["missing: 2024-03-30 a late send leaves 2024-03-31T09:00", "unexpected: 2024-03-30 a late send leaves 2024-03-31T08:00"]
    );
}

#[tokio::test]
async fn rules_share_the_cap_and_the_one_of_higher_priority_is_first() {
    let rules =
        [rule("low", "0 9 * * *", "true", ".cooldown(days(1))"), rule("high", "0 9 * * *", "true", ".cooldown(days(1)).priority(5)")].concat();
    let expect = "from = 2024-05-01\nuntil = 2024-05-02\nexpect = [\"2024-05-01 a high send\", \"2024-05-01 a low send\", \"2024-05-02 a high send\", \"2024-05-02 a low frequency_cap\"]\n";
    expect_well(&rules, "", &format!("{expect}{}", shop(&[("a", "", &[])]))).await;
    // Named alone, the other does not run, and takes nothing of the cap.
    let alone = "rules = [\"low\"]\nfrom = 2024-05-01\nuntil = 2024-05-03\nexpect = [\"2024-05-01 a low send\", \"2024-05-02 a low send\", \"2024-05-03 a low send\"]\n";
    expect_well(&rules, "", &format!("{alone}{}", shop(&[("a", "", &[])]))).await;
}

#[tokio::test]
async fn what_customers_say_and_addresses_that_bounce_count_from_their_day_on() {
    let rules = rule("daily", "0 9 * * *", "true", ".once_per(\"day\")");
    let expect = "from = 2024-05-01\nuntil = 2024-05-03\nexpect = [
        \"2024-05-01 bounces daily send\", \"2024-05-02 bounces daily suppressed\", \"2024-05-01 objects daily send\", \"2024-05-02 objects daily objected\",
        \"2024-05-01 agrees daily no_basis\", \"2024-05-02 agrees daily send\", \"2024-05-03 agrees daily send\", \"2024-05-03 no-address daily no_address\"]
        [[consents]]\ncustomer_id = \"objects\"\nconsent = \"objected\"\nconsent_at = \"2024-05-01T20:00\"
        [[customers]]\ncustomer_id = \"agrees\"\n[[consents]]\ncustomer_id = \"agrees\"\nconsent = \"double_opt_in\"\nconsent_at = 2024-05-02\n";
    let people = shop(&[("bounces", "suppressed_at = 2024-05-02", &[]), ("objects", "", &[]), ("no-address", "email = \"\"", &[])]);
    expect_well(&rules, "", &format!("{expect}{people}")).await;
}

#[tokio::test]
async fn own_facts_and_the_history_are_those_of_the_scenario() {
    let rules = rule(
        "r",
        "0 9 * * *",
        "c.attr(\"city\") == \"Bonn\" && c.bought_category(\"cake\", days(3)) && c.emails_of(\"r\", days(2)) == 0 && (c.nps ?? 10) > 6",
        ".cooldown(days(1))",
    );
    let more = "[[orders]]\ncustomer_id = \"a\"\nordered_at = 2024-05-01\nlines = [{ category = \"cake\", total = 5 }]
        [[orders]]\ncustomer_id = \"b\"\nordered_at = 2024-05-01\nlines = [{ category = \"cake\", total = 5 }]
        [[orders]]\ncustomer_id = \"c\"\nordered_at = 2024-05-01\nlines = [{ category = \"cake\", total = 5 }]
        [[events]]\ncustomer_id = \"c\"\nkind = \"nps\"\nvalue = 3\nat = 2024-05-02\n";
    let expect = "from = 2024-05-01\nuntil = 2024-05-09\nexpect = [\"2024-05-01 a r send\", \"2024-05-03 a r send\", \"2024-05-01 c r send\"]\n";
    let text = format!("{expect}{}{more}", shop(&[("a", "city = \"Bonn\"", &[]), ("b", "city = \"Ulm\"", &[]), ("c", "city = \"Bonn\"", &[])]));
    expect_well(&rules, "[attributes]\ncity = \"text\"\n", &text).await;
}

#[tokio::test]
async fn held_out_people_count_as_reached_and_nobody_means_nobody() {
    let rules = "rule(\"r\").every(\"0 9 * * 1\").basis(\"consent\").when(|c| c.orders >= 2).control(50).send(|c| email(\"win-back-plain\"));";
    let people: Vec<String> = (1..=20).map(|id| format!("p{id}")).collect();
    let rows: Vec<(&str, &str, &[&str])> = people.iter().map(|id| (id.as_str(), "", &["2024-01-01", "2024-01-02"][..])).collect();
    let lines: Vec<String> = people.iter().map(|id| format!("\"2024-05-06 {id} r send\"")).collect();
    let days = "from = 2024-05-01\nuntil = 2024-05-15\n";
    expect_well(rules, "", &format!("{days}expect = [{}]\n{}", lines.join(", "), shop(&rows))).await;
    expect_well(rules, "", &format!("{days}expect = \"nobody\"\n{}", shop(&[("a", "", &["2024-01-01"])]))).await;
    let played = play(rules, "", &format!("{days}expect = \"nobody\"\n{}", shop(&rows))).await;
    let (sent, held_out): (Vec<String>, Vec<String>) = differences(&played).into_iter().partition(|line| line.ends_with(" send"));
    assert!(sent.len() + held_out.len() == 20 && sent.len() > 3 && held_out.len() > 3 && held_out[0].ends_with(" send (held out)"), "{held_out:?}");
}

#[tokio::test]
async fn a_difference_is_explained_in_the_words_of_why() {
    let rules = rule("back", "0 9 * * 1", "c.recency_days >= 3 && c.orders >= 2", ".cooldown(days(9))");
    let expect =
        "from = 2024-05-01\nuntil = 2024-05-15\nexpect = [\"2024-05-07 a back send\", \"2024-05-13 a back send\", \"2024-05-06 b back send\"]\n";
    let played = play(&rules, "", &format!("{expect}{}", shop(&[("a", "", &["2024-01-01", "2024-01-02"]), ("b", "", &["2024-01-01"])]))).await;
    let told: Vec<String> = played
        .lines
        .iter()
        .map(|line| {
            let why = line.why.iter().flat_map(|why| {
                let clauses = why.clauses.iter().map(|clause| format!("{} {:?}", clause.text, clause.result));
                clauses.chain(why.gates.iter().filter(|gate| !gate.passed).map(|gate| format!("stops: {}", gate.gate)))
            });
            format!(
                "{} (line {}) {}: {}; {}",
                line.outcome,
                line.line,
                line.text,
                line.sentence.as_deref().unwrap_or("-"),
                why.collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    unexpected (line 0) 2024-05-06 a back send: -; c.recency_days >= 3 Some(true), c.orders >= 2 Some(true)
    missing (line 3) 2024-05-06 b back send: -; c.recency_days >= 3 Some(true), c.orders >= 2 Some(false)
    missing (line 3) 2024-05-07 a back send: back does not run on 2024-05-07: its next run is 2024-05-13T09:00:00+02:00; 
    missing (line 3) 2024-05-13 a back send: -; c.recency_days >= 3 Some(true), c.orders >= 2 Some(true), stops: cooldown
    ");
}

#[tokio::test]
async fn a_rule_that_fails_for_somebody_is_a_difference_unless_it_is_expected() {
    let rules = rule("fails", "0 9 * * 1", "c.tags[0] == \"a\" && c.orders >= 0", "");
    let text =
        |expect: &str| format!("from = 2024-05-01\nuntil = 2024-05-07\nexpect = {expect}\n{}", shop(&[("a", "", &[]), ("b", "tags = [\"a\"]", &[])]));
    let played = play(&rules, "", &text("[\"2024-05-06 b fails send\"]")).await;
    assert_eq!(differences(&played), ["unexpected: 2024-05-06 a fails rule_failed"]);
    assert!(played.lines[0].sentence.as_ref().unwrap().contains("test.rhai"), "{played:#?}");
    expect_well(&rules, "", &text("[\"2024-05-06 b fails send\", \"2024-05-06 a fails rule_failed\"]")).await;
}

on_both!(a_scenario_plays_what_the_daemon_does_on_the_same_days, |test| {
    let rules = [
        rule("late", "30 22 * * *", "c.recency_days >= 2 && c.r <= 4", ".cooldown(days(3)).control(30)"),
        rule("weekly", "0 10 * * 1", "c.orders >= 2 || c.abc == \"A\"", ".once_per(\"week\").priority(3)"),
    ]
    .concat();
    let days: Vec<String> = (0..40).map(|n| format!("2024-05-{:02}T{:02}:15", 1 + n * 7 % 28, n % 24)).collect();
    let ids: Vec<String> = (0..12).map(|n| format!("p{n}")).collect();
    let orders: Vec<Vec<&str>> = (0..12).map(|n| days.iter().skip(n * 3).take(1 + n % 4).map(String::as_str).collect()).collect();
    let more = |n: usize| if n == 4 { "suppressed_at = \"2024-05-20T12:00\"" } else { "" };
    let people: Vec<(&str, &str, &[&str])> = (0..12).map(|n| (ids[n].as_str(), more(n), orders[n].as_slice())).collect();
    let objects = "[[consents]]\ncustomer_id = \"p2\"\nconsent = \"objected\"\nconsent_at = \"2024-05-18T12:00\"\n";
    let text = format!("from = 2024-05-13\nuntil = 2024-06-02\nexpect = \"nobody\"\n{}\n{objects}", shop(&people));
    let sink = SmtpSink::start().await;
    let stage = Stage::new(&test.db, "2024-05-13T00:00", &rules, &to_sink(&sink));
    let (scenario, campaign) = (read(&stage, &text), stage.in_force.get());
    let played = scenarios::play(&stage.ctx.config, &campaign, &scenario).await.unwrap();
    // The daemon: looks every half hour, sends what is due.
    ingest::customers(&stage.ctx, scenario.customers.clone()).await.unwrap();
    ingest::orders(&stage.ctx, scenario.orders.clone()).await.unwrap();
    for date in scenario.from.iter_days().take_while(|date| *date <= scenario.until) {
        for minute in (0..24 * 60).step_by(30) {
            stage.set(&format!("{date}T{:02}:{:02}", minute / 60, minute % 60));
            if date.to_string() == "2024-05-20" && minute == 12 * 60 {
                let key = scenario.customers[4].email.as_ref().unwrap().as_ref().unwrap().key();
                execute(&test.db, format!("INSERT INTO suppressions (email_key, reason, at) VALUES ('{key}', 'test', 0)")).await;
            }
            stage.run_due().await;
            stage.drain().await;
        }
    }
    let log = texts(
        &test.db,
        "SELECT CAST(d.tick_at AS TEXT) || ' ' || c.external_id || ' ' || d.rule || ' send' || CASE WHEN d.variant IS NULL THEN ' (held out)' ELSE '' END
         FROM decisions d JOIN customers c ON c.id = d.customer_id WHERE d.slot = 'arm'",
    )
    .await;
    let dated = |row: &String| {
        let (at, rest) = row.split_once(' ').unwrap();
        format!("{} {rest}", stage.ctx.config.shop.zone().date(UnixMs(at.parse().unwrap())))
    };
    let mut real: Vec<String> = log.iter().map(dated).collect();
    let leaves = |text: &str| text.split(" leaves ").next().unwrap_or_default().to_owned();
    let mut told: Vec<String> = played.lines.iter().map(|line| leaves(&line.text)).collect();
    real.sort();
    told.sort();
    assert_eq!(told, real);
    assert!(told.len() > 20 && told.iter().any(|line| line.contains("held out")), "{told:#?}");
});

/// A template that greets by the first letter of the given name, which not everybody has told.
const INITIAL: &str = "Subject: Hello {{ customer.first_name }}\nKind: transactional\n\nDear {{ customer.first_name|list|first|upper }}.,\nsee you\nsoon!\n{{ shop.imprint }}\n";

async fn play_with(template: &str, rules: &str, text: &str) -> Played {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("letter")).unwrap();
    std::fs::write(folder.path().join("letter/en.txt"), template).unwrap();
    let stage = Stage::with_templates(&sqlite().await.db, MONDAY_NINE, rules, "locale = \"en\"", folder.path());
    let (scenario, campaign) = (read(&stage, text), stage.in_force.get());
    assert_eq!(scenarios::faults(&stage.ctx.config, &campaign, &scenario), []);
    scenarios::play(&stage.ctx.config, &campaign, &scenario).await.unwrap()
}

const LETTER: &str =
    "rule(\"letter\").every(\"0 9 * * *\").basis(\"contract\").when(|c| c.recency_days == 2).once_per(\"order\").send(|c| email(\"letter\"));\n";

#[tokio::test]
async fn a_mail_that_cannot_be_made_for_somebody_fails_the_scenario_with_the_templates_own_words() {
    let people = shop(&[("a", "first_name = \"Anna\"", &["2024-05-01"]), ("b", "", &["2024-05-02"]), ("c", "", &["2024-05-03"])]);
    let text =
        format!("from = 2024-05-01\nuntil = 2024-05-10\nexpect = [\n\"2024-05-03 a letter send\",\n\"2024-05-04 b letter send\",\n]\n{people}");
    let played = play_with(INITIAL, LETTER, &text).await;
    assert!(!played.passed);
    let lines: Vec<_> = played.lines.iter().map(|line| (line.outcome, line.text.as_str(), line.line, line.sentence.as_deref())).collect();
    let fault = Some("the mail cannot be made from template 'letter': letter/en.txt:4: a variable is missing");
    assert_eq!(
        lines,
        [
            ("same", "2024-05-03 a letter send", 4, None),
            ("mail", "2024-05-04 b letter send", 5, fault),
            ("unexpected", "2024-05-05 c letter send", 0, fault),
        ]
    );
    assert_eq!(played.lines[0].mail.as_ref().map(|mail| mail.subject.as_str()), Some("Hello Anna"));
}

#[tokio::test]
async fn a_scenario_may_expect_what_a_mail_says() {
    let people = shop(&[("a", "first_name = \"Anna\"", &["2024-05-01"])]);
    let played = async |line: &str| {
        let text = format!("from = 2024-05-01\nuntil = 2024-05-10\nexpect = [\"2024-05-03 a letter send{line}\"]\n{people}");
        play_with(INITIAL, LETTER, &text).await
    };
    for line in ["", " says Hello Anna", " says see you soon!", " says Dear A. says Zuckerstadt says Hello"] {
        assert!(played(line).await.passed, "{line}");
    }
    let wrong = played(" says Dear A. says Dear Anna").await;
    assert_eq!(
        (wrong.passed, wrong.lines[0].outcome, wrong.lines[0].text.as_str()),
        (false, "mail", "2024-05-03 a letter send says Dear A. says Dear Anna")
    );
    let sentence = wrong.lines[0].sentence.as_deref().unwrap();
    assert!(
        sentence.starts_with("the mail does not say \"Dear Anna\"; its subject is \"Hello Anna\", its text:\nDear A.,\nsee you\nsoon!"),
        "{sentence}"
    );
}

#[tokio::test]
async fn who_is_held_out_gets_no_mail_that_could_say_anything() {
    let rules = rule("most", "0 9 * * *", "c.recency_days == 2", ".once_per(\"order\").control(50)");
    let ids: Vec<String> = (1..=20).map(|number| format!("k{number}")).collect();
    let people: Vec<(&str, &str, &[&str])> = ids.iter().map(|id| (id.as_str(), "", &["2024-05-01"][..])).collect();
    let lines = ids.iter().map(|id| format!("\"2024-05-03 {id} most send says Konditorei\"")).collect::<Vec<_>>().join(", ");
    let played = play(&rules, "", &format!("from = 2024-05-01\nuntil = 2024-05-04\nexpect = [{lines}]\n{}", shop(&people))).await;
    let held_out: Vec<_> = played.lines.iter().filter(|line| line.outcome == "mail").collect();
    assert!(!held_out.is_empty() && held_out.len() < 20);
    assert!(held_out.iter().all(|line| line.sentence.as_deref() == Some("there is no mail that could say so: the customer is held out")));
}

#[tokio::test]
async fn what_does_not_fit_the_rules_is_told_with_its_line() {
    let rules = [
        rule("often", "* * * * *", "true", ""),
        rule("daily", "0 9 * * *", "true", ""),
        "rule(\"by-hand\").basis(\"consent\").when(|c| true).send(|c| email(\"win-back-plain\"));".to_owned(),
    ]
    .concat();
    let customers = shop(&[("a", "", &[])]);
    let text = |head: &str| format!("from = 2024-05-01\nuntil = 2024-05-15\n{head}\n{customers}");
    let both = text("rules = [\"dayly\", \"by-hand\"]\nexpect = [\"2024-05-01 a daily send\", \"2024-05-01 a nothing send\"]");
    let often = text("expect = \"nobody\"");
    let told = [faults(&rules, &both).await, faults(&rules, &often).await, faults("", &text("rules = [\"daily\"]\nexpect = \"nobody\"")).await];
    insta::assert_snapshot!(told.concat().join("\n"), @r"
    s.toml:3:10 there is no rule 'dayly': expected one of often, daily, by-hand - did you mean 'daily'?
    s.toml:3:19 rule 'by-hand' never runs by itself: it has no .every(…)
    s.toml:4:11 rule 'daily' does not run in this scenario: 'rules' does not name it
    s.toml:4:38 there is no rule 'nothing': expected one of often, daily, by-hand
    s.toml the rules run more than 5000 times on these days: expected fewer days or rules
    s.toml:3:10 there is no rule 'daily', nor any other
    ");
    assert_eq!(faults(&rules, &text("rules = [\"daily\"]\nexpect = \"nobody\"")).await, Vec::<String>::new());
}
