//! HTTP to the router, and to nobody else: whatever an address names, the connection goes to the router, and no redirect
//! is followed. Time and bytes are bounded, whatever the router sends.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{Request, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

use super::error::RouterError;

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest body of an answer, in bytes.
const LARGEST: u64 = 128 * 1024;

/// An answer: its status, and its body as text.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Every name is the router's.
#[derive(Debug)]
struct Router(SocketAddr);

impl Resolver for Router {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut resolved = self.empty();
        resolved.push(self.0);
        Ok(resolved)
    }
}

/// Sends a request and reads the answer.
pub(super) async fn exchange(router: SocketAddr, request: Request<String>) -> Result<Answer, RouterError> {
    let exchanged = tokio::task::spawn_blocking(move || ask(router, request)).await;
    exchanged.unwrap_or_else(|ended| Err(RouterError::Network(io::Error::other(ended))))
}

fn ask(router: SocketAddr, request: Request<String>) -> Result<Answer, RouterError> {
    let config = Agent::config_builder()
        .user_agent(concat!("ctrl-alt-play/", env!("CARGO_PKG_VERSION")))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .max_idle_connections(0)
        .build();
    let agent = Agent::with_parts(config, DefaultConnector::default(), Router(router));
    let answer = agent.run(request).map_err(failed)?;
    let status = answer.status().as_u16();
    let body = answer.into_body().into_with_config().limit(LARGEST).read_to_vec().map_err(failed)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

fn failed(error: Error) -> RouterError {
    match error {
        Error::Timeout(_) => RouterError::Silent,
        Error::Io(error) => RouterError::Network(error),
        _ => RouterError::Nonsense,
    }
}
