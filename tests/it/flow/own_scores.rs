//! Own scores: computed with the others, stored, read by rules, narrowed down by the database, refreshed, and computed for the past.

use std::sync::Arc;

use stammgast::base::id::Id;
use stammgast::base::time::DAY_MS;
use stammgast::flow::{backtest, ingest, plan, rescore, why};
use stammgast::model::customer::NewCustomer;
use stammgast::model::facts::Needs;
use stammgast::rules::ScoreSet;
use stammgast::rules::crontab::Crontab;
use stammgast::store::score_runs;

use crate::common::databases::TestDb;
use crate::common::shop::{customers, execute, order};
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::texts;

const RULE: &str = "rule(\"leads\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.score(\"lead\") >= 20).once_per(\"ever\").control(0).send(|c| email(\"thank-you\"));";
/// Ten points an order, one for each day since the last.
const SCORES: &str = "score(\"lead\").number(|c| c.orders * 10 + (c.recency_days ?? 0)); score(\"tier\").text(|c| if c.score(\"lead\") >= 20 { \"hot\" } else { \"cold\" });
    score(\"pause\").number(|c| c.recency_days); score(\"address\").flag(|c| c.has_email);";

async fn stored(test: &TestDb) -> Vec<String> {
    texts(
        &test.db,
        "SELECT c.external_id || ' ' || o.name || ' ' || COALESCE(CAST(o.number_e6 AS TEXT), '-') || ' ' || COALESCE(CAST(o.flag AS TEXT), '-') || ' ' || COALESCE(o.words, '-')
         FROM own_scores o JOIN customers c ON c.id = o.customer_id ORDER BY c.id, o.name",
    )
    .await
}

fn stage(test: &TestDb) -> Stage {
    Stage::new(&test.db, MONDAY_NINE, RULE, "").with_scores(SCORES)
}

on_both!(own_scores_are_stored_with_the_others_for_everybody_and_what_is_unknown_is_not_there, |test| {
    people(&test.db, 1..=1).await;
    customers(&test.db, 2..=2).await;
    let stage = stage(test);
    rescore::all(&stage.ctx, stage.ctx.clock.now()).await.unwrap();
    let first =
        ["1 address - 1 -", "1 lead 71000000 - -", "1 pause 61000000 - -", "1 tier - - hot", "2 address - 0 -", "2 lead 0 - -", "2 tier - - cold"];
    assert_eq!(stored(test).await, first);
    rescore::all(&stage.ctx, stage.ctx.clock.now()).await.unwrap();
    assert_eq!(stored(test).await, first);
    execute(&test.db, "DELETE FROM customers WHERE id = 2".to_owned()).await;
    assert_eq!(stored(test).await.len(), 4, "they go with the customer");
});

on_both!(a_rule_reads_own_scores_and_the_log_says_what_it_saw, |test| {
    people(&test.db, 1..=2).await;
    execute(&test.db, format!("UPDATE orders SET ordered_at = {} WHERE customer_id = 2", 1_719_738_000_000_i64)).await;
    let stage = stage(test);
    let report = stage.tick("leads").await;
    assert_eq!((report.proposed, report.messages), (1, 1));
    assert_eq!(texts(&test.db, "SELECT inputs FROM decisions").await, ["{\"score(\\\"lead\\\")\":71}"]);
    let facts = why::customer(&stage.ctx, "2", Needs::ALL).await.unwrap().unwrap();
    let told = why::why(&stage.ctx, &stage.in_force.get(), "leads", &facts).await.unwrap();
    assert_eq!((told.matched, told.clauses[0].value.to_string()), (false, "11".to_owned()), "the score of the run, which is stored");
});

on_both!(a_rule_that_reads_an_own_score_is_narrowed_down_by_the_database_and_finds_whom_the_interpreter_finds, |test| {
    people(&test.db, 1..=40).await;
    for id in 1..=40 {
        execute(&test.db, format!("UPDATE orders SET ordered_at = ordered_at + {} WHERE customer_id = {id}", (id + 20) * DAY_MS)).await;
    }
    for (condition, expected) in [
        ("c.score(\"pause\") < 10", 9),
        ("c.score(\"pause\") >= 10.5 && c.score(\"tier\") == \"hot\"", 30),
        ("!(c.score(\"pause\") < 10)", 31),
        ("c.score(\"pause\") in [3, 4.5, 7]", 2),
        ("c.score(\"address\") == true", 40),
        ("c.score(\"address\") != true || c.score(\"tier\") != \"cold\"", 31),
        ("(c.score(\"pause\") ?? 1) == 1 || c.score(\"lead\") == ()", 1),
    ] {
        let rule = RULE.replace("c.score(\"lead\") >= 20", condition);
        let stage = Stage::new(&test.db, MONDAY_NINE, &rule, "").with_scores(SCORES);
        rescore::ensure_fresh(&stage.ctx, stage.ctx.clock.now()).await.unwrap();
        let found = plan::plan(&stage.ctx, &stage.in_force.get(), "leads", None).await.unwrap();
        assert_eq!(found.people.len(), expected, "{condition}");
        // The same without stored scores: computed on the way, and nobody is narrowed down.
        let past = stage.ctx.at(stage.ctx.clock.now().plus(1));
        let found = plan::plan(&past, &stage.in_force.get(), "leads", None).await.unwrap();
        assert_eq!(found.people.len(), expected, "{condition}");
    }
});

on_both!(an_order_and_a_changed_record_refresh_the_own_scores_of_their_customer_at_once, |test| {
    people(&test.db, 1..=2).await;
    let stage = stage(test);
    let now = stage.ctx.clock.now();
    rescore::all(&stage.ctx, now).await.unwrap();
    order(&test.db, 100, 1, now.0, 5_000, None, "paid").await;
    let mut tx = test.db.write().await.unwrap();
    assert_eq!(rescore::customers(&stage.ctx, &mut tx, &[Id(1)], now).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let lead = async || stored(test).await.into_iter().filter(|row| row.contains("lead")).collect::<Vec<_>>();
    assert_eq!(lead().await, ["1 lead 20000000 - -", "2 lead 71000000 - -"]);
    // A new customer has a value at once.
    let news = NewCustomer { external_id: "3".to_owned(), ..NewCustomer::default() };
    ingest::customers(&stage.ctx, vec![news]).await.unwrap();
    assert_eq!(lead().await, ["1 lead 20000000 - -", "2 lead 71000000 - -", "3 lead 0 - -"]);
    assert!(!rescore::ensure_fresh(&stage.ctx, now).await.unwrap().recomputed);
});

on_both!(other_formulas_make_the_stored_values_stale_and_faulty_files_leave_them_to_the_next_run, |test| {
    people(&test.db, 1..=1).await;
    let stage = stage(test);
    let now = stage.ctx.clock.now();
    assert!(rescore::ensure_fresh(&stage.ctx, now).await.unwrap().recomputed);
    assert!(!rescore::ensure_fresh(&stage.ctx, now).await.unwrap().recomputed);
    let other = ScoreSet::from_sources(vec![("own.rhai".to_owned(), "score(\"lead\").number(|c| 1);".to_owned())]).unwrap();
    stage.ctx.own.put(Some(Arc::new(other)));
    assert!(rescore::ensure_fresh(&stage.ctx, now).await.unwrap().recomputed);
    assert_eq!(stored(test).await, ["1 lead 1000000 - -"]);
    // An import of a program that cannot read the files.
    stage.ctx.own.put(None);
    order(&test.db, 100, 1, now.0, 5_000, None, "paid").await;
    let mut tx = test.db.write().await.unwrap();
    assert_eq!(rescore::customers(&stage.ctx, &mut tx, &[Id(1)], now).await.unwrap(), 0);
    tx.commit().await.unwrap();
    stage.ctx.own.put(Some(Arc::new(ScoreSet::none())));
    assert!(rescore::ensure_fresh(&stage.ctx, now).await.unwrap().recomputed);
    assert_eq!(stored(test).await, Vec::<String>::new());
});

on_both!(a_replay_computes_own_scores_as_they_were_on_each_day, |test| {
    people(&test.db, 1..=1).await;
    let stage = stage(test);
    rescore::all(&stage.ctx, stage.ctx.clock.now()).await.unwrap();
    let day = |text: &str| text.parse().unwrap();
    let schedule = Crontab::parse("0 9 * * *").unwrap();
    let replay =
        backtest::backtest(&stage.ctx, &stage.in_force.get(), "leads", (day("2024-05-01"), day("2024-05-20")), &schedule, |_, _| {}).await.unwrap();
    // One order on 1 May: ten points and one a day.
    assert_eq!(replay.people.iter().map(|reached| reached.date.to_string()).collect::<Vec<_>>(), ["2024-05-11"]);
    let past = stage.ctx.at(stage.moment("2024-05-11T09:00"));
    let facts = why::customer(&past, "1", Needs::ALL).await.unwrap().unwrap();
    let told = why::why(&past, &stage.in_force.get(), "leads", &facts).await.unwrap();
    assert_eq!((told.matched, told.clauses[0].value.to_string()), (true, "20".to_owned()));
    let (values, tallies) =
        rescore::preview_own(&past, past.clock.now(), &rescore::preview(&past, past.clock.now()).await.unwrap().scores).await.unwrap();
    assert_eq!((values.len(), tallies.len(), values[0].customer.external_id.as_str()), (1, 4, "1"));
});

on_both!(own_scores_are_computed_while_others_write_and_who_changes_meanwhile_is_refreshed, |test| {
    people(&test.db, 1..=3).await;
    let stage = stage(test);
    let now = stage.ctx.clock.now();
    rescore::all(&stage.ctx, now).await.unwrap();
    let run = rescore::Run::begin(&stage.ctx, now).await.unwrap();
    // Somebody else writes for as long as the run computes; on SQLite there is one that may.
    let writer = test.db.write().await.unwrap();
    let computed = run.compute().await.unwrap();
    writer.commit().await.unwrap();
    // An order and a new customer arrive after that; so does the end of the only order of somebody, whose pause is unknown then.
    order(&test.db, 100, 1, now.0, 5_000, None, "paid").await;
    execute(&test.db, "UPDATE orders SET status = 'cancelled' WHERE customer_id = 2".to_owned()).await;
    let mut tx = test.db.write().await.unwrap();
    assert_eq!(rescore::customers(&stage.ctx, &mut tx, &[Id(1), Id(2)], now).await.unwrap(), 1);
    tx.commit().await.unwrap();
    ingest::customers(&stage.ctx, vec![NewCustomer { external_id: "4".to_owned(), ..NewCustomer::default() }]).await.unwrap();
    let before = stored(test).await;
    assert!(computed.store().await.unwrap().is_some());
    assert!(!rescore::ensure_fresh(&stage.ctx, now).await.unwrap().recomputed, "nothing is left to do");
    let after = stored(test).await;
    assert_eq!(after, before);
    assert!(after.contains(&"1 lead 20000000 - -".to_owned()) && after.contains(&"4 lead 0 - -".to_owned()), "{after:?}");
    assert!(!after.iter().any(|row| row.starts_with("2 pause")), "{after:?}");
    rescore::all(&stage.ctx, now).await.unwrap();
    assert_eq!(stored(test).await, after, "the same as computed from the beginning");
});

on_both!(a_run_stores_nothing_when_facts_of_many_have_changed_or_another_run_was_faster, |test| {
    people(&test.db, 1..=2).await;
    let stage = stage(test);
    let now = stage.ctx.clock.now();
    // The first run of a shop: an order that arrives has no borders to be placed by before the run ends.
    let first = rescore::Run::begin(&stage.ctx, now).await.unwrap().compute().await.unwrap();
    order(&test.db, 100, 1, now.0, 5_000, None, "paid").await;
    let mut tx = test.db.write().await.unwrap();
    assert_eq!(rescore::customers(&stage.ctx, &mut tx, &[Id(1)], now).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert!(first.store().await.unwrap().is_some());
    let with_the_order = stored(test).await;
    rescore::all(&stage.ctx, now).await.unwrap();
    assert_eq!(stored(test).await, with_the_order);
    let slow = rescore::Run::begin(&stage.ctx, now).await.unwrap().compute().await.unwrap();
    rescore::all(&stage.ctx, now).await.unwrap();
    let faster = stored(test).await;
    assert!(slow.store().await.unwrap().is_none());
    assert_eq!(stored(test).await, faster);
    // A large import marks the scores as stale with each batch: in the end the run keeps it waiting.
    let bulk = rescore::Run::begin(&stage.ctx, now).await.unwrap().compute().await.unwrap();
    let mut tx = test.db.write().await.unwrap();
    score_runs::mark_stale(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(bulk.store().await.unwrap().is_none());
    // So does a run that died long ago and left more on the list than a run refreshes by itself.
    rescore::Run::begin(&stage.ctx, now).await.unwrap();
    let mut tx = test.db.write().await.unwrap();
    score_runs::note(&mut tx, &(1..=1_001).map(Id).collect::<Vec<_>>(), false).await.unwrap();
    tx.commit().await.unwrap();
    let long = rescore::Run::begin(&stage.ctx, now).await.unwrap().compute().await.unwrap();
    assert!(long.store().await.unwrap().is_none());
    assert!(rescore::Run::begin(&stage.ctx, now).await.unwrap().compute().await.unwrap().store().await.unwrap().is_some());
    let alone = rescore::Run::begin_alone(&stage.ctx, now).await.unwrap().compute().await.unwrap();
    assert!(alone.store().await.unwrap().is_some());
    score_runs::mark_stale(&mut test.db.write().await.unwrap()).await.unwrap();
    assert!(!rescore::ensure_fresh(&stage.ctx, now).await.unwrap().recomputed, "what is not committed marks nothing");
    execute(&test.db, "UPDATE score_runs SET stale = 1".to_owned()).await;
    assert!(rescore::ensure_fresh(&stage.ctx, now).await.unwrap().recomputed);
    assert_eq!(stored(test).await, faster);
});
