//! Writes a file so that it is complete or not there.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Writes `path` by `write`. A file is replaced when everything is in the new one; a pipe or device is written to.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let in_place = path.exists() && !path.is_file();
    let target = if in_place { path.to_owned() } else { part_of(path) };
    let all = || -> anyhow::Result<()> {
        let file = if in_place { File::options().write(true).open(&target)? } else { File::create(&target)? };
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all().or_else(|error| if in_place { Ok(()) } else { Err(error) })?;
        if !in_place {
            std::fs::rename(&target, path)?;
        }
        Ok(())
    };
    all().with_context(|| format!("{}: cannot be written", path.display()))
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
