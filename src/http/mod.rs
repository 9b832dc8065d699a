//! The kit that endpoints are made of. warp is named here, in `src/router.rs` and in files named `routes.rs` or
//! `socket.rs`, and nowhere else.
//!
//! One endpoint from end to end, in `src/servers/routes.rs`:
//!
//! ```ignore
//! use crate::http::{Access, Doc, Filter, POST, Route, accepted, json, permit, route, with};
//!
//! /// Everything of this feature, for the list in `src/router.rs`.
//! pub fn routes(servers: &Servers) -> Vec<Route> {
//!     vec![power(servers) /* , … */]
//! }
//!
//! fn power(servers: &Servers) -> Route {
//!     route(
//!         POST,
//!         "/api/servers/{id}/power",
//!         Access::Server(Permission::Power), // checked before anything below runs; 401, 404, 403 are made there
//!         Doc::new("Starts, stops, restarts or kills a server")
//!             .body::<PowerRequest>() //        #[derive(Deserialize, ToSchema)] #[serde(deny_unknown_fields)]
//!             .answer::<PowerAnswer>(202) //    #[derive(Serialize, ToSchema)]
//!             .refusals(&[409, 503]),
//!         with(servers) //                      a handle, cloned
//!             .and(permit::<need::Power>()) //  the proof that the rule asks for; knows caller and server id
//!             .and(json::<PowerRequest>()) //   400, 413, 415, 422 are made there
//!             .then(|servers: Servers, permit: Permit<need::Power>, body: PowerRequest| async move {
//!                 servers.power(&permit, body.action).await // Result<PowerAnswer, ApiError>
//!             })
//!             .map(accepted), //                202, or the error
//!     )
//! }
//! ```
//!
//! - Rules: `Access::{Open, SignedIn, Socket, Admin, Server(permission), ServerAdmin}`.
//! - Beginnings: [`with`], [`id`], [`ids`], [`caller`], [`admin`], [`permit`], [`client`], [`host`], [`query`], [`json`],
//!   [`json_up_to`] (with [`OPEN_LIMIT`] where everybody may call), [`raw_up_to`], [`header`], [`any`] for none.
//! - Ends: [`ok`], [`created`], [`accepted`], [`no_content`] take a `Result<T, ApiError>`; [`raw`] a `Result<Response, _>`.
//! - [`Upgrade`] is a WebSocket about to be: `upgrade()` in a route, [`Upgrade::of`] outside of warp.
//! - [`serve`] is the accept loop of every port.

mod assets;
mod body;
mod connections;
mod dispatch;
mod doc;
mod extract;
mod forwarded;
mod hosts;
mod peer;
mod reply;
mod route;
mod server;
mod websocket;
mod write_timeout;

pub use assets::{assets, packed, page};
pub use body::{DEFAULT_LIMIT, OPEN_LIMIT, json, json_up_to, parse, raw_up_to};
pub use connections::{CONNECTIONS, ConnectionSlot, PortPolicy};
pub use dispatch::Dispatch;
pub use doc::{Doc, document};
pub use extract::{
    admin, any, caller, client, header, host, id, ids, permit, query, reject, socket_caller, with,
};
pub use forwarded::Forwarded;
pub use hosts::Hosts;
pub use hyper::{Method, StatusCode};
pub use peer::{Client, Peer};
pub use reply::{
    Response, accepted, bytes_of, created, empty, error, json as json_reply, no_content, ok, raw, streamed,
};
pub use route::{Route, route};
pub use server::{Body, serve};
pub use warp::Filter;
pub use websocket::{Connection, Socket, Upgrade, upgrade};

pub use crate::auth::Access;

/// `GET`. Answers `HEAD` too.
pub const GET: Method = Method::GET;
/// `POST`.
pub const POST: Method = Method::POST;
/// `PUT`.
pub const PUT: Method = Method::PUT;
/// `PATCH`.
pub const PATCH: Method = Method::PATCH;
/// `DELETE`.
pub const DELETE: Method = Method::DELETE;

/// The name of the session's cookie by plain HTTP.
const SESSION_COOKIE: &str = "session";

/// The header with the second half of a browser's proof of its session.
const SESSION_KEY: &str = "X-Session-Key";

/// The name of the session's cookie. It differs by scheme: a browser lets nobody replace by plain HTTP what came by TLS, and
/// one with this prefix nobody may set but us.
pub fn session_cookie(secure: bool) -> &'static str {
    if secure { "__Host-session" } else { SESSION_COOKIE }
}

/// The name of the cookie of a known device.
pub fn device_cookie(secure: bool) -> &'static str {
    if secure { "__Host-device" } else { "device" }
}
