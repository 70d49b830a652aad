//! The socket under lettre: bounds what a reply may cost, and remembers how much has left and whether the peer hung up.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes a server may send between two of our writes: a long certificate chain fits. lettre alone reads a line without end into memory
/// (measured: 260 MB), and parses a reply of many lines anew with each line.
const REPLY_BYTES: usize = 32 * 1024;
/// Lines a server may send between two of our writes; in 32 KiB of encrypted bytes about 128 look like a line end.
const REPLY_LINES: usize = 256;
/// First byte of a TLS handshake record; no SMTP command begins with it.
const TLS_HANDSHAKE: u8 = 0x16;

/// What the session above lettre wants to know of the line below it.
#[derive(Debug, Default)]
pub(super) struct LineState {
    written: AtomicUsize,
    closed: AtomicBool,
}

impl LineState {
    /// Counts from nought.
    pub(super) fn restart(&self) {
        self.written.store(0, Ordering::Relaxed);
    }

    /// Bytes that the system (or, with TLS from the start, the encryption) took since [`Self::restart`].
    pub(super) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether the peer hung up.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// A stream with a bound on each reply.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    peer: SocketAddr,
    read_since_write: usize,
    lines_since_write: usize,
    /// Before STARTTLS bytes are handed on one by one, so that lettre's buffer never holds plain text that somebody slipped in behind the
    /// server's "go ahead" and that would count as said under TLS; such bytes then break the handshake.
    by_byte: bool,
    state: Arc<LineState>,
}

impl<S> Wire<S> {
    /// Wraps `stream`.
    pub(super) fn new(stream: S, peer: SocketAddr, before_starttls: bool) -> (Self, Arc<LineState>) {
        let state = Arc::new(LineState::default());
        (Self { stream, peer, read_since_write: 0, lines_since_write: 0, by_byte: before_starttls, state: state.clone() }, state)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read_since_write >= REPLY_BYTES || self.lines_since_write >= REPLY_LINES {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "reply longer than 32 KiB or 256 lines")));
        }
        let most = if self.by_byte { 1 } else { REPLY_BYTES }.min(buffer.remaining());
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
        let outcome = Pin::new(&mut self.stream).poll_read(context, &mut part);
        let read = part.filled().len();
        let lines = part.filled().split(|byte| *byte == b'\n').count() - 1;
        if matches!(outcome, Poll::Ready(Ok(()))) {
            buffer.advance(read);
            self.read_since_write += read;
            self.lines_since_write += lines;
            if read == 0 && most > 0 {
                self.state.closed.store(true, Ordering::Relaxed);
            }
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.read_since_write = 0;
        self.lines_since_write = 0;
        if bytes.first() == Some(&TLS_HANDSHAKE) {
            self.by_byte = false;
        }
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = outcome {
            self.state.written.fetch_add(written, Ordering::Relaxed);
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug> AsyncTokioStream for Wire<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
