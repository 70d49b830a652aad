//! Ways in which a peer misbehaves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;

/// What a peer does in place of the right answer.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Says this, then goes on as if all were well.
    Say(&'static [u8]),
    /// Says this and hangs up.
    SayAndClose(&'static [u8]),
    /// Hangs up.
    Close,
    /// Keeps the line open and says nothing.
    Hang,
    /// Says this and then nothing more.
    SayAndHang(&'static [u8]),
    /// One byte at a time, with so many milliseconds between.
    Drip(&'static [u8], u64),
    /// Says this again and again without end.
    Flood(&'static [u8]),
    /// Waits until the test lets it pass, says this, then goes on as if all were well.
    Wait(&'static Gate, &'static [u8]),
}

/// Where peers wait for the test.
#[derive(Debug)]
pub struct Gate {
    arrived: AtomicUsize,
    passes: Semaphore,
}

impl Gate {
    /// A closed gate; it stays for as long as the process, as acts are copied freely.
    pub fn closed() -> &'static Self {
        Box::leak(Box::new(Self { arrived: AtomicUsize::new(0), passes: Semaphore::new(0) }))
    }

    /// How many came to the gate.
    pub fn arrived(&self) -> usize {
        self.arrived.load(Ordering::SeqCst)
    }

    /// Lets everybody pass, now and later.
    pub fn open(&self) {
        self.passes.add_permits(10_000);
    }
}

/// The end of a connection, wanted or not.
pub struct Over;

impl From<std::io::Error> for Over {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Act {
    pub async fn perform<S: AsyncWrite + Unpin>(self, line: &mut S) -> Result<(), Over> {
        match self {
            Self::Say(words) | Self::SayAndClose(words) | Self::SayAndHang(words) => {
                line.write_all(words).await?;
                line.flush().await?;
                match self {
                    Self::SayAndClose(_) => Err(Over),
                    Self::SayAndHang(_) => std::future::pending().await,
                    _ => Ok(()),
                }
            }
            Self::Close => Err(Over),
            Self::Hang => std::future::pending().await,
            Self::Drip(words, pause_ms) => {
                for byte in words {
                    line.write_all(&[*byte]).await?;
                    line.flush().await?;
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                }
                Ok(())
            }
            Self::Wait(gate, words) => {
                gate.arrived.fetch_add(1, Ordering::SeqCst);
                let _pass = gate.passes.acquire().await;
                line.write_all(words).await?;
                Ok(line.flush().await?)
            }
            Self::Flood(words) => loop {
                line.write_all(words).await?;
            },
        }
    }
}
