//! Fetches links given by users: limited in time, size and redirects, and never from this machine or its networks
//! unless the settings allow it (`FETCH_ALLOW`).

mod addresses;
mod stream;

use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agent::remote::{BadAuthorities, authorities, cert_error};
use tokio::sync::Semaphore;
use ureq::config::{Config, ConfigBuilder};
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

pub use stream::FetchStream;

use super::resolver;
use crate::config::Networks;

/// Time limit of one fetch.
const WITHIN: Duration = Duration::from_secs(20);
const REDIRECTS: u32 = 5;
/// Longest URL, in bytes.
const LONGEST: usize = 2_048;
/// Parallel fetches, each on a thread; separately for those held in memory and those streamed.
const AT_ONCE: usize = 4;
const STREAMS: usize = 8;
/// Longest text of an error caused by the other side, in characters.
const WORDS: usize = 300;

/// Why a fetch failed. Contains no content sent by the other side.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not a URL that can be fetched.
    #[error("has to be a whole address, such as https://example.org/egg.json")]
    Address,
    /// The address is not allowed.
    #[error("leads to {address}, which is not fetched from: FETCH_ALLOW can allow it")]
    Refused {
        /// The address that the name resolved to.
        address: IpAddr,
    },
    /// The server answered with this error status.
    #[error("was answered with {0}")]
    Status(u16),
    /// Larger than this many bytes.
    #[error("is larger than {0} bytes")]
    TooLarge(u64),
    /// The time limit was exceeded.
    #[error("took too long")]
    TooSlow,
    /// Redirected from `https://` to `http://`.
    #[error("leads from https to http, which is refused")]
    Downgraded,
    /// Too many redirects.
    #[error("leads on more than {REDIRECTS} times")]
    Redirects,
    /// The server's certificate is not valid.
    #[error("is not trusted: {0}")]
    Distrusted(String),
    /// The file with certificate authorities cannot be read.
    #[error(transparent)]
    Authorities(#[from] BadAuthorities),
    /// A network error.
    #[error("can't be reached: {0}")]
    Network(String),
    /// The panel is shutting down.
    #[error("was not fetched: the panel is ending")]
    Ending,
}

/// HTTP client for links given by users. Cheap to clone.
#[derive(Clone)]
pub struct SafeFetcher {
    allow: Arc<Networks>,
    authorities: Option<Arc<PathBuf>>,
    turns: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

impl Default for SafeFetcher {
    fn default() -> Self {
        Self::new(Networks::default(), None)
    }
}

impl SafeFetcher {
    /// `allow` are networks allowed in addition to public addresses. `authorities` is a file with certificate
    /// authorities in addition to the built-in ones.
    pub fn new(allow: Networks, authorities: Option<PathBuf>) -> Self {
        Self {
            allow: Arc::new(allow),
            authorities: authorities.map(Arc::new),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }

    /// Fetches the whole body at this URL, at most `most` bytes.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn get(&self, url: &str, most: u64) -> Result<Vec<u8>, FetchError> {
        let url = checked(url)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_closed| FetchError::Ending)?;
        let this = self.clone();
        let fetched = tokio::task::spawn_blocking(move || {
            let fetched = this.fetch(&url, most);
            drop(turn);
            fetched
        });
        fetched.await.map_err(|_ended| FetchError::Ending)?
    }

    fn config(&self, url: &str) -> Result<ConfigBuilder<AgentScope>, FetchError> {
        Ok(Agent::config_builder()
            .tls_config(trust(self.authorities.as_deref().map(PathBuf::as_path))?)
            .user_agent(concat!("ctrl-alt-play/", env!("CARGO_PKG_VERSION")))
            .max_redirects(REDIRECTS)
            .https_only(url.starts_with("https://"))
            // A proxy would connect on the panel's behalf, to addresses that cannot be checked.
            .proxy(None)
            .max_idle_connections(0))
    }

    fn names(&self) -> Checked {
        Checked { allow: Arc::clone(&self.allow) }
    }

    fn fetch(&self, url: &str, most: u64) -> Result<Vec<u8>, FetchError> {
        let config = self.config(url)?.timeout_global(Some(WITHIN)).build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), self.names());
        let answer = agent.get(url).call().map_err(|error| failed(&error))?;
        let mut bytes = Vec::new();
        let mut body = answer.into_body().into_reader().take(most + 1);
        body.read_to_end(&mut bytes).map_err(|error| failed(&error.into()))?;
        if bytes.len() as u64 > most {
            return Err(FetchError::TooLarge(most));
        }
        Ok(bytes)
    }
}

/// The trusted certificate authorities. Reads files; called for each request, because requests are rare and a hundred
/// certificates should not be kept in memory for them.
pub fn trust(file: Option<&Path>) -> Result<TlsConfig, BadAuthorities> {
    let known = authorities(file)?;
    let known: Vec<_> = known.iter().map(|each| Certificate::from_der(each).to_owned()).collect();
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(super::tls::provider())
        .root_certs(RootCerts::Specific(Arc::new(known)))
        .build())
}

/// Normalizes a complete HTTP URL without user name and password.
fn checked(url: &str) -> Result<String, FetchError> {
    let url = url.trim();
    let uri: Uri = url.parse().map_err(|_| FetchError::Address)?;
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if !scheme || !plain || url.len() > LONGEST || uri.host().is_none_or(str::is_empty) {
        return Err(FetchError::Address);
    }
    // The scheme is case-insensitive, but later comparisons expect lower case.
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    Ok(format!("{}://{rest}", uri.scheme_str().unwrap_or("https")))
}

/// Resolves names to allowed addresses. Used for every connection, so redirects are covered too.
#[derive(Debug)]
struct Checked {
    allow: Arc<Networks>,
}

/// Error of the resolver, wrapped in an [`io::Error`].
#[derive(Debug)]
struct NotAllowed(IpAddr);

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not fetched from", self.0)
    }
}

impl std::error::Error for NotAllowed {}

impl Resolver for Checked {
    fn resolve(&self, uri: &Uri, _: &Config, limit: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let found = resolver::addresses(uri, &limit)?;
        let (fine, refused): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|address| addresses::allowed(address.ip(), &self.allow));
        if let (true, Some(address)) = (fine.is_empty(), refused.first()) {
            return Err(Error::Io(io::Error::other(NotAllowed(address.ip()))));
        }
        let mut resolved = self.empty();
        for address in fine.into_iter().take(16) {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

fn failed(error: &Error) -> FetchError {
    match error {
        Error::StatusCode(status) => FetchError::Status(*status),
        Error::Timeout(_) => FetchError::TooSlow,
        Error::RequireHttpsOnly(_) => FetchError::Downgraded,
        Error::TooManyRedirects => FetchError::Redirects,
        Error::BadUri(_) => FetchError::Address,
        Error::Io(error) => io_failed(error),
        Error::Rustls(cause) => cert_error(cause).map_or_else(|| words(error), FetchError::Distrusted),
        error => words(error),
    }
}

fn io_failed(error: &io::Error) -> FetchError {
    let inner = error.get_ref();
    if let Some(NotAllowed(address)) = inner.and_then(|inner| inner.downcast_ref()) {
        return FetchError::Refused { address: *address };
    }
    // Reading a body wraps the HTTP client's own errors.
    if let Some(Error::Timeout(_)) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
        return FetchError::TooSlow;
    }
    if error.kind() == io::ErrorKind::TimedOut {
        return FetchError::TooSlow;
    }
    cert_error(error).map_or_else(|| words(error), FetchError::Distrusted)
}

fn words(error: &dyn fmt::Display) -> FetchError {
    FetchError::Network(error.to_string().chars().filter(|char| !char.is_control()).take(WORDS).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    /// A server on loopback that answers each connection with the next of these.
    fn host(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = [0; 4_096];
                let _ = stream.read(&mut head).unwrap();
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        format!("http://{address}/x")
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    fn to(place: &str) -> String {
        format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }

    fn fetcher(allow: &str) -> SafeFetcher {
        SafeFetcher::new(Networks::parse(allow).unwrap(), None)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn loopback_is_fetched_from_only_where_it_is_allowed() {
        let refused = fetcher("").get(&host(vec![ok("secret")]), 100).await.unwrap_err();
        assert!(matches!(refused, FetchError::Refused { .. }), "{refused:?}");
        let named = fetcher("").get("http://localhost:1/", 100).await.unwrap_err();
        assert!(matches!(named, FetchError::Refused { .. }), "{named:?}");
        assert_eq!(fetcher("127.0.0.0/8").get(&host(vec![ok("fine")]), 4).await.unwrap(), b"fine");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_redirect_leads_to_nothing_that_is_not_allowed() {
        let open = fetcher("127.0.0.1");
        for place in [
            "http://127.0.0.2:1/",
            "http://[::1]:1/",
            "http://169.254.169.254/latest",
            "http://[::ffff:10.0.0.1]/",
        ] {
            let refused = open.get(&host(vec![to(place)]), 100).await.unwrap_err();
            assert!(matches!(refused, FetchError::Refused { .. }), "{place}: {refused:?}");
        }
        let end = host(vec![ok("there")]);
        assert_eq!(open.get(&host(vec![to(&end)]), 100).await.unwrap(), b"there");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("http://{}/x", listener.local_addr().unwrap());
        drop(listener);
        let round = host(vec![to("/x"); 8]);
        let refused = open.get(&round, 100).await.unwrap_err();
        assert!(matches!(refused, FetchError::Redirects), "{refused:?}");
        assert!(matches!(open.get(&own, 100).await, Err(FetchError::Network(_))));
        assert!(open.get(&host(vec![to("file:///etc/passwd")]), 100).await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_comes_is_bounded_and_never_told() {
        let open = fetcher("127.0.0.1");
        let large = open.get(&host(vec![ok("12345")]), 4).await.unwrap_err();
        assert!(matches!(large, FetchError::TooLarge(4)), "{large:?}");
        let answer =
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret".to_owned();
        let refused = open.get(&host(vec![answer]), 100).await.unwrap_err();
        assert!(matches!(refused, FetchError::Status(403)), "{refused:?}");
        let odd = open.get(&host(vec!["SSH-2.0-secret\r\n".into()]), 100).await.unwrap_err().to_string();
        assert!(!odd.contains("secret"), "{odd}");
    }

    #[test]
    fn addresses_are_whole_and_without_passwords() {
        for bad in [
            "",
            "x",
            "ftp://a/b",
            "file:///etc/passwd",
            "https://",
            "https:///x",
            "http://a:b@c/",
            "http://a b/",
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
        assert_eq!(checked(" HTTPS://Example.org/A?b ").unwrap(), "https://Example.org/A?b");
        assert!(checked(&format!("http://a/{}", "x".repeat(3_000))).is_err());
    }
}
