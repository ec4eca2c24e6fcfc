//! A panic that was caught.

use crate::sys::Lock;
use crate::sys::thread::{catch, resume};
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use core::any::Any;
use core::fmt;

/// What somebody's code threw when it panicked: to be looked at, kept, or thrown on.
///
/// `Display` gives what it said. There is one only with `std`: without it, a panic is the end of everything.
pub struct Panic {
    message: String,
    /// Under a lock, so that a panic may be shared though what was thrown may not.
    payload: Lock<Option<Box<dyn Any + Send>>>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (_, Some(text)) => text.clone(),
            _ => "a panic without a text".to_owned(),
        };
        Self { message, payload: Lock::new(Some(payload)) }
    }

    /// What it said, if that was text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was thrown.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        match self.payload.with(Option::take) {
            Some(payload) => payload,
            None => unreachable!("it is taken only here, of a panic that is given up"),
        }
    }

    /// Goes on panicking with it, on this thread. The panic hook is not called again.
    ///
    /// # Panics
    /// Always.
    pub fn resume(self) -> ! {
        resume(self.into_payload())
    }
}

impl Drop for Panic {
    /// What was thrown may panic in turn when it is dropped; that one is let go.
    fn drop(&mut self) {
        let payload = self.payload.with(Option::take);
        if let Err(again) = catch(|| drop(payload)) {
            core::mem::forget(again);
        }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Panic").field(&self.message).finish()
    }
}
