//! Why a scope was cancelled.

use crate::sys::Arc;
use crate::time::Instant;
use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

/// Why a scope was cancelled: of what kind, and in the words of whoever did it.
///
/// A text is an explicit reason, so `scope.cancel("the client hung up")` needs none of the constructors. They are for those
/// who cancel on behalf of something: a group, an owner, a program that ends.
///
/// # Examples
/// ```
/// use wakeful::cancel::{Reason, ReasonKind, Scope};
///
/// let reason = Reason::from("the client hung up");
/// assert_eq!(reason.kind(), ReasonKind::Explicit);
/// assert_eq!(reason.to_string(), "the client hung up");
///
/// wakeful::sim::run(|sim| async move {
///     let program = Scope::new(sim.time());
///     program.cancel(Reason::shutdown().with_text("SIGTERM"));
///     let reason = program.reason().unwrap();
///     assert_eq!((reason.kind(), reason.text()), (ReasonKind::Shutdown, Some("SIGTERM")));
///     assert_eq!(reason.to_string(), "shutting down: SIGTERM");
/// });
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Reason(Why);

/// Cloned under a lock, so cloning runs no code but the count's.
#[derive(Clone, PartialEq, Eq)]
enum Why {
    Deadline(Instant),
    /// Any other kind, with its text.
    Said(ReasonKind, Text),
}

#[derive(Clone)]
enum Text {
    None,
    Static(&'static str),
    Shared(Arc<str>),
}

/// What kind of reason it is.
///
/// | kind | said by |
/// |---|---|
/// | `Explicit` | whoever calls [`Scope::cancel`](super::Scope::cancel) with a text |
/// | `Deadline` | the scope itself, when its deadline is reached |
/// | `Parent` | [`Cancelled::kind`](super::Cancelled::kind), of a scope that a scope around it took along |
/// | `SiblingFailed` | a group one of whose children failed, to the others |
/// | `OwnerDropped` | a future that is dropped, to what it had started |
/// | `Shutdown` | a program that ends |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReasonKind {
    /// Somebody called [`Scope::cancel`](super::Scope::cancel), in words of their own.
    Explicit,
    /// The scope's deadline was reached.
    Deadline,
    /// A scope around it was cancelled.
    Parent,
    /// Something that ran beside it failed.
    SiblingFailed,
    /// What it was started by is gone.
    OwnerDropped,
    /// The program ends.
    Shutdown,
}

impl Reason {
    /// A text, given by whoever cancels.
    pub fn explicit(text: impl Into<Cow<'static, str>>) -> Self {
        Self::said(ReasonKind::Explicit).with_text(text)
    }

    pub(crate) fn deadline(at: Instant) -> Self {
        Self(Why::Deadline(at))
    }

    /// A cancelling that is handed on to a scope which does not lie inside the cancelled one. A scope that does needs no
    /// such reason: it [has that of the outer one](super::Cancelled).
    pub fn parent() -> Self {
        Self::said(ReasonKind::Parent)
    }

    /// Something that ran beside it failed; the text may say what.
    pub fn sibling_failed() -> Self {
        Self::said(ReasonKind::SiblingFailed)
    }

    /// What started it was dropped, so nobody would take its result.
    pub fn owner_dropped() -> Self {
        Self::said(ReasonKind::OwnerDropped)
    }

    /// The program ends.
    pub fn shutdown() -> Self {
        Self::said(ReasonKind::Shutdown)
    }

    fn said(kind: ReasonKind) -> Self {
        Self(Why::Said(kind, Text::None))
    }

    /// The same with `text` for its text. A deadline has none, and stays as it is.
    #[must_use]
    pub fn with_text(self, text: impl Into<Cow<'static, str>>) -> Self {
        match self.0 {
            Why::Said(kind, _) => Self(Why::Said(kind, Text::new(text.into()))),
            Why::Deadline(_) => self,
        }
    }

    /// What kind of reason it is.
    pub fn kind(&self) -> ReasonKind {
        match self.0 {
            Why::Deadline(_) => ReasonKind::Deadline,
            Why::Said(kind, _) => kind,
        }
    }

    /// The text that came with it.
    pub fn text(&self) -> Option<&str> {
        match &self.0 {
            Why::Deadline(_) => None,
            Why::Said(_, text) => text.get(),
        }
    }

    /// The deadline, if that is the reason.
    pub(super) fn instant(&self) -> Option<Instant> {
        match self.0 {
            Why::Deadline(at) => Some(at),
            Why::Said(..) => None,
        }
    }
}

impl Text {
    fn new(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::Static(text),
            Cow::Owned(text) => Self::Shared(Arc::from(text.as_str())),
        }
    }

    fn get(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Static(text) => Some(text),
            Self::Shared(text) => Some(text),
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Text {}

impl From<&'static str> for Reason {
    fn from(text: &'static str) -> Self {
        Self::explicit(text)
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self::explicit(text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, text) = match &self.0 {
            Why::Deadline(at) => return write!(f, "the deadline {at} was reached"),
            Why::Said(kind, text) => (kind.says(), text.get()),
        };
        match (kind, text) {
            ("", text) => f.write_str(text.unwrap_or_default()),
            (kind, None) => f.write_str(kind),
            (kind, Some(text)) => write!(f, "{kind}: {text}"),
        }
    }
}

impl ReasonKind {
    /// What stands before the text; nothing, if the text says all.
    fn says(self) -> &'static str {
        match self {
            Self::Explicit => "",
            Self::Deadline => "the deadline was reached",
            Self::Parent => "the scope around it was cancelled",
            Self::SiblingFailed => "a sibling failed",
            Self::OwnerDropped => "its owner was dropped",
            Self::Shutdown => "shutting down",
        }
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reason({self})")
    }
}
