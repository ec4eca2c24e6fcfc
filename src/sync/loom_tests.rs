//! What threads may do to each other, in every order.

mod channels;
mod events;
mod meetings;
mod notifies;
mod semaphores;

use super::*;
use crate::sys::Arc;
use crate::sys::atomic::{AtomicUsize, Ordering};
use crate::sys::model::{Task, model, spawn};
use core::num::NonZeroUsize;
use core::task::Poll::{Pending, Ready};
