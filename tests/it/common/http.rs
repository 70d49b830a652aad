//! An HTTP receiver in this process: keeps what it gets and answers as the test wants, byte by byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::act::{Act, Over};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Request line and headers.
    pub head: String,
    pub body: String,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }
}

/// A receiver on a free port of this machine; ends with this value.
pub struct HttpReceiver {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: watch::Sender<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for HttpReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HttpReceiver {
    /// Answers every request with this act.
    pub async fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, connections) = (Arc::new(Mutex::new(Vec::new())), watch::Sender::new(0));
        let (kept, counted) = (requests.clone(), connections.clone());
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                counted.send_modify(|count| *count += 1);
                let kept = kept.clone();
                open.spawn(async move { serve(socket, act, &kept).await });
            }
        });
        Self { address, requests, connections, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.connections.borrow()
    }

    /// The number of connections opened so far, for whoever waits for the next one.
    pub fn arrivals(&self) -> watch::Receiver<usize> {
        self.connections.subscribe()
    }
}

async fn serve(mut socket: TcpStream, act: Act, kept: &Mutex<Vec<Request>>) -> Result<(), Over> {
    loop {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if socket.read_buf(&mut bytes).await? == 0 {
                return Err(Over);
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let mut request = Request { head, body: String::new() };
        let length: usize = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        while bytes.len() < head_end + 4 + length {
            if socket.read_buf(&mut bytes).await? == 0 {
                return Err(Over);
            }
        }
        request.body = String::from_utf8_lossy(&bytes[head_end + 4..]).into_owned();
        kept.lock().unwrap().push(request);
        act.perform(&mut socket).await?;
        socket.flush().await?;
    }
}
