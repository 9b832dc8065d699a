//! HTTP requests with limits on size and time. Blocks: do not call it on async threads.
//!
//! Plain `http://` URLs are allowed, because content is trusted for its signature rather than its origin. `https://` is
//! never redirected to `http://`.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::remote::{BadAuthorities, cert_error};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, http};

use crate::net::fetch::trust;
use crate::net::resolver::Names;

/// Time limit for a small file.
const SMALL_WITHIN: Duration = Duration::from_secs(60);
const REDIRECTS: u32 = 5;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The file does not exist.
    #[error("{0} is not there (404)")]
    Missing(String),
    /// The server answered with another error status.
    #[error("{url} was answered with {status}")]
    Status {
        /// The requested URL.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// Larger than allowed.
    #[error("{0} is larger than it can be")]
    TooLarge(String),
    /// The server's certificate is not trusted.
    #[error("{url} is not believed: {why}")]
    Distrusted {
        /// The requested URL.
        url: String,
        /// What is wrong with the certificate.
        why: String,
    },
    /// Redirected from `https://` to another scheme.
    #[error("{url} leads to {to}, where nothing is safe from others on the way: refused")]
    Downgraded {
        /// The requested URL.
        url: String,
        /// The URL of the redirect.
        to: String,
    },
    /// The file with certificate authorities cannot be read.
    #[error(transparent)]
    Authorities(#[from] BadAuthorities),
    /// A network error.
    #[error("{url} can't be reached: {source}")]
    Network {
        /// The requested URL.
        url: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
}

/// HTTP client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Fetcher {
    stall: Duration,
    authorities: Option<Arc<PathBuf>>,
}

impl Fetcher {
    /// A request without progress for `stall` is aborted. `authorities` is a file with certificate authorities in
    /// addition to the built-in ones.
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
            // Requests are too rare to keep connections open.
            .max_idle_connections(0)
            .build();
        Ok(Agent::with_parts(agent, DefaultConnector::default(), Names))
    }

    /// Fetches a whole small file, at most `most` bytes.
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

    /// Requests a file from a byte offset; from its start (200 instead of 206) if the server does not support ranges.
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

/// What is wrong with the server's certificate; `None` if the error has another cause.
fn certificate(error: &ureq::Error) -> Option<String> {
    match error {
        ureq::Error::Io(error) => cert_error(error),
        ureq::Error::Rustls(error) => cert_error(error),
        _ => None,
    }
}
