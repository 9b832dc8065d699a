//! HTTP client for targets: uses our resolver and certificate authorities, has limits for time and size, and retries
//! after network and server errors.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ureq::config::Config;
use ureq::http::{Method, Request, StatusCode, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error, SendBody};

use super::files::LARGEST;
use crate::backups::worker::message::{Failure, FailureCode};
use crate::backups::worker::runtime::runtime;
use crate::remote::{authorities, cert_error, crypto_provider};

/// Wait before the first retry. Doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const CONNECTED: Duration = Duration::from_secs(15);
/// Time until the response starts.
const ANSWERED: Duration = Duration::from_secs(90);
/// Time for a whole request, enough for a pack on a slow line.
const WHOLE: Duration = Duration::from_secs(15 * 60);
/// Most bytes of an error response.
const EXPLANATION: u64 = 64 * 1024;

/// Client for one server.
pub(super) struct Client {
    agent: Agent,
    attempts: u32,
    /// Name of the target in messages.
    shown: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Client").field(&self.shown).finish()
    }
}

/// A response.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn is_good(&self) -> bool {
        self.status.is_success()
    }
}

/// Resolves names without the C library.
#[derive(Debug)]
struct Names;

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, limit: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        let looked = async { tokio::time::timeout(*limit.after, crate::dns::lookup(host)).await };
        let runtime = runtime().map_err(Error::Io)?;
        let found = runtime.block_on(looked).map_err(|_| Error::Timeout(limit.reason))?;
        let mut resolved = self.empty();
        // The list has room for 16.
        for address in found.map_err(|cause| Error::Io(cause.into()))?.into_iter().take(16) {
            resolved.push((address, port).into());
        }
        Ok(resolved)
    }
}

impl Client {
    /// Creates a client for this server.
    pub(super) fn new(uri: &Uri, attempts: u32) -> Result<Self, Failure> {
        let tls = TlsConfig::builder();
        let file = std::env::var_os("SSL_CERT_FILE");
        let trusted = authorities(file.as_deref().map(Path::new))
            .map_err(|error| Failure::new(FailureCode::Failed, error.to_string()))?;
        let trusted: Vec<_> = trusted.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
        let tls = tls.root_certs(RootCerts::Specific(Arc::new(trusted)));
        let tls = tls.unversioned_rustls_crypto_provider(crypto_provider()).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("ctrl-alt-play/", env!("CARGO_PKG_VERSION")))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECTED))
            .timeout_recv_response(Some(ANSWERED))
            .timeout_global(Some(WHOLE))
            .build();
        let agent = Agent::with_parts(config, DefaultConnector::default(), Names);
        let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self { agent, attempts, shown: format!("{}{port}", uri.host().unwrap_or_default()) })
    }

    /// Sends a request, with retries. `make` builds its head for each attempt. Fails if there is no response, or only
    /// server errors.
    pub(super) fn ask(
        &self,
        make: impl Fn() -> ureq::http::request::Builder,
        content: Option<&[Bytes]>,
    ) -> Result<Answer, Failure> {
        let mut wait = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let answer = self.once(make(), content);
            let (failure, again) = match answer {
                Ok(answer) if answer.status.is_server_error() || answer.status.as_u16() == 429 => {
                    (self.refused(&answer), answer.status.as_u16() != 507 && answer.status.as_u16() != 501)
                }
                Ok(answer) => return Ok(answer),
                Err(error) => (self.unreachable(&error), worth_another(&error)),
            };
            if !again || attempt >= self.attempts {
                return Err(failure);
            }
            attempt += 1;
            pause(wait + wait.mul_f64(rand::random_range(0.0..0.3)));
            wait *= 2;
        }
    }

    fn once(&self, head: ureq::http::request::Builder, content: Option<&[Bytes]>) -> Result<Answer, Error> {
        let mut response = match content {
            Some(content) => {
                let length: usize = content.iter().map(Bytes::len).sum();
                let mut reader = Slices { content, at: 0 };
                let request: Request<SendBody<'_>> =
                    head.header("content-length", length).body(SendBody::from_reader(&mut reader))?;
                self.agent.run(request)?
            }
            None => self.agent.run(head.body(())?)?,
        };
        let status = response.status();
        let most = if status.is_success() { LARGEST } else { EXPLANATION };
        let mut body = Vec::new();
        let mut reader = response.body_mut().with_config().limit(most).reader();
        match reader.read_to_end(&mut body) {
            Err(error) if status.is_success() => return Err(Error::Io(error)),
            _ => {}
        }
        Ok(Answer { status, body: body.into() })
    }

    fn unreachable(&self, error: &Error) -> Failure {
        let shown = &self.shown;
        if let Some(why) = cert_error(error) {
            let sentence = format!("The backup target {shown} is not trusted: {why}.");
            return Failure::new(FailureCode::Unreachable, sentence);
        }
        Failure::new(
            FailureCode::Unreachable,
            format!("The backup target {shown} cannot be reached: {error}."),
        )
    }

    /// The failure for a status code.
    pub(super) fn refused(&self, answer: &Answer) -> Failure {
        let shown = &self.shown;
        let (code, sentence) = match answer.status.as_u16() {
            401 | 403 => (
                FailureCode::Denied,
                format!(
                    "The backup target {shown} denies access: the user or password is wrong, or lacks permissions."
                ),
            ),
            404 => (FailureCode::NotFound, format!("The backup target {shown} does not have it.")),
            507 => (FailureCode::DiskFull, format!("The backup target {shown} has no room.")),
            301 | 302 | 307 | 308 => (
                FailureCode::Failed,
                format!("The backup target {shown} redirects to another address. Correct the address."),
            ),
            status => (
                FailureCode::Unreachable,
                format!(
                    "The backup target {shown} answered with the error {status}. It has a problem, or it is a server of another kind."
                ),
            ),
        };
        Failure::new(code, sentence)
    }

    /// Name of the target in messages.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// Parses the address of a target.
pub(super) fn address(text: &str) -> Result<Uri, Failure> {
    let bad = || {
        let sentence =
            "The address of the backup target has to be a whole one, such as https://backup.example.org.";
        Failure::new(FailureCode::Failed, sentence)
    };
    let uri: Uri = text.trim().parse().map_err(|_| bad())?;
    let whole = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    // Credentials in the address could end up in messages.
    if !whole || uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(bad());
    }
    Ok(uri)
}

/// The head of a request.
pub(super) fn head(method: Method, url: &str) -> ureq::http::request::Builder {
    Request::builder().method(method).uri(url)
}

fn worth_another(error: &Error) -> bool {
    match error {
        Error::Io(_)
        | Error::Timeout(_)
        | Error::HostNotFound
        | Error::ConnectionFailed
        | Error::Protocol(_)
        | Error::BodyStalled => cert_error(error).is_none(),
        _ => false,
    }
}

#[allow(clippy::disallowed_methods, reason = "the threads of a worker have nothing else to do")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Reads several buffers one after another.
struct Slices<'c> {
    content: &'c [Bytes],
    at: usize,
}

impl Read for Slices<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while let Some(first) = self.content.first() {
            let left = &first[self.at..];
            if left.is_empty() {
                self.content = &self.content[1..];
                self.at = 0;
                continue;
            }
            let count = left.len().min(buffer.len());
            buffer[..count].copy_from_slice(&left[..count]);
            self.at += count;
            return Ok(count);
        }
        Ok(0)
    }
}
