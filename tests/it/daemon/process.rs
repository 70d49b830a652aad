//! A shop's folder, and the real program as a child process on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use stammgast::base::clock::Clock;
use stammgast::store::{Db, report};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixDatagram};
use tokio::process::{Child, Command};

use crate::common::shop::{customers, execute, order};

/// Longest wait for anything a child process does; reached only when something is broken.
pub const LIMIT: Duration = Duration::from_secs(40);

/// Looks again and again until there is something to see.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

/// A rule that writes to everybody who ever ordered, once; its schedule comes once a year.
pub const HELLO: &str =
    "rule(\"hello\").every(\"0 4 1 1 *\").basis(\"contract\").when(|c| c.orders >= 1).cooldown(days(300)).send(|c| email(\"thank-you\"));\n";

/// A shop's folder with a configuration, the rule `hello`, one template, and a database.
pub struct Shop {
    pub folder: TempDir,
    pub db: Db,
}

impl Shop {
    /// A shop on a SQLite file of its own.
    pub async fn on_sqlite(people: i64, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/test.db", folder.path().display());
        Self::new(folder, &url, people, settings).await
    }

    pub async fn on_postgres(url: &str, people: i64, settings: &str) -> Self {
        Self::new(tempfile::tempdir().unwrap(), url, people, settings).await
    }

    async fn new(folder: TempDir, url: &str, people: i64, settings: &str) -> Self {
        for name in ["_shared", "thank-you"] {
            let copy = folder.path().join("templates").join(name);
            std::fs::create_dir_all(&copy).unwrap();
            for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(name)).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
            }
        }
        std::fs::create_dir_all(folder.path().join("rules")).unwrap();
        std::fs::create_dir_all(folder.path().join("config")).unwrap();
        let db = Db::open(url, 4).await.unwrap();
        db.migrate().await.unwrap();
        let shop = Self { folder, db };
        shop.rule("hello", HELLO);
        let config = format!(
            "[shop]\nname = \"Testladen\"\nlocale = \"en\"\nimprint = \"Testladen, Weg 1, 01234 Stadt\"\n[database]\nurl = \"{url}\"\n\
             [policy]\nquiet_from = \"00:00\"\nquiet_until = \"00:00\"\n[server]\nlisten = \"127.0.0.1:0\"\n{settings}"
        );
        std::fs::write(shop.path("config/stammgast.toml"), config).unwrap();
        shop.people(people).await;
        shop
    }

    /// Customers with an address and an order of yesterday.
    async fn people(&self, people: i64) {
        if people == 0 {
            return;
        }
        customers(&self.db, 1..=people).await;
        execute(&self.db, "UPDATE customers SET email = 'k' || id || '@kunde.example', email_key = 'k' || id || '@kunde.example'".to_owned()).await;
        let yesterday = Clock::System.now().0 - 86_400_000;
        order(&self.db, 1, 1, yesterday, 1000, None, "paid").await;
        execute(
            &self.db,
            format!(
                "INSERT INTO orders (id, external_id, customer_id, ordered_at, revenue_cents, currency, status, content_hash, updated_at)
                 SELECT id, 'o' || id, id, {yesterday}, 1000, 'EUR', 'paid', 0, 0 FROM customers WHERE id > 1"
            ),
        )
        .await;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file with rules.
    pub fn rule(&self, name: &str, text: &str) {
        std::fs::write(self.path(&format!("rules/{name}.rhai")), text).unwrap();
    }

    /// The program in the shop's folder; systemd sets the watchdog's process id as the shell does here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "WATCHDOG_PID=$$ exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_stammgast")]).args(arguments);
        command.current_dir(self.folder.path()).env("TMPDIR", self.folder.path()).env_remove("STAMMGAST_CONFIG").env_remove("NOTIFY_SOCKET");
        command.kill_on_drop(true).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        tokio::time::timeout(LIMIT, self.command(arguments).output()).await.expect("the command ends").unwrap()
    }

    /// One message for everybody in the outbox.
    pub async fn fill_outbox(&self) {
        let output = self.run(&["run", "hello", "--no-dispatch"]).await;
        assert!(output.status.success(), "{output:?}");
    }

    /// How many messages are in which state.
    pub async fn states(&self) -> BTreeMap<String, i64> {
        report::message_states(&mut self.db.read().await.unwrap()).await.unwrap().into_iter().collect()
    }
}

/// States as [`Shop::states`] gives them.
pub fn states<const N: usize>(expected: [(&str, i64); N]) -> BTreeMap<String, i64> {
    expected.into_iter().map(|(state, count)| (state.to_owned(), count)).collect()
}

/// An answer of the web pages.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// `stammgast serve`, ready; killed with this value.
pub struct Daemon {
    child: Child,
    notify: UnixDatagram,
    pub address: String,
    log: PathBuf,
}

impl Daemon {
    pub async fn start(shop: &Shop) -> Self {
        Self::start_with(shop, &[]).await
    }

    /// With further environment.
    pub async fn start_with(shop: &Shop, environment: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let (socket, log) = (shop.path(&format!("notify-{number}")), shop.path(&format!("log-{number}")));
        let notify = UnixDatagram::bind(&socket).unwrap();
        let mut command = shop.command(&["serve"]);
        command.env("NOTIFY_SOCKET", &socket).envs(environment.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        let mut daemon = Self { child, notify, address: String::new(), log };
        let ready = daemon.hear("READY=1").await;
        let address = ready.lines().find_map(|line| line.strip_prefix("STATUS=listening on "));
        address.unwrap_or_else(|| panic!("no address in {ready:?}")).clone_into(&mut daemon.address);
        daemon
    }

    /// The next message to systemd that begins so; others are passed over.
    pub async fn hear(&mut self, line: &str) -> String {
        let mut bytes = [0; 4096];
        loop {
            let heard = tokio::time::timeout(LIMIT, self.notify.recv(&mut bytes));
            let length = tokio::select! {
                heard = heard => heard.unwrap_or_else(|_| panic!("{line} was not said; log:\n{}", self.log())).unwrap(),
                ended = self.child.wait() => panic!("the daemon ended before {line}: {ended:?}; log:\n{}", self.log()),
            };
            let said = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if said.lines().any(|one| one.starts_with(line)) {
                return said;
            }
        }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().expect("runs").to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Waits for the end; the exit code.
    pub async fn end(&mut self) -> Option<i32> {
        let ended = tokio::time::timeout(LIMIT, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("the daemon does not end; log:\n{}", self.log())).unwrap().code()
    }

    /// SIGTERM, then the end, which has to be a good one.
    pub async fn stop(mut self) {
        self.signal("-TERM");
        assert_eq!(self.end().await, Some(0), "{}", self.log());
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1")).await
    }

    /// A request without a body: its first line and further headers.
    pub async fn send(&self, head: &str) -> Answer {
        let mut line = TcpStream::connect(&self.address).await.unwrap();
        line.write_all(format!("{head}\r\nHost: shop.example\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut text = String::new();
        tokio::time::timeout(LIMIT, line.read_to_string(&mut text)).await.expect("an answer").unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status: {head}"));
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// Waits until `/readyz` has this status.
    pub async fn until_ready_is(&self, status: u16) -> Answer {
        until(&format!("/readyz says {status}; log:\n{}", self.log()), async || {
            Some(self.get("/readyz").await).filter(|answer| answer.status == status)
        })
        .await
    }
}

/// Settings that send mail to a port of this machine.
pub fn relay(port: u16, connections: usize) -> String {
    format!(
        "[mail]\ntransport = \"smtp\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nfrom = \"shop@shop.example\"\nconnections = {connections}\n[daemon]\npoll_s = 1\n"
    )
}
