//! SMTP servers in this process: a well-behaved sink that keeps what it gets, and servers that misbehave at one chosen step.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use stammgast::config::Config;
use stammgast::config::mail::Mail;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::act::{Act, Gate, Over};

/// Where in the dialogue a server misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Greeting,
    Ehlo,
    /// The second EHLO in the clear, by which we ask for PIPELINING.
    EhloAgain,
    Starttls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// In the middle of the message: when the first bytes of it have come.
    Body,
    /// After the final dot.
    Dot,
    Quit,
}

/// How the line is protected.
#[derive(Clone)]
pub enum Protection {
    None,
    Starttls(TlsAcceptor),
    Implicit(TlsAcceptor),
}

/// How a server behaves; the default is well.
#[derive(Clone)]
pub struct Manners {
    pub fault: Option<(Step, Act)>,
    pub extensions: &'static [&'static str],
    /// User and password that it wants.
    pub login: Option<(&'static str, &'static str)>,
    pub protection: Protection,
    /// How long it thinks before each right answer.
    pub pause: Duration,
    /// Connections that it takes at the same time.
    pub most: usize,
    /// Where it waits before it refuses a further one.
    pub refusal: Option<&'static Gate>,
    /// Hangs up when a transaction was taken back.
    pub closes_after_rset: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            fault: None,
            extensions: &["8BITMIME", "SMTPUTF8", "PIPELINING"],
            login: None,
            protection: Protection::None,
            pause: Duration::ZERO,
            most: usize::MAX,
            refusal: None,
            closes_after_rset: false,
        }
    }
}

/// A message as the sink got it, without dot-stuffing.
#[derive(Clone, Debug)]
pub struct Received {
    pub from: String,
    pub to: String,
    pub bytes: Vec<u8>,
    /// Whether MAIL came together with DATA.
    pub pipelined: bool,
}

/// A server on a free port of this machine; ends with this value.
pub struct SmtpSink {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: watch::Sender<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SmtpSink {
    /// A well-behaved server without TLS and login.
    pub async fn start() -> Self {
        Self::with(Manners::default()).await
    }

    pub async fn with(manners: Manners) -> Self {
        Self::on(0, manners).await
    }

    /// On a port of the test's choice; 0: any free one.
    #[expect(clippy::unused_async, reason = "needs a runtime, as whoever awaits it has")]
    pub async fn on(port: u16, manners: Manners) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if matches!(manners.fault, Some((Step::Body, _))) {
            // So that a message of some megabytes cannot hide in the socket's buffers.
            socket.set_recv_buffer_size(8192).unwrap();
        }
        socket.set_reuseaddr(true).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        let listener = socket.listen(1024).unwrap();
        let address = listener.local_addr().unwrap();
        let (received, connections) = (Arc::new(Mutex::new(Vec::new())), watch::Sender::new(0));
        let (kept, counted) = (received.clone(), connections.clone());
        let task = tokio::spawn(async move {
            // Connections end with the server: a hanging one would otherwise outlive the test.
            let mut open = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                counted.send_modify(|count| *count += 1);
                socket.set_nodelay(true).unwrap();
                let (manners, kept) = (manners.clone(), kept.clone());
                while open.try_join_next().is_some() {}
                let full = open.len() >= manners.most;
                open.spawn(async move {
                    let mut socket = socket;
                    if full {
                        let words = b"421 4.7.0 too many connections from you\r\n";
                        let act = manners.refusal.map_or(Act::Say(words), |gate| Act::Wait(gate, words));
                        let _ = act.perform(&mut socket).await;
                    } else {
                        serve(Box::new(socket), manners, kept).await;
                    }
                });
            }
        });
        Self { address, received, connections, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has been accepted so far, in order.
    pub fn messages(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        *self.connections.borrow()
    }

    /// The number of connections opened so far, for whoever waits for the next one.
    pub fn arrivals(&self) -> watch::Receiver<usize> {
        self.connections.subscribe()
    }

    /// Mail settings that lead to this server; `more` are further lines of the section.
    pub fn settings(&self, more: &str) -> Mail {
        let toml = format!("[mail]\ntransport = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\nfrom = \"shop@shop.example\"\n", self.address().port());
        let toml = if more.contains("tls =") { format!("{toml}{more}") } else { format!("{toml}tls = \"none\"\n{more}") };
        Config::from_toml(&toml).unwrap().mail
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
type Line = BufReader<Box<dyn Stream>>;

async fn serve(socket: Box<dyn Stream>, manners: Manners, kept: Arc<Mutex<Vec<Received>>>) {
    let socket: Box<dyn Stream> = match &manners.protection {
        Protection::Implicit(acceptor) => match acceptor.accept(socket).await {
            Ok(secured) => Box::new(secured),
            Err(_) => return,
        },
        _ => socket,
    };
    let _ = converse(BufReader::new(socket), &manners, &kept).await;
}

async fn converse(mut line: Line, manners: &Manners, kept: &Mutex<Vec<Received>>) -> Result<(), Over> {
    answer(&mut line, manners, Step::Greeting, b"220 sink.example ESMTP\r\n").await?;
    let (mut from, mut to, mut secured) = (None, None, !matches!(manners.protection, Protection::Starttls(_)));
    let (mut pipelined, mut greeted) = (false, false);
    loop {
        let command = read_command(&mut line).await?;
        let upper = command.to_ascii_uppercase();
        if upper.starts_with("EHLO") {
            let mut lines = vec!["sink.example".to_owned()];
            lines.extend(manners.extensions.iter().map(ToString::to_string));
            if !secured {
                lines.push("STARTTLS".to_owned());
            }
            if manners.login.is_some() && secured {
                lines.push("AUTH LOGIN PLAIN".to_owned());
            }
            let last = lines.pop().unwrap();
            let text: String = lines.iter().map(|line| format!("250-{line}\r\n")).chain([format!("250 {last}\r\n")]).collect();
            answer(&mut line, manners, if greeted { Step::EhloAgain } else { Step::Ehlo }, text.as_bytes()).await?;
            greeted = true;
        } else if upper.starts_with("STARTTLS") {
            answer(&mut line, manners, Step::Starttls, b"220 2.0.0 go ahead\r\n").await?;
            let Protection::Starttls(acceptor) = &manners.protection else { return Err(Over) };
            line = BufReader::new(Box::new(acceptor.accept(line.into_inner()).await?));
            secured = true;
        } else if upper.starts_with("AUTH") {
            let reply = if log_in(&mut line, &command, manners.login).await? { "235 2.7.0 welcome\r\n" } else { "535 5.7.8 wrong\r\n" };
            answer(&mut line, manners, Step::Auth, reply.as_bytes()).await?;
        } else if upper.starts_with("MAIL FROM:") {
            pipelined = line.buffer().ends_with(b"DATA\r\n");
            (from, to) = (Some(between(&command)).filter(|_| !refuses(manners, Step::Mail)), None);
            answer(&mut line, manners, Step::Mail, b"250 2.1.0 ok\r\n").await?;
        } else if (upper.starts_with("RCPT TO:") && from.is_none()) || (upper.starts_with("DATA") && to.is_none()) {
            line.write_all(b"503 5.5.1 not now\r\n").await?;
            line.flush().await?;
        } else if upper.starts_with("RCPT TO:") {
            to = Some(between(&command)).filter(|_| !refuses(manners, Step::Rcpt));
            answer(&mut line, manners, Step::Rcpt, b"250 2.1.5 ok\r\n").await?;
        } else if upper.starts_with("DATA") {
            answer(&mut line, manners, Step::Data, b"354 go on\r\n").await?;
            if let Some((Step::Body, act)) = manners.fault {
                let mut some = [0; 4096];
                line.read_exact(&mut some).await?;
                act.perform(&mut line).await?;
            }
            let bytes = read_message(&mut line).await?;
            if !matches!(manners.fault, Some((Step::Dot, Act::Say(_)))) {
                kept.lock().unwrap().push(Received { from: from.take().unwrap(), to: to.take().unwrap(), bytes, pipelined });
            }
            answer(&mut line, manners, Step::Dot, b"250 2.0.0 Ok: queued as 4711\r\n").await?;
        } else if upper.starts_with("QUIT") {
            answer(&mut line, manners, Step::Quit, b"221 2.0.0 bye\r\n").await?;
            return Ok(());
        } else {
            line.write_all(b"250 2.0.0 ok\r\n").await?;
            line.flush().await?;
            if manners.closes_after_rset && upper == "RSET" {
                return Ok(());
            }
        }
    }
}

async fn answer(line: &mut Line, manners: &Manners, step: Step, right: &[u8]) -> Result<(), Over> {
    match manners.fault {
        Some((at, act)) if at == step => act.perform(line).await,
        _ => {
            if !manners.pause.is_zero() {
                tokio::time::sleep(manners.pause).await;
            }
            line.write_all(right).await?;
            Ok(line.flush().await?)
        }
    }
}

fn refuses(manners: &Manners, step: Step) -> bool {
    matches!(manners.fault, Some((at, Act::Say(_))) if at == step)
}

async fn read_command(line: &mut Line) -> Result<String, Over> {
    let mut bytes = Vec::new();
    if line.read_until(b'\n', &mut bytes).await? == 0 { Err(Over) } else { Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned()) }
}

async fn read_message(line: &mut Line) -> Result<Vec<u8>, Over> {
    let mut message = Vec::new();
    loop {
        let mut bytes = Vec::new();
        if line.read_until(b'\n', &mut bytes).await? == 0 {
            return Err(Over);
        }
        if bytes == b".\r\n" {
            return Ok(message);
        }
        message.extend_from_slice(bytes.strip_prefix(b".").unwrap_or(&bytes));
    }
}

async fn log_in(line: &mut Line, command: &str, login: Option<(&str, &str)>) -> Result<bool, Over> {
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap_or_default();
    let mut words = command.split_whitespace().skip(1);
    let (mechanism, initial) = (words.next().unwrap_or_default().to_ascii_uppercase(), words.next().map(decode));
    let given = if mechanism == "PLAIN" {
        let bytes = initial.unwrap_or_default();
        let parts: Vec<String> = bytes.split(|b| *b == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        (parts.get(1).cloned().unwrap_or_default(), parts.get(2).cloned().unwrap_or_default())
    } else {
        let mut answers = Vec::new();
        for challenge in ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"] {
            line.write_all(format!("334 {challenge}\r\n").as_bytes()).await?;
            line.flush().await?;
            answers.push(String::from_utf8_lossy(&decode(&read_command(line).await?)).into_owned());
        }
        (answers[0].clone(), answers[1].clone())
    };
    Ok(login.is_some_and(|(user, password)| given == (user.to_owned(), password.to_owned())))
}

fn between(command: &str) -> String {
    command.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(address, _)| address.to_owned()).unwrap_or_default()
}
