//! The transport "file": each mail becomes one `.eml` file that any mail program opens.

use std::path::{Path, PathBuf};

use crate::base::id::Id;
use crate::model::attempt::{Delivery, Fault};

/// A folder that mails are written to.
#[derive(Clone, Debug)]
pub struct MailFolder {
    folder: PathBuf,
}

impl MailFolder {
    /// Names the folder; it is made with the first mail.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Writes a mail as `<id>.eml`: whole or not at all, and on the disk before it counts as accepted. A second try overwrites the first one's
    /// file, so there is never a second mail.
    pub async fn write(&self, id: Id, message: &str) -> Delivery {
        let path = self.folder.join(format!("{id}.eml"));
        match self.write_file(&path, message).await {
            Ok(()) => Delivery::Accepted { reply: format!("written to {}", path.display()) },
            Err(error) => Delivery::Retry { fault: Fault::Connect, detail: super::one_line(&format!("{}: {error}", path.display())), after_ms: None },
        }
    }

    async fn write_file(&self, path: &Path, message: &str) -> std::io::Result<()> {
        use tokio::io::AsyncWriteExt as _;

        tokio::fs::create_dir_all(&self.folder).await?;
        let unfinished = path.with_extension("eml.part");
        let mut file = tokio::fs::File::create(&unfinished).await?;
        file.write_all(message.as_bytes()).await?;
        file.sync_data().await?;
        tokio::fs::rename(&unfinished, path).await
    }
}
