//! The host names that the panel accepts. A page of another site can point its own name at the panel's address (DNS
//! rebinding), and its scripts then have the same origin as the panel. Requests with an unknown host are refused before
//! anything else.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agent::host::{self, Sources};
use hyper::header::{ACCEPT, HOST};
use hyper::{Request, StatusCode};

use super::peer::AskedHost;
use super::reply::{self, Response};
use crate::error::{ApiError, Code};

/// How long the machine's names are cached.
const KEPT: Duration = Duration::from_secs(10);
/// Longest name shown in an error.
const LONGEST: usize = 253;

/// Accepted host names. Cheap to clone.
#[derive(Clone)]
pub struct Hosts(Arc<Inner>);

struct Inner {
    /// The host of `PUBLIC_URL` and names set by the operator. A leading dot allows all subdomains.
    given: Vec<String>,
    sources: Sources,
    machine: Mutex<Option<(Instant, BTreeSet<String>)>>,
}

impl Hosts {
    /// Accepts the machine's own names and those given.
    pub fn new(public_url: Option<&str>, allowed: &[String]) -> Self {
        Self::with(public_url, allowed, Sources::default())
    }

    fn with(public_url: Option<&str>, allowed: &[String], sources: Sources) -> Self {
        let public =
            public_url.and_then(|url| url.split_once("://")).and_then(|(_, authority)| name_of(authority));
        let given = allowed.iter().cloned().chain(public).collect();
        Self(Arc::new(Inner { given, sources, machine: Mutex::default() }))
    }

    /// An error response if the request's host is not accepted.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), Box<Response>> {
        let asked = request.extensions().get::<AskedHost>().map(|asked| asked.0.as_bytes());
        let host = asked.or_else(|| request.headers().get(HOST).map(|value| value.as_bytes()));
        // Requests to proxies have the host in their first line, which takes precedence.
        let first_line = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        // A request without a host (HTTP/1.0) does not come from a browser.
        let foreign = [host, first_line].into_iter().flatten().find(|host| !self.allow(host));
        foreign.map_or(Ok(()), |host| Err(Box::new(refusal(request, host))))
    }

    fn allow(&self, host: &[u8]) -> bool {
        let Some(name) = str::from_utf8(host).ok().and_then(name_of) else { return false };
        if name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".local") {
            return true;
        }
        let below = |given: &String| given.starts_with('.') && name.ends_with(given.as_str());
        self.0.given.iter().any(|given| *given == name || below(given)) || self.machine_has(&name)
    }

    fn machine_has(&self, name: &str) -> bool {
        let mut kept = self.0.machine.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|(read, _)| read.elapsed() >= KEPT) {
            *kept = Some((Instant::now(), machine_names(&self.0.sources)));
        }
        kept.as_ref().is_some_and(|(_, names)| names.contains(name))
    }
}

/// The host of `HOST:PORT` in lower case, without a trailing dot; an IPv6 address without brackets.
fn name_of(authority: &str) -> Option<String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, port)
        }
        None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    let fine = port.bytes().all(|byte| byte.is_ascii_digit()) && port.len() <= 5;
    let host = host.strip_suffix('.').unwrap_or(host);
    (fine && !host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// The machine's names: its host name, alone and with its search domains, and those in `/etc/hosts`.
fn machine_names(sources: &Sources) -> BTreeSet<String> {
    let Some(host) = host::hostname(sources) else { return BTreeSet::new() };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let short = host.split('.').next().unwrap_or_default().to_owned();
    let mut names = BTreeSet::from([host.clone(), short.clone()]);
    let text = |path: &str| sources.text(path).unwrap_or_default();
    for line in text("etc/resolv.conf").lines() {
        let mut words = line.split_whitespace();
        if matches!(words.next(), Some("search" | "domain")) {
            let domains = words.map(|word| word.trim_matches('.').to_ascii_lowercase());
            names.extend(
                domains.filter(|domain| !domain.is_empty()).map(|domain| format!("{short}.{domain}")),
            );
        }
    }
    for line in text("etc/hosts").lines() {
        let words: Vec<_> = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .map(str::to_ascii_lowercase)
            .collect();
        let whole = format!("{short}.");
        if words.contains(&host) || words.contains(&short) {
            names.extend(words.into_iter().filter(|word| word.starts_with(&whole)));
        }
    }
    names
}

/// 421, with a message for the operator: JSON for programs, text for a browser that loads a page.
fn refusal<B>(request: &Request<B>, host: &[u8]) -> Response {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    let shown =
        str::from_utf8(host).ok().filter(|text| text.len() <= LONGEST && text.bytes().all(|b| plain(&b)));
    let name = shown.and_then(name_of);
    let called = name.as_deref().map_or_else(|| "this name".to_owned(), |name| format!("\"{name}\""));
    let sentence = format!(
        "This panel does not answer to {called}. Open it by its address, or allow the name: ALLOWED_HOSTS={}.",
        name.as_deref().unwrap_or("NAME")
    );
    tracing::debug!(host = name, "called by a name that is not ours");
    let path = request.uri().path();
    let accepts = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") && !path.starts_with("/api") {
        let text = format!(
            "421 Misdirected Request\n\n{sentence}\n\nOn the panel's machine that is a line in /etc/default/ctrl-alt-play, \
             allowed_hosts in config.toml, or the flag --allowed-hosts; more names have commas between. PUBLIC_URL's name \
             is allowed too. Restart the panel then.\n"
        );
        return reply::bytes_of(StatusCode::MISDIRECTED_REQUEST, "text/plain; charset=utf-8", text);
    }
    reply::error(&ApiError::new(Code::UnknownHost, sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> (tempfile::TempDir, Hosts) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("proc/sys/kernel/hostname", "Attic\n"),
            ("etc/resolv.conf", "nameserver 192.0.2.1\nsearch fritz.box tail1234.ts.net.\n"),
            (
                "etc/hosts",
                "127.0.0.1 localhost\n127.0.1.1 attic.example.net attic # here\n192.0.2.9 other.example.net\n",
            ),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let allowed = ["panel".to_owned(), ".example.com".to_owned()];
        let sources = Sources::below(root.path());
        (root, Hosts::with(Some("https://Panel.Example.org:8443"), &allowed, sources))
    }

    #[test]
    fn our_names_and_no_others() {
        let (_root, hosts) = hosts();
        for ours in [
            "127.0.0.1",
            "192.168.1.20:3000",
            "[::1]:3000",
            "[2001:db8::1]",
            "localhost:3000",
            "LOCALHOST",
            "localhost.",
            "box.local",
            "BOX-2.LOCAL.:3000",
            "attic",
            "attic.fritz.box:3000",
            "attic.tail1234.ts.net",
            "attic.example.net",
            "panel.example.org",
            "Panel.Example.Org.:8443",
            "panel:3000",
            "a.example.com",
            "a.b.example.com:1",
        ] {
            assert!(hosts.allow(ours.as_bytes()), "{ours}");
        }
        for foreign in [
            "evil.test",
            "",
            ":3000",
            ".",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "evil.test:3000",
            "local",
            "evillocal",
            "example.com",
            "badexample.com",
            "attic.evil.test",
            "other.example.net",
            "panel.example.org.evil.test",
            "2130706433",
            "0x7f.1",
            "[::1].evil.test",
            "[::1",
            "::1",
            "localhost:x",
            "localhost:999999",
            "a@localhost",
            "localhost/evil",
            "panel.example.org..",
            "fritz.box",
            "xn--lcalhost-n4b",
        ] {
            assert!(!hosts.allow(foreign.as_bytes()), "{foreign}");
        }
        assert!(!hosts.allow(b"\xff.local"));
    }

    #[test]
    fn both_places_of_a_request_count() {
        let (_root, hosts) = hosts();
        let request = |uri: &str, host: Option<&str>| {
            let request = Request::builder().uri(uri);
            host.map_or(Request::builder().uri(uri), |host| request.header(HOST, host)).body(()).unwrap()
        };
        let fine = |uri: &str, host: Option<&str>| hosts.check(&request(uri, host)).is_ok();
        assert!(fine("/", Some("localhost")) && fine("/", None));
        assert!(fine("http://localhost/", Some("localhost")));
        assert!(!fine("http://evil.test/", Some("localhost")));
        assert!(!fine("http://localhost/", Some("evil.test")));
        let mut through = request("/", Some("backend"));
        through.extensions_mut().insert(AskedHost("panel.example.org".into()));
        assert!(hosts.check(&through).is_ok());
        through.extensions_mut().insert(AskedHost("evil.test".into()));
        assert!(hosts.check(&through).is_err());
    }
}
