//! The file that the environment names for recordings of simulated runs, where there are files.

/// Nothing: there are no files.
#[cfg(not(feature = "std"))]
mod imp {
    use alloc::string::String;

    pub(crate) fn named(_: &str) -> Option<&'static str> {
        None
    }

    pub(crate) fn write(_: &str, _: bool, _: impl FnOnce() -> String) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(feature = "std")]
mod imp {
    use alloc::string::String;
    use std::string::ToString;
    use std::sync::{Mutex, OnceLock, PoisonError};

    /// What the variable `name` says, which is always the same. It is read once: a run should not pay for that.
    pub(crate) fn named(name: &str) -> Option<&'static str> {
        static NAMED: OnceLock<Option<String>> = OnceLock::new();
        let read = || std::env::var_os(name).map(|path| path.to_string_lossy().into_owned());
        NAMED.get_or_init(read).as_deref().filter(|path| !path.is_empty())
    }

    /// Writes `text`, unless it is of less weight than what this process wrote before. The error says what went wrong.
    pub(crate) fn write(path: &str, weighty: bool, text: impl FnOnce() -> String) -> Result<(), String> {
        // Also keeps two threads from writing at the same time.
        static WEIGHTY: Mutex<bool> = Mutex::new(false);
        let mut before = WEIGHTY.lock().unwrap_or_else(PoisonError::into_inner);
        if *before && !weighty {
            return Ok(());
        }
        *before = weighty;
        std::fs::write(path, text()).map_err(|error| error.to_string())
    }
}

pub(crate) use imp::{named, write};
