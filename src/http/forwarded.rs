//! Headers set by reverse proxies: `X-Forwarded-For`, `-Proto`, `-Host`, and `Forwarded` (RFC 7239).
//!
//! Only entries written by trusted proxies count. Each proxy appends to the header it received, so the header is read
//! from the right, as long as the entry's author is trusted. Entries sent by a client are further left and never
//! reached.

use std::net::{IpAddr, SocketAddr};

use hyper::Request;
use hyper::header::HeaderMap;

use super::peer::{AskedHost, Peer};
use crate::config::Networks;

/// Most proxies in a chain.
const MOST: usize = 16;
/// Longest host name, in bytes.
const LONGEST_HOST: usize = 261;

/// Evaluates the headers of trusted proxies. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Forwarded(std::sync::Arc<Networks>);

/// The entry of one proxy.
#[derive(Debug, Default, PartialEq)]
struct Hop {
    address: Option<IpAddr>,
    proto: Option<String>,
    host: Option<String>,
}

impl Forwarded {
    /// `trusted` are the addresses of proxies whose headers count.
    pub fn new(trusted: Networks) -> Self {
        Self(std::sync::Arc::new(trusted))
    }

    /// Replaces the peer by the client for requests from trusted proxies. Headers of any other peer are ignored.
    pub fn resolve<B>(&self, request: &mut Request<B>) {
        let peer = request.extensions().get::<Peer>().copied().unwrap_or_default();
        if !self.0.contain(peer.address) {
            return;
        }
        let headers = request.headers();
        let standard = self.follow(peer.address, &elements(headers));
        let usual = self.follow(peer.address, &lists(headers));
        let (address, hop) = match (standard, usual) {
            (Some((one, said)), Some((other, usually))) => {
                let address = match (one == peer.address, other == peer.address) {
                    (false, false) if one == other => one,
                    // A proxy sets one of the two headers and passes on the other as the client sent it. It is unknown
                    // which, so the proxy counts as the client.
                    (false, false) | (true, true) => peer.address,
                    (false, true) => one,
                    (true, false) => other,
                };
                let (proto, host) = (usually.proto.or(said.proto), usually.host.or(said.host));
                (address, Hop { address: None, proto, host })
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return,
        };
        let secure = match hop.proto.as_deref() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            _ => peer.secure,
        };
        request.extensions_mut().insert(Peer { address, secure });
        if let Some(host) = hop.host {
            request.extensions_mut().insert(AskedHost(host));
        }
    }

    /// Follows the entries from the right while their author is trusted; returns the client and the entry about its
    /// request.
    fn follow(&self, peer: IpAddr, hops: &[Hop]) -> Option<(IpAddr, Hop)> {
        let mut client = peer;
        let mut said = None;
        for hop in hops.iter().rev().take(MOST) {
            if !self.0.contain(client) {
                break;
            }
            let (proto, host) = (hop.proto.clone(), hop.host.clone());
            said = Some(Hop { address: None, proto, host });
            match hop.address {
                Some(address) => client = address,
                // Hidden, unknown or malformed: entries further left cannot be trusted.
                None => break,
            }
        }
        said.map(|said| (client, said))
    }
}

/// The elements of `Forwarded`.
fn elements(headers: &HeaderMap) -> Vec<Hop> {
    let texts = headers.get_all("forwarded").iter().map(|value| value.to_str().unwrap_or_default());
    texts
        .flat_map(|text| split(text, ','))
        .map(|element| {
            let mut hop = Hop::default();
            for pair in split(element, ';') {
                let Some((name, value)) = pair.split_once('=') else { continue };
                let value = unquoted(value.trim());
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => hop.address = address(&value),
                    "proto" => hop.proto = Some(value.to_ascii_lowercase()),
                    "host" => hop.host = host(&value),
                    _ => {}
                }
            }
            hop
        })
        .collect()
}

/// The lists of `X-Forwarded-For`, `-Proto` and `-Host`, aligned at their right ends.
fn lists(headers: &HeaderMap) -> Vec<Hop> {
    let list = |name: &str| -> Vec<&str> {
        let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
        values.flat_map(|text| text.split(',')).map(str::trim).collect()
    };
    let (addresses, protos, hosts) =
        (list("x-forwarded-for"), list("x-forwarded-proto"), list("x-forwarded-host"));
    let length = [addresses.len(), protos.len(), hosts.len()].into_iter().max().unwrap_or(0);
    // Many proxies pass on a single value for the other two, set by the first of them.
    let at = |list: &[&str], back: usize| -> Option<String> {
        let last = list.len().checked_sub(1)?;
        list.get(last.saturating_sub(back)).map(ToString::to_string)
    };
    (0..length)
        .rev()
        .map(|back| Hop {
            address: addresses.len().checked_sub(back + 1).and_then(|at| address(addresses[at])),
            proto: at(&protos, back).map(|proto| proto.to_ascii_lowercase()),
            host: at(&hosts, back).and_then(|text| host(&text)),
        })
        .collect()
}

/// Splits at `sign` outside of quotes.
fn split(text: &str, sign: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        let literal = std::mem::take(&mut escaped);
        match c {
            '\\' if quoted && !literal => escaped = true,
            '"' if !literal => quoted = !quoted,
            _ => {}
        }
        c == sign && !quoted
    })
}

fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut literal = false;
    inner
        .chars()
        .filter(|c| {
            literal = *c == '\\' && !literal;
            !literal
        })
        .collect()
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|both| both.ip()));
    address.ok().map(|address| address.to_canonical())
}

fn host(text: &str) -> Option<String> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    ((1..=LONGEST_HOST).contains(&text.len()) && text.bytes().all(fine)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags};

    fn seen(trusted: &str, peer: &str, headers: &[(&str, &str)]) -> (String, bool, Option<String>) {
        let given = vec![("trusted_proxies", trusted.to_owned()), ("data_dir", "/nowhere".to_owned())];
        let config = Config::load(Flags { config: None, given, of_agent: false }, &|_| None).unwrap();
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        request.extensions_mut().insert(Peer { address: peer.parse().unwrap(), secure: false });
        Forwarded::new(config.network.trusted_proxies).resolve(&mut request);
        let peer = request.extensions().get::<Peer>().copied().unwrap();
        let host = request.extensions().get::<AskedHost>().map(|host| host.0.clone());
        (peer.address.to_string(), peer.secure, host)
    }

    fn client(headers: &[(&str, &str)]) -> String {
        seen("10.0.0.0/8", "10.0.0.1", headers).0
    }

    #[test]
    fn strangers_say_nothing() {
        let all = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "panel.example.org"),
            ("forwarded", "for=203.0.113.9;proto=https;host=panel.example.org"),
        ];
        for (trusted, peer) in [("10.0.0.1", "192.0.2.1"), ("", "10.0.0.1")] {
            assert_eq!(seen(trusted, peer, &all), (peer.to_owned(), false, None), "{trusted:?}");
        }
        let seen = seen("10.0.0.1", "10.0.0.1", &all);
        assert_eq!(seen, ("203.0.113.9".to_owned(), true, Some("panel.example.org".to_owned())));
    }

    #[test]
    fn it_is_read_from_the_right() {
        assert_eq!(client(&[("x-forwarded-for", "1.1.1.1, 203.0.113.9")]), "203.0.113.9");
        assert_eq!(client(&[("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.9.9.9")]), "203.0.113.9");
        assert_eq!(
            client(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.9")]),
            "203.0.113.9"
        );
        assert_eq!(client(&[("x-forwarded-for", "10.1.1.1, 10.2.2.2")]), "10.1.1.1", "all of the house");
        assert_eq!(client(&[("forwarded", "for=1.1.1.1, for=203.0.113.9;by=10.0.0.1")]), "203.0.113.9");
        let quoted = r#"for="1.1.1.1, for=2.2.2.2", For="[2001:db8::9]:47011";proto=https"#;
        assert_eq!(client(&[("forwarded", quoted)]), "2001:db8::9");
    }

    #[test]
    fn garbage_is_ignored() {
        for garbage in
            ["", ",", "unknown", "_hidden", "999.1.1.1", "<script>", "1.1.1.1.1", "[::1", "localhost"]
        {
            assert_eq!(client(&[("x-forwarded-for", garbage)]), "10.0.0.1", "{garbage}");
            assert_eq!(client(&[("forwarded", &format!("for={garbage}"))]), "10.0.0.1", "{garbage}");
            let after = format!("1.1.1.1, {garbage}, 10.3.3.3");
            assert_eq!(client(&[("x-forwarded-for", &after)]), "10.3.3.3", "{garbage}");
        }
        assert_eq!(client(&[("forwarded", "for=1.1.1.1, \"")]), "10.0.0.1");
        assert_eq!(client(&[("x-forwarded-for", "203.0.113.9:4711")]), "203.0.113.9");
        assert_eq!(client(&[("x-forwarded-for", "::ffff:203.0.113.9")]), "203.0.113.9");
        let strange = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-host", "a b"),
        ];
        assert_eq!(seen("10.0.0.1", "10.0.0.1", &strange), ("203.0.113.9".to_owned(), false, None));
    }

    #[test]
    fn what_the_client_adds_does_not_count() {
        let two = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=127.0.0.1")];
        assert_eq!(client(&two), "10.0.0.1", "two that contradict each other");
        let both = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9;proto=https")];
        assert!(seen("10.0.0.1", "10.0.0.1", &both).1);
        let appended = [
            ("x-forwarded-for", "6.6.6.6, 203.0.113.9"),
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-host", "evil.test, panel.example.org"),
        ];
        let seen = seen("10.0.0.1", "10.0.0.1", &appended);
        assert_eq!(seen, ("203.0.113.9".to_owned(), false, Some("panel.example.org".to_owned())));
    }
}
