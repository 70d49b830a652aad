//! The status page: the report's own sentences, in the shop's language.

use crate::common::site::Site;
use crate::common::stage::Stage;
use crate::flow::analyse::{RULE, shop};

on_both!(the_page_says_what_the_report_says_in_the_shops_language, |test| {
    shop(test, "", [1, 2, 4]).await;
    for locale in ["de", "en"] {
        let stage = Stage::new(&test.db, "2024-07-11T09:00", RULE, &format!("locale = \"{locale}\""));
        let site = Site::start(stage).await;
        let page = site.ask("GET", &format!("{}/", site.base)).await;
        assert_eq!(page.status, 200);
        let figures = page.body.split_once("<h2>").unwrap().1.replace("</tr>", "</tr>\n").replace("<p", "\n<p");
        insta::assert_snapshot!(format!("figures_{locale}"), figures);
    }
});

on_both!(the_page_says_what_all_campaigns_earn_together, |test| {
    let settings = "margin_percent = 40\n[policy]\nholdout_percent = 10";
    shop(test, settings, [1, 2, 4]).await;
    for locale in ["de", "en"] {
        let stage = Stage::new(&test.db, "2024-08-11T09:00", RULE, &format!("locale = \"{locale}\"\n{settings}"));
        let site = Site::start(stage).await;
        let page = site.ask("GET", &format!("{}/", site.base)).await.body;
        let begin = if locale == "de" { "<h2>Alle Kampagnen" } else { "<h2>All campaigns" };
        let section = page.split_once(begin).unwrap().1.split("<h2>").next().unwrap().replace("</tr>", "</tr>\n").replace("<p", "\n<p");
        insta::assert_snapshot!(format!("together_{locale}"), section);
    }
});
