//! The framework for endpoints. warp and hyper's server are used only in here.
//!
//! An endpoint is one declaration, in its feature's `routes.rs`:
//!
//! ```ignore
//! endpoint(POST, "/api/servers/{id}/power")
//!     .access::<Permit<need::Power>>() // checked before the body is read: 401, 403 and 404 are answered here
//!     .doc("Starts, stops, restarts or kills a server")
//!     .body::<PowerRequest>() //          #[derive(Deserialize, ToSchema)] #[serde(deny_unknown_fields)]
//!     .accepted::<PowerAnswer>() //       202; #[derive(Serialize, ToSchema)]
//!     .refusals(&[409, 503])
//!     .handle(servers, |servers, call| async move {
//!         servers.power(&call.by, call.body.action).await // Result<PowerAnswer, ApiError>
//!     })
//! ```
//!
//! - [`Endpoint::access`]: the type of the proof that the handler gets as `call.by`. `Open`, `Actor`, `Caller`,
//!   `SocketCaller`, `Admin`, `Permit<need::…>`, `ServerAdmin`, `NodeSecret`, all in `src/auth`.
//! - Input: [`Endpoint::body`], [`Endpoint::query`], [`Endpoint::streamed`] for bodies too large for memory;
//!   `call.request` has [`Incoming::id`], [`Incoming::param`], [`Incoming::client`], [`Incoming::header`],
//!   [`Incoming::upgrade`].
//! - Answer: [`Endpoint::ok`], [`Endpoint::list`], [`Endpoint::created`], [`Endpoint::accepted`],
//!   [`Endpoint::no_content`], and [`Endpoint::response`] for everything else ([`streaming`] sends a body in chunks).
//! - [`serve`] is the accept loop of every port, [`Upgrade::of`] a WebSocket on a port without endpoints.

mod assets;
mod body;
mod call;
mod compression;
mod connections;
mod dispatch;
mod doc;
mod endpoint;
mod forwarded;
mod hosts;
mod http2;
mod limits;
mod openapi;
mod pattern;
mod peer;
mod reply;
mod route;
mod server;
mod stream;
mod websocket;
mod write_timeout;

pub use assets::{assets, packed, page};
pub use body::parse;
pub use call::{Call, Incoming};
pub use connections::{CONNECTIONS, ConnectionSlot, PortPolicy};
pub use dispatch::Dispatch;
pub use doc::Doc;
pub use endpoint::{Document, Endpoint, Undeclared, endpoint};
pub use forwarded::Forwarded;
pub use hosts::Hosts;
pub use hyper::{Method, StatusCode, header};
#[cfg(test)]
pub use openapi::clashes;
pub use openapi::document;
pub use peer::{Client, Peer};
pub use reply::{Response, bytes_of, empty, error, json as json_reply, no_content, streamed, tagged};
pub use route::Route;
pub use server::{Body, serve};
pub use stream::{BodyStream, streaming};
pub use websocket::{Connection, Socket, Upgrade};

/// `GET`. Also answers `HEAD`.
pub const GET: Method = Method::GET;
/// `HEAD`, for an endpoint that answers it itself, without the work of `GET`.
pub const HEAD: Method = Method::HEAD;
/// `OPTIONS`.
pub const OPTIONS: Method = Method::OPTIONS;
/// `POST`.
pub const POST: Method = Method::POST;
/// `PUT`.
pub const PUT: Method = Method::PUT;
/// `PATCH`.
pub const PATCH: Method = Method::PATCH;
/// `DELETE`.
pub const DELETE: Method = Method::DELETE;

/// Name of the session cookie over plain HTTP.
const SESSION_COOKIE: &str = "session";

/// Header with the second half of a browser's proof of its session.
const SESSION_KEY: &str = "X-Session-Key";

/// Name of the session cookie. It differs by scheme: a cookie set over TLS cannot be replaced over plain HTTP, and one
/// with the prefix used there can only be set by this host.
pub fn session_cookie(secure: bool) -> &'static str {
    if secure { "__Host-session" } else { SESSION_COOKIE }
}

/// Name of the cookie of a known device.
pub fn device_cookie(secure: bool) -> &'static str {
    if secure { "__Host-device" } else { "device" }
}

/// Whether one part of `accept-encoding` offers this encoding.
fn accepts(offer: &str, encoding: &str) -> bool {
    let mut parts = offer.split(';').map(str::trim);
    let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
    let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
    named && !refused
}
