//! A reference count. Under loom it is the ordinary one: what loom explores here are locks and flags.

#[cfg(not(all(feature = "portable-atomic", not(wakeful_loom))))]
pub(crate) use alloc::sync::{Arc, Weak};
#[cfg(all(feature = "portable-atomic", not(wakeful_loom)))]
pub(crate) use portable_atomic_util::{Arc, Weak};
