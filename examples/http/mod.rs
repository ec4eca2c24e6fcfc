//! HTTP over real sockets on any runtime, for the examples `requests` and `scraper`: a server on which things go wrong, and a
//! client that copes.

pub(crate) mod client;
pub(crate) mod failure;
pub(crate) mod net;
pub(crate) mod server;
