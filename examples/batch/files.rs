//! Finding the files, and reading one.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fs::{self, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// Its length when it was found; the model of the work goes by it.
    pub(crate) bytes: u64,
    /// Why it can't be read, where that is known beforehand.
    pub(crate) trouble: Option<String>,
}

/// What lies under a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// In order of path.
    pub(crate) files: Vec<File>,
    /// How many symbolic links were not followed.
    pub(crate) links: usize,
    /// How many directories were passed over.
    pub(crate) passed_over: usize,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: u64 = self.files.iter().map(|file| file.bytes).sum();
        let plural = if self.files.len() == 1 { "" } else { "s" };
        write!(f, "{} file{plural}, {:.1} MB", self.files.len(), bytes as f64 / 1e6)?;
        if self.links > 0 {
            write!(f, ", links not followed: {}", self.links)?;
        }
        if self.passed_over > 0 {
            write!(f, ", directories of git or a cache passed over: {}", self.passed_over)?;
        }
        Ok(())
    }
}

/// Lists what lies under `dir`. What can't be listed, and what is neither file nor directory nor link, becomes a file that
/// has trouble, so that it is accounted for.
///
/// # Errors
/// If `dir` itself can't be listed.
pub(crate) fn walk(dir: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let mut open = Vec::new();
    list(dir, &mut found, &mut open)?;
    while let Some(dir) = open.pop() {
        if is_passed_over(&dir) {
            found.passed_over += 1;
        } else if let Err(error) = list(&dir, &mut found, &mut open) {
            found.files.push(File { path: dir, bytes: 0, trouble: Some(error.to_string()) });
        }
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Directories that tools fill: git's own, and those marked as caches by the convention that cargo follows.
fn is_passed_over(dir: &Path) -> bool {
    dir.file_name().is_some_and(|name| name == ".git") || dir.join("CACHEDIR.TAG").is_file()
}

fn list(dir: &Path, found: &mut Found, open: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let seen = entry.file_type().and_then(|kind| Ok((kind, entry.metadata()?.len())));
        match seen {
            Ok((kind, _)) if kind.is_dir() => open.push(path),
            Ok((kind, _)) if kind.is_symlink() => found.links += 1,
            Ok((kind, bytes)) => found.files.push(File { path, bytes, trouble: not_regular(kind) }),
            Err(error) => found.files.push(File { path, bytes: 0, trouble: Some(error.to_string()) }),
        }
    }
    Ok(())
}

/// Opening a pipe would wait for somebody to write into it.
fn not_regular(kind: FileType) -> Option<String> {
    (!kind.is_file()).then(|| "not a regular file".to_owned())
}

/// A file's SHA-256.
pub(crate) type Digest = [u8; 32];

/// The most of a file that is in memory at once.
const PIECE: usize = 1 << 20;

/// Reads a file piece by piece, and gives its digest and length. Blocks the thread.
///
/// # Errors
/// If it can't be read, or if `go_on` says so before a piece.
pub(crate) fn digest(path: &Path, bytes: u64, go_on: impl Fn() -> bool) -> io::Result<(Digest, u64)> {
    let mut file = fs::File::open(path)?;
    // One byte more than expected, so that most files are done in one read and a second that finds the end.
    let expected = usize::try_from(bytes).unwrap_or(PIECE).saturating_add(1);
    let mut piece = vec![0; expected.min(PIECE)];
    let mut hasher = Sha256::new();
    let mut length = 0;
    while go_on() {
        match file.read(&mut piece) {
            Ok(0) => return Ok((hasher.finalize().into(), length)),
            Ok(n) => {
                hasher.update(&piece[..n]);
                length += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "given up between two pieces"))
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Scratch;
    use super::*;

    #[test]
    fn a_walk_finds_files_in_order_and_passes_over_caches_and_git() {
        let scratch = Scratch::new();
        scratch.write("b/2", b"22");
        scratch.write("b/1", b"1");
        scratch.write("a", b"");
        scratch.write(".git/config", b"x");
        scratch.write("target/CACHEDIR.TAG", b"x");
        scratch.write("target/big", b"x");
        let found = walk(scratch.path()).unwrap();
        let file = |name: &str, bytes| File { path: scratch.path().join(name), bytes, trouble: None };
        assert_eq!(found.files, [file("a", 0), file("b/1", 1), file("b/2", 2)]);
        assert_eq!((found.links, found.passed_over), (0, 2));
        assert_eq!(found.to_string(), "3 files, 0.0 MB, directories of git or a cache passed over: 2");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed_and_sockets_are_trouble() {
        let scratch = Scratch::new();
        std::os::unix::fs::symlink(scratch.path(), scratch.path().join("loop")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(scratch.path().join("socket")).unwrap();
        let found = walk(scratch.path()).unwrap();
        assert_eq!(found.links, 1);
        assert_eq!(found.files.len(), 1);
        assert_eq!(found.files[0].trouble.as_deref(), Some("not a regular file"));
    }

    #[test]
    fn a_digest_is_that_of_the_standard_whatever_length_was_expected() {
        let scratch = Scratch::new();
        scratch.write("abc", b"abc");
        for expected in [0, 2, 3, u64::MAX] {
            let (digest, length) = digest(&scratch.path().join("abc"), expected, || true).unwrap();
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
            assert_eq!(length, 3);
        }
    }

    #[test]
    fn a_reading_that_is_given_up_stops_before_its_next_piece() {
        let scratch = Scratch::new();
        scratch.write("two-pieces", &vec![7; 2 * PIECE]);
        let asked = std::cell::Cell::new(0);
        let go_on = || asked.replace(asked.get() + 1) < 1;
        let given_up = digest(&scratch.path().join("two-pieces"), 2 * PIECE as u64, go_on);
        assert_eq!(given_up.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(asked.get(), 2);
    }
}
