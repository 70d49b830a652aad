//! The web pages over a socket, of a stage with a simulated clock.

use std::sync::Arc;

use stammgast::flow::reload::Wish;
use stammgast::web::{self, Web, pulse::Pulse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::stage::Stage;

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

    pub fn header(&self, name: &str) -> &str {
        self.head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| *key == name)).map_or("", |(_, value)| value)
    }
}

pub struct Site {
    pub stage: Stage,
    pub base: String,
    /// Where wishes for a reload come in; nobody fulfils them but a test.
    pub wished: Mutex<mpsc::Receiver<Wish>>,
    /// The permit to read files.
    pub reading: Arc<Semaphore>,
    _stop: tokio_util::sync::DropGuard,
}

impl Site {
    pub async fn start(stage: Stage) -> Self {
        let (wishes, wished) = mpsc::channel(1);
        let reading = Arc::new(Semaphore::new(1));
        let web = Web {
            ctx: stage.ctx.clone(),
            in_force: Arc::clone(&stage.in_force),
            pulse: Arc::new(Pulse::default()),
            glance: Arc::default(),
            wishes,
            reading: Arc::clone(&reading),
            metrics: Arc::new(String::new),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(web::server::serve(listener, web::router(web), stop.clone()));
        Self { stage, base, wished: Mutex::new(wished), reading, _stop: stop.drop_guard() }
    }

    /// Sends a request as a mail program does, a POST with the one-click form.
    pub async fn ask(&self, method: &str, url: &str) -> Answer {
        let body = if method == "POST" { "List-Unsubscribe=One-Click" } else { "" };
        self.send(method, url, &["content-type: application/x-www-form-urlencoded"], body).await
    }

    /// Sends a request with these headers and this body.
    pub async fn send(&self, method: &str, url: &str, headers: &[&str], body: &str) -> Answer {
        let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let headers = headers.iter().fold(String::new(), |all, header| all + *header + "\r\n");
        let head = format!("{method} /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {}", body.len());
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
    }
}
