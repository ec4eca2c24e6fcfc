//! The guide: how to choose, and how the parts go together. It has no code of its own; each page's examples run as tests.
//!
//! | you want to | read |
//! |---|---|
//! | know which part does what you need | [`choosing`] |
//! | stop work, and be sure of what is left | [`cancelling`] |
//! | be done in time | [`deadlines`] |
//! | know where time comes from, and bring your own | [`clocks`] |
//! | write a library that names no runtime, or bring a runtime of your own | [`runtimes`] |
//! | go without an operating system | [`bare_metal`] |
//! | test concurrent code, and replay what failed | [`simulation`] |
//! | make a library that needs tokio one that does not | [`from_tokio`] |
//! | find what you know from Python's asyncio, trio or anyio | [`from_asyncio`] |

pub mod bare_metal;
pub mod cancelling;
pub mod choosing;
pub mod clocks;
pub mod deadlines;
pub mod from_asyncio;
pub mod from_tokio;
pub mod runtimes;
pub mod simulation;
