//! The file of rejected lines: written beside, put in place at the end, removed when nothing was rejected.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::intake::Refused;
use crate::intake::rows::Form;

/// `FILE.rejected` in the making; dropped without [`RejectedFile::finish`] it leaves the one of the last import alone.
pub(super) struct RejectedFile {
    path: PathBuf,
    part: PathBuf,
    form: Form,
    open: Option<BufWriter<File>>,
}

impl RejectedFile {
    /// Beside the imported file; in the current folder for standard input.
    pub(super) fn new(imported: Option<&Path>, form: Form) -> Self {
        let beside = |end: &str| {
            let mut name = imported.unwrap_or(Path::new("stdin")).as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        Self { path: beside(".rejected"), part: beside(".rejected.part"), form, open: None }
    }

    /// Adds lines; the file is made for the first one.
    pub(super) fn write(&mut self, refused: &[Refused]) -> anyhow::Result<()> {
        let fault = || format!("{}: cannot be written", self.part.display());
        for refused in refused {
            let file = if let Some(file) = &mut self.open {
                file
            } else {
                let mut file = BufWriter::new(File::create(&self.part).with_context(fault)?);
                file.write_all(self.form.refused_header().as_bytes()).with_context(fault)?;
                self.open.insert(file)
            };
            file.write_all(self.form.refused_line(refused).as_bytes()).with_context(fault)?;
        }
        Ok(())
    }

    /// Puts the file in its place, or removes an old one when nothing was rejected. Returns where it is.
    pub(super) fn finish(mut self) -> anyhow::Result<Option<PathBuf>> {
        let fault = || format!("{}: cannot be written", self.path.display());
        if let Some(file) = self.open.take() {
            file.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| file.sync_all()).with_context(fault)?;
            std::fs::rename(&self.part, &self.path).with_context(fault)?;
            return Ok(Some(self.path.clone()));
        }
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(|| format!("{}: cannot be removed", self.path.display())),
            _ => Ok(None),
        }
    }
}

impl Drop for RejectedFile {
    fn drop(&mut self) {
        if self.open.take().is_some() {
            // The import has failed; the next one writes it anew.
            let _ = std::fs::remove_file(&self.part);
        }
    }
}
