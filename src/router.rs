//! The list of all endpoints, and the routing of requests.

use std::time::Instant;

use hyper::Request;
use hyper::header::{
    CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::agents::Agents;
use crate::app::{App, Features, Games};
use crate::http::{
    Body, Dispatch, Forwarded, Hosts, Method, Peer, Response, Route, StatusCode, assets, bytes_of,
};
use crate::live::Topic;
use crate::nodes::Nodes;
use crate::status::Status;
use crate::upgrades::Upgrades;
use crate::{
    backups, docs, doctor, files, live, nodes, players, reach, registries, schedules, servers, setup, sftp,
    shares, sources, ssh_keys, status, templates, transfers, upgrades, users,
};

/// All endpoints of the API. The OpenAPI document is generated from this list, and a test compares it with the table of
/// who may call what.
pub fn routes(agents: &Agents, features: &Features) -> Vec<Route> {
    let mut routes = Vec::new();
    routes.extend(status::routes(&features.status));
    routes.extend(setup::routes(&features.setup));
    routes.extend(users::routes(&features.users));
    routes.extend(nodes::routes(&features.nodes, &features.joining));
    let gallery = &features.gallery;
    routes.extend(templates::routes(agents, &gallery.templates, &gallery.imports));
    routes.extend(sources::routes(&gallery.sources));
    routes.extend(registries::routes(&gallery.registries));
    routes.extend(servers::routes(&features.games.servers, &features.games.backups));
    routes.extend(players::routes(&features.games.players));
    routes.extend(reach::routes(&features.games.reach));
    routes.extend(shares::routes(&features.games.shares));
    routes.extend(schedules::routes(&features.games.schedules));
    routes.extend(files::routes(&features.games.files));
    routes.extend(transfers::routes(&features.games.transfers));
    routes.extend(backups::routes(&features.games.backups));
    routes.extend(sftp::routes(&features.games.sftp));
    routes.extend(ssh_keys::routes(features.games.sftp.keys()));
    routes.extend(upgrades::routes(&features.upgrades));
    routes.extend(live::routes(&features.live));
    routes.extend(doctor::routes(&features.doctor));
    routes.extend(docs::routes());
    routes
}

/// All topics for live connections, in the order in which they are sent.
pub fn topics(games: &Games, nodes: &Nodes, status: &Status, upgrades: &Upgrades) -> Vec<Box<dyn Topic>> {
    let mut topics = servers::topics(&games.servers);
    topics.extend(files::topics(&games.files));
    topics.extend(backups::topics(&games.backups));
    topics.extend(nodes::topics(nodes));
    topics.extend(status::topics(status));
    topics.extend(upgrades::topics(upgrades));
    topics
}

/// Answers all requests on the panel's port. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    api: Dispatch,
    forwarded: Forwarded,
    hosts: Hosts,
}

impl Router {
    /// Creates the router with all routes.
    pub fn new(app: &App) -> Self {
        let network = &app.config.network;
        Self {
            api: Dispatch::new(app.features.auth.clone(), routes(&app.agents, &app.features)),
            forwarded: Forwarded::new(network.trusted_proxies.clone()),
            hosts: Hosts::new(app.config.public_url.as_deref(), &network.allowed_hosts),
        }
    }

    /// Answers a request. Unknown host names are refused; everything below `/api` goes to the API, everything else to
    /// the page.
    pub async fn answer(self, mut request: Request<Body>) -> Response {
        let began = Instant::now();
        self.forwarded.resolve(&mut request);
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let address = request.extensions().get::<Peer>().map(|peer| peer.address);
        let shown = shown(&path);
        let mut response = if let Err(refusal) = self.hosts.check(&request) {
            *refusal
        } else if path == "/api" || path.starts_with("/api/") || path == "/health" {
            self.api.call(request).await
        } else if path == "/install.sh" && matches!(method, Method::GET | Method::HEAD) {
            bytes_of(StatusCode::OK, "text/x-shellscript; charset=utf-8", nodes::script())
        } else {
            assets(&method, &path, request.headers())
        };
        guard(&mut response);
        // Without the query, because it may contain a secret.
        tracing::debug!(
            %method,
            path = shown,
            status = response.status().as_u16(),
            milliseconds = began.elapsed().as_millis(),
            address = address.map(tracing::field::display),
            "answered"
        );
        response
    }
}

/// A path for the log: the secret of a server's public link is not written there.
fn shown(path: &str) -> String {
    for prefix in ["/s/", "/api/shared/"] {
        if path.starts_with(prefix) {
            return format!("{prefix}…");
        }
    }
    path.to_owned()
}

/// Sets the security headers of every answer.
fn guard(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox"));
}
