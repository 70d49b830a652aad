//! Faults of the configuration, as a user meets them.

use std::path::Path;
use std::process::Command;

/// What `migrate` says with this configuration; it has to fail with 1.
fn refused(folder: &Path, config: &str, environment: &[(&str, &str)]) -> String {
    std::fs::write(folder.join("shop.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.args(["migrate", "--config", "shop.toml"]).current_dir(folder).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
    said
}

#[test]
fn a_fault_names_file_line_and_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    for (config, sentence) in [
        ("[shop]\nnmae = \"x\"\n", "error: shop.toml:2 [shop] nmae: unknown key 'nmae': expected one of name, time_zone, "),
        ("[shpo]\nname = \"x\"\n", "error: shop.toml:1: unknown key 'shpo': expected one of shop, database, "),
        (
            "\n[shop]\ntime_zone = \"Europe/Berlim\"\n",
            "error: shop.toml:3 [shop] time_zone: 'Europe/Berlim' is not a time zone: expected an IANA name",
        ),
        ("[mail]\nport = 70000\n", "error: shop.toml:2 [mail] port: "),
        ("[mail]\ntransport = \"pigeon\"\n", "error: shop.toml:2 [mail] transport: "),
        ("[database]\nurl = \"mysql://localhost/shop\"\n", "error: shop.toml:2 [database] url: is not a database URL: expected sqlite://FILE or"),
        ("[server]\nlisten = \"8080\"\n", "error: shop.toml:2 [server] listen: '8080' is no address: expected e.g. 127.0.0.1:8080"),
        ("[rules]\nwatch_s = 4000\n", "error: shop.toml:2 [rules] watch_s: 4000 is out of range: expected 0 to 3600"),
        (
            "[experiments]\nsmallest_effect_percent = 0\n",
            "error: shop.toml:2 [experiments] smallest_effect_percent: 0 is out of range: expected 1 to 200",
        ),
        ("[shop]\nmargin_percent = 140\n", "error: shop.toml:2 [shop] margin_percent: 140 is out of range: expected 0 to 100; 0: not known"),
        ("[shop]\ncost_per_message = nan\n", "error: shop.toml:2 [shop] cost_per_message: NaN is out of range: expected 0 to 1000 EUR"),
        ("[policy]\nholdout_percent = 51\n", "error: shop.toml:2 [policy] holdout_percent: 51 is out of range: expected 0 to 50"),
        ("[policy]\nholdout_seed = \"\"\n", "error: shop.toml:2 [policy] holdout_seed: expected a text of 1 to 100 characters"),
        ("[daemon]\npoll_s = 0\n", "error: shop.toml:2 [daemon] poll_s: 0 is out of range: expected 1 to 30"),
        ("[mail]\npassword_file = \"no/such/secret\"\n", "no/such/secret: the secret cannot be read: "),
        ("[[webhooks]]\nname = \"crm\"\n", "missing field `url`"),
    ] {
        let said = refused(folder.path(), config, &[]);
        assert!(said.contains(sentence), "{config}{said}should contain\n{sentence}");
    }
}

#[test]
fn a_line_that_is_no_toml_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(folder.path(), "[shop]\nname = \"x\"\nlocale = de\n", &[]);
    assert!(said.starts_with("error: shop.toml") && said.contains("line 3"), "{said}");
}

#[test]
fn a_setting_of_the_environment_is_checked_too() {
    let folder = tempfile::tempdir().unwrap();
    let said = refused(folder.path(), "", &[("STAMMGAST__SHOP__TIME_ZONE", "Mars/Olympus")]);
    assert!(said.contains("[shop] time_zone: 'Mars/Olympus' is not a time zone"), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, environment) in [(&["report", "--config", "none.toml"][..], ""), (&["report"], "none.toml")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
        command.args(arguments).current_dir(folder.path()).env_remove("STAMMGAST_CONFIG");
        if !environment.is_empty() {
            command.env("STAMMGAST_CONFIG", environment);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said, "error: none.toml: no such file; `stammgast init DIR` makes a new shop's folder with one\n");
    }
}

/// What `check` says with this configuration and environment, and its exit code.
fn checked(folder: &Path, config: &str, environment: &[(&str, &str)]) -> (String, Option<i32>) {
    std::fs::write(folder.join("shop.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.args(["check", "--config", "shop.toml"]).current_dir(folder).envs(environment.iter().copied());
    let output = command.output().unwrap();
    (String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(), output.status.code())
}

/// A folder with a rule and its mail.
fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::create_dir_all(folder.path().join("rules")).unwrap();
    std::fs::copy(root.join("rules/thank-you.rhai"), folder.path().join("rules/thank-you.rhai")).unwrap();
    std::os::unix::fs::symlink(root.join("templates"), folder.path().join("templates")).unwrap();
    folder
}

#[test]
fn a_text_of_the_environment_is_taken_as_it_is_and_a_secret_is_never_repeated() {
    let folder = shop();
    for secret in ["12345", "0123", "true", "[a]", "\"abc\"", " abc ", "{a=1}", "1e5"] {
        let environment = [("STAMMGAST__MAIL__PASSWORD", secret), ("STAMMGAST__MAIL__USERNAME", secret)];
        let (said, code) = checked(folder.path(), "", &environment);
        assert_eq!((said.as_str(), code), ("1 rule, all well.\n", Some(0)), "{secret}");
        let token = format!("{secret:->20}");
        let (said, _) = checked(folder.path(), "", &[("STAMMGAST__SERVER__API_TOKEN", &token)]);
        assert!(!said.contains(&token), "{said}");
    }
    let (said, _) = checked(folder.path(), "", &[("STAMMGAST__DAEMON__NAME", " \"abc\" ")]);
    assert!(said.contains("' \"abc\" ' is no name"), "neither quotes nor spaces are taken away: {said}");
    let numbers = [
        ("STAMMGAST__SHOP__NAME", "4711"),
        ("STAMMGAST__MAIL__PORT", "25"),
        ("STAMMGAST__LOG__JSON", "true"),
        ("STAMMGAST__SCORE__WEIGHTS", "[1, 2, 3]"),
    ];
    assert_eq!(checked(folder.path(), "", &numbers).1, Some(0), "numbers, flags and lists are read as before");
    let columns = [("STAMMGAST__IMPORT__CUSTOMERS__EMAIL", "2"), ("STAMMGAST__IMPORT__ORDERS", "{revenue=\"3\"}")];
    assert_eq!(checked(folder.path(), "", &columns).1, Some(0));
    let (said, code) = checked(folder.path(), "", &[("STAMMGAST__MAIL__PORT", "much")]);
    assert!(said.contains("mail.port: invalid type: found string \"much\", expected u16") && code == Some(1), "{said}");
    for config in ["[mail]\npassword = 12345\n", "[server]\napi_token = [\"12345\"]\n", "[mail]\npassword = 12345x\n", "[database]\nurl = 12345\n"] {
        let said = refused(folder.path(), config, &[]);
        assert!(said.contains("shop.toml") && !said.contains("12345"), "{said}");
    }
}

#[test]
fn faults_that_only_show_when_it_is_too_late_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let webhook =
        |name: &str| format!("[[webhooks]]\nname = \"{name}\"\nurl = \"https://crm.example\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n");
    for (config, sentence) in [
        (webhook("crm").repeat(2), "[webhooks] name: 'crm' is the name of two webhooks: expected a name of its own for each"),
        (
            "[log]\nfilter = \"st=ammgast=lala\"\n".to_owned(),
            "error: shop.toml: [log] filter: 'st=ammgast=lala' cannot be read: expected e.g. \"info\"",
        ),
        (
            "[import]\ncustomers = { foo = \"bar\" }\n".to_owned(),
            "error: shop.toml: [import] customers: 'foo' is nothing that customers have: expected one of customer_id, email, ",
        ),
        ("[import]\norders = { birthday = \"x\" }\n".to_owned(), "[import] orders: 'birthday' is nothing that orders have"),
    ] {
        let said = refused(folder.path(), &config, &[]);
        assert!(said.contains(sentence), "{said}should contain\n{sentence}");
    }
    let fine =
        "[attributes]\ncity = \"text\"\n[import]\ncustomers = { city = \"Ort\", email = \"Post\" }\n[log]\nfilter = \"stammgast=debug,info\"\n";
    assert_eq!(checked(shop().path(), fine, &[]).1, Some(0));
}

#[test]
fn what_serve_would_refuse_is_a_fault_for_check_and_an_open_password_a_warning() {
    let folder = shop();
    let webhook =
        |url: &str, more: &str| format!("[[webhooks]]\nname = \"crm\"\nurl = \"{url}\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n{more}");
    for (config, sentence) in [
        ("[mail]\nfrom = \"kaputt\"\n".to_owned(), "shop.toml [mail] from: 'kaputt' is no sender"),
        ("[mail]\nreply_to = \"a@b\\n.example\"\n".to_owned(), "shop.toml [mail] reply_to: "),
        (webhook("https://crm.example", "allow_private = [\"10.0.0.0/33\"]\n"), "shop.toml webhook 'crm': '10.0.0.0/33' is not a network"),
        (webhook("https://169.254.169.254/", ""), "shop.toml webhook 'crm': 169.254.169.254 is in a network that webhooks may not reach"),
        (webhook("https://eva:geheim@crm.example/", ""), "shop.toml webhook 'crm': a user name or password in the URL is not allowed"),
        ("[mail]\ntransport = \"smtp\"\nca_file = \"no/such/file\"\n".to_owned(), "no/such/file"),
    ] {
        let (said, code) = checked(folder.path(), &config, &[]);
        assert!(said.contains(sentence) && said.contains("1 fault.") && code == Some(1), "{said}should contain\n{sentence}");
        assert!(!said.contains("geheim"), "{said}");
    }
    let open = |host: &str| format!("[mail]\ntransport = \"smtp\"\ntls = \"none\"\nhost = \"{host}\"\nusername = \"shop\"\npassword = \"geheim\"\n");
    let (said, code) = checked(folder.path(), &open("relay.example"), &[]);
    assert!(
        said.contains("[mail] tls: \"none\" sends the password to relay.example in the clear") && said.contains("1 warning") && code == Some(0),
        "{said}"
    );
    for here in ["localhost", "127.0.0.1", "::1"] {
        assert_eq!(checked(folder.path(), &open(here), &[]), ("1 rule, all well.\n".to_owned(), Some(0)), "{here}");
    }
}

#[test]
fn the_page_about_the_service_installs_every_folder_that_its_settings_and_rules_need() {
    let read = |file: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (page, folders) = (read("docs/systemd.md"), read("systemd/stammgast.tmpfiles"));
    let settings = page.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    // The secret is there only on the machine of the service.
    let settings: String =
        settings.lines().filter(|line| !line.starts_with("password_file")).map(|line| line.replace("username", "#") + "\n").collect();
    let config = stammgast::config::Config::from_toml(&settings).unwrap();
    for (path, name) in [(&config.rules.path, "rules"), (&config.score.path, "scores"), (&config.templates.path, "templates")] {
        let installed = format!("/etc/stammgast/{name}");
        assert_eq!(path, Path::new(&installed));
        for text in [&page, &read("script/try-systemd")] {
            assert!(text.contains("cp -r rules scores templates /etc/stammgast/") && text.matches(&installed).count() >= 2, "{name}");
        }
        assert!(folders.contains(&format!("d {installed} ")), "{name}");
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_named_with_the_reason_and_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.db"), "no database, only a text that is long enough to be looked at as one".repeat(20)).unwrap();
    std::fs::create_dir(folder.path().join("folder.db")).unwrap();
    // Somebody else's port: bound, and closed before anybody may connect.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("postgres://shop:geheim@127.0.0.1:{port}/kasse");
    let refusal = format!("PostgreSQL at 127.0.0.1:{port}, database 'kasse', user 'shop': Connection refused");
    for (url, sentence) in [
        ("sqlite://notes.db", "notes.db: is no SQLite database: expected one, or no file"),
        ("sqlite://folder.db", "folder.db: cannot be opened for writing: expected a file in a folder that this user may write to"),
        (&nobody, &refusal),
    ] {
        let said = refused(folder.path(), &format!("[database]\nurl = \"{url}\"\n"), &[]);
        assert!(said.contains(sentence) && !said.contains("geheim"), "{said}should contain\n{sentence}");
    }
}

#[tokio::test]
async fn a_database_that_a_server_does_not_have_is_named() {
    let test = crate::common::databases::postgres().await;
    let (server, _) = test.url.rsplit_once('/').unwrap();
    let said = refused(tempfile::tempdir().unwrap().path(), &format!("[database]\nurl = \"{server}/no-such-shop\"\n"), &[]);
    assert!(said.contains("PostgreSQL at ") && said.contains("database 'no-such-shop'") && said.contains("does not exist"), "{said}");
}
