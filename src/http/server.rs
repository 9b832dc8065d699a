//! placeholder
use hyper::body::Incoming;
/// A request's body.
pub type Body = Incoming;
