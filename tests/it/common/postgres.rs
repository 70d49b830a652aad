//! A private PostgreSQL cluster for this test process, made from the installed binaries and dropped when the process ends, however it ends.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The user that the server runs as when the tests run as root, which PostgreSQL refuses: `nobody`.
const NOBODY: u32 = 65_534;

pub struct Cluster {
    port: u16,
    bin: PathBuf,
    folder: PathBuf,
    root: bool,
}

impl Cluster {
    pub fn url(&self, database: &str) -> String {
        format!("postgres://stammgast@127.0.0.1:{}/{database}", self.port)
    }

    /// A cluster for one test, which may stop it.
    pub fn own() -> Self {
        start()
    }

    /// Stops the server as a crash does: at once, without goodbye.
    pub fn crash(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    /// Starts the server (again) and waits until it answers.
    pub fn start(&self) {
        let options =
            format!("-p {} -h 127.0.0.1 -k {} -c max_connections=200 -c fsync=off -c shared_buffers=64MB", self.port, self.folder.display());
        self.control(&["-t", "60", "-l", self.folder.join("log").to_str().expect("a UTF-8 path"), "-o", &options, "start"]);
    }

    fn control(&self, arguments: &[&str]) {
        self.run("pg_ctl", &[&["-w", "-D", self.data().to_str().expect("a UTF-8 path")], arguments].concat());
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.bin.join(program));
        command.args(arguments).current_dir(&self.folder).stdout(Stdio::null()).stderr(Stdio::piped());
        if self.root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
        assert!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The cluster of this process; started at the first call.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(start)
}

fn start() -> Cluster {
    let bin = binaries();
    let folder = tempfile::Builder::new().prefix("stammgast-pg-").tempdir().expect("a temporary folder").keep();
    let root = effective_uid() == 0;
    if root {
        chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
    }
    let cluster = Cluster { port: free_port(), bin, folder, root };
    let data = cluster.data();
    let data = data.to_str().expect("a UTF-8 path");
    cluster.run("initdb", &["-D", data, "-U", "stammgast", "-A", "trust", "--locale=C", "--encoding=UTF8", "--no-sync"]);
    stop_with_this_process(&cluster.bin, &cluster.folder, root);
    cluster.start();
    cluster
}

/// A shell that waits until our end of its pipe closes (we ended, by whatever way), then stops the server and removes the folder.
fn stop_with_this_process(bin: &Path, folder: &Path, root: bool) {
    let script = format!("cat >/dev/null; {0}/pg_ctl -D {1}/data -m immediate stop >/dev/null 2>&1; rm -rf {1}", bin.display(), folder.display());
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    if root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let child = command.spawn().expect("a shell");
    // Kept open on purpose for as long as this process lives.
    std::mem::forget(child);
}

fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").is_file()).collect();
    found.sort();
    found.pop().expect("PostgreSQL's server is not installed; script/test installs it, or: apt-get install -y postgresql")
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn effective_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").expect("Linux").uid()
}
