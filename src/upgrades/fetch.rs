//! What comes by HTTP, with bounds for bytes and time. Blocks: call it off the async threads.
//!
//! The addresses may be plain `http://`: what comes is believed for its signature, not for the way that it took. From
//! `https://` it stays that way.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::remote::{BadAuthorities, cert_error};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, http};

use crate::net::fetch::trust;
use crate::net::resolver::Names;

/// For the whole of a small file.
const SMALL_WITHIN: Duration = Duration::from_secs(60);
const REDIRECTS: u32 = 5;

/// Why something did not come.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is not there.
    #[error("{0} is not there (404)")]
    Missing(String),
    /// The other side said something else.
    #[error("{url} was answered with {status}")]
    Status {
        /// The address that was asked for.
        url: String,
        /// The HTTP status of the answer.
        status: u16,
    },
    /// It is larger than it can be.
    #[error("{0} is larger than it can be")]
    TooLarge(String),
    /// Whoever answers is not who he says, or nobody knows.
    #[error("{url} is not believed: {why}")]
    Distrusted {
        /// What was asked for.
        url: String,
        /// What is wrong with his certificate.
        why: String,
    },
    /// From `https://` it leads elsewhere.
    #[error("{url} leads to {to}, where nothing is safe from others on the way: refused")]
    Downgraded {
        /// What was asked for.
        url: String,
        /// The address that the redirect leads to.
        to: String,
    },
    /// Who is believed can't be read.
    #[error(transparent)]
    Authorities(#[from] BadAuthorities),
    /// The network.
    #[error("{url} can't be reached: {source}")]
    Network {
        /// What was asked for.
        url: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
}

/// Fetches. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fetcher {
    stall: Duration,
    authorities: Option<Arc<PathBuf>>,
}

impl Fetcher {
    /// What brings nothing for `stall` is broken off. The file has more authorities than the built-in ones.
    pub fn new(stall: Duration, authorities: Option<PathBuf>) -> Self {
        Self { stall, authorities: authorities.map(Arc::new) }
    }

    fn agent(&self, url: &str) -> Result<Agent, FetchError> {
        let stall = self.stall;
        let agent = Agent::config_builder()
            .tls_config(trust(self.authorities.as_deref().map(PathBuf::as_path))?)
            .user_agent(concat!("ctrl-alt-play/", env!("CARGO_PKG_VERSION")))
            .max_redirects(REDIRECTS)
            .https_only(url.starts_with("https://"))
            .timeout_resolve(Some(stall))
            .timeout_connect(Some(stall))
            .timeout_recv_response(Some(stall))
            .timeout_per_read(Some(stall))
            // Kept for nobody.
            .max_idle_connections(0)
            .build();
        Ok(Agent::with_parts(agent, DefaultConnector::default(), Names))
    }

    /// All of a small file.
    pub(super) fn small(&self, url: &str, most: u64) -> Result<Vec<u8>, FetchError> {
        let asked = self.agent(url)?.get(url).config().timeout_global(Some(SMALL_WITHIN)).build();
        let answer = asked.call().map_err(failed(url))?;
        let mut bytes = Vec::new();
        let mut body = answer.into_body().into_reader().take(most + 1);
        body.read_to_end(&mut bytes).map_err(|error| failed(url)(error.into()))?;
        if bytes.len() as u64 > most {
            return Err(FetchError::TooLarge(url.to_owned()));
        }
        Ok(bytes)
    }

    /// A file from this byte on, where the other side can; from its beginning where it can't (200, not 206).
    pub(super) fn from(&self, url: &str, from: u64) -> Result<http::Response<Body>, FetchError> {
        let mut asked = self.agent(url)?.get(url);
        if from > 0 {
            asked = asked.header("range", format!("bytes={from}-"));
        }
        asked.call().map_err(failed(url))
    }
}

pub(super) fn failed(url: &str) -> impl FnOnce(ureq::Error) -> FetchError {
    let url = url.to_owned();
    move |error| match error {
        ureq::Error::StatusCode(404) => FetchError::Missing(url),
        ureq::Error::StatusCode(status) => FetchError::Status { url, status },
        ureq::Error::RequireHttpsOnly(to) => FetchError::Downgraded { url, to },
        source => match certificate(&source) {
            Some(why) => FetchError::Distrusted { url, why },
            None => FetchError::Network { url, source: Box::new(source) },
        },
    }
}

/// What is wrong with the other side's certificate, where that is what is wrong.
fn certificate(error: &ureq::Error) -> Option<String> {
    match error {
        ureq::Error::Io(error) => cert_error(error),
        ureq::Error::Rustls(error) => cert_error(error),
        _ => None,
    }
}
