//! Checks whether a browser's request comes from one of the panel's own pages.

use crate::error::{ApiError, Code};

/// The headers that tell where a request comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct SiteCheck<'a> {
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
    /// `Host`.
    pub host: Option<&'a str>,
    /// Whether it arrived at the panel by TLS.
    pub secure: bool,
}

/// Additional origins of the panel (`PUBLIC_URL`), beside the request's own host.
#[derive(Clone, Debug, Default)]
pub struct OwnOrigins(Vec<String>);

impl OwnOrigins {
    /// Takes the origin of a URL (`https://panel.example/x` counts as `https://panel.example`).
    pub fn new(public_url: Option<&str>) -> Self {
        Self(public_url.and_then(origin_of).into_iter().collect())
    }

    /// The rule for state-changing calls by cookie: `Origin`, if sent, must be the panel's; else `Sec-Fetch-Site` must
    /// be absent, `same-origin` or `none`.
    pub(super) fn check_change(&self, site: &SiteCheck<'_>) -> Result<(), ApiError> {
        let fine = match site.origin {
            Some(origin) => self.is_ours(origin, site),
            None => matches!(site.fetch_site, None | Some("same-origin" | "none")),
        };
        if fine { Ok(()) } else { Err(bad_origin()) }
    }

    /// The rule for sockets by cookie: an `Origin` is required and must be the panel's.
    pub(super) fn check_socket(&self, site: &SiteCheck<'_>) -> Result<(), ApiError> {
        match site.origin {
            Some(origin) if self.is_ours(origin, site) => Ok(()),
            _ => Err(bad_origin()),
        }
    }

    fn is_ours(&self, origin: &str, site: &SiteCheck<'_>) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.0.contains(&origin) {
            return true;
        }
        // Behind a proxy that ends TLS the page is https while the panel receives http, so only host and port are
        // compared.
        let (authority, default_port) =
            match (origin.strip_prefix("http://"), origin.strip_prefix("https://")) {
                (Some(_), _) if site.secure => return false,
                (Some(authority), _) => (authority, ":80"),
                (None, Some(authority)) => (authority, ":443"),
                (None, None) => return false,
            };
        let without = |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).to_owned();
        // Browsers omit the scheme's default port from an origin; proxies may add it to the host.
        site.host.is_some_and(|host| {
            !without(authority).is_empty() && without(authority) == without(&host.to_ascii_lowercase())
        })
    }
}

fn bad_origin() -> ApiError {
    ApiError::new(Code::BadOrigin, "This call came from a page that is not the panel's.")
}

fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    let origin = format!("{scheme}://{authority}").to_ascii_lowercase();
    let default_port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    Some(origin.strip_suffix(default_port).map_or_else(|| origin.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> OwnOrigins {
        OwnOrigins::new(Some("https://Panel.Example:443/games"))
    }

    #[test]
    fn changes_need_an_origin_of_ours_or_a_silent_client() {
        let with = |origin, fetch_site| {
            let site = SiteCheck { origin, fetch_site, host: Some("127.0.0.1:3000"), secure: false };
            own().check_change(&site).is_ok()
        };
        assert!(with(None, None));
        assert!(with(None, Some("same-origin")));
        assert!(with(None, Some("none")));
        assert!(!with(None, Some("cross-site")));
        assert!(!with(None, Some("same-site")));
        assert!(with(Some("http://127.0.0.1:3000"), Some("cross-site")));
        assert!(with(Some("https://panel.example"), None));
        for foreign in [
            "http://evil.test",
            "null",
            "http://127.0.0.1:9999",
            "http://127.0.0.1",
            "",
            "http://",
            "ftp://127.0.0.1:3000",
        ] {
            assert!(!with(Some(foreign), Some("same-origin")), "{foreign}");
        }
    }

    #[test]
    fn the_port_of_a_scheme_may_be_left_out() {
        let ours = |origin, host, secure| {
            let site = SiteCheck { origin: Some(origin), host: Some(host), secure, fetch_site: None };
            OwnOrigins::default().check_change(&site).is_ok()
        };
        for secure in [false, true] {
            assert!(ours("https://panel.example.org", "panel.example.org:443", secure));
            assert!(ours("https://panel.example.org", "Panel.Example.org", secure));
            assert!(ours("https://[2001:db8::1]", "[2001:db8::1]:443", secure));
            assert!(!ours("https://panel.example.org", "panel.example.org:80", secure));
            assert!(!ours("https://panel.example.org:444", "panel.example.org:443", secure));
            assert!(!ours("https://panel.example.org", "panel.example.org:8443", secure));
            assert!(!ours("https://:443", ":443", secure));
        }
        assert!(ours("http://panel.example.org", "panel.example.org:80", false));
        assert!(!ours("http://panel.example.org", "panel.example.org:443", false));
    }

    #[test]
    fn sockets_need_an_origin() {
        let site = |origin| SiteCheck { origin, host: Some("[::1]:3000"), ..SiteCheck::default() };
        assert!(own().check_socket(&site(Some("http://[::1]:3000"))).is_ok());
        assert!(own().check_socket(&site(None)).is_err());
        assert!(own().check_socket(&site(Some("null"))).is_err());
    }

    #[test]
    fn a_page_without_tls_is_not_ours_once_we_have_it() {
        let site =
            SiteCheck { origin: Some("http://h"), host: Some("h"), secure: true, ..SiteCheck::default() };
        assert!(own().check_change(&site).is_err());
    }
}
