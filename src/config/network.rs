//! Settings for reverse proxies, host names and fetches.

use std::net::IpAddr;

use super::layer::{ConfigError, Layer, Setting};

/// Trusted reverse proxies, additional host names, and networks that may be fetched from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSettings {
    /// Proxies whose headers for client address and host are trusted.
    pub trusted_proxies: Networks,
    /// Networks from which links given by users may be fetched, in addition to public addresses.
    pub fetch_allow: Networks,
    /// Additional host names of the panel; `.example.org` allows all of its subdomains.
    pub allowed_hosts: Vec<String>,
}

impl NetworkSettings {
    pub(super) fn of(found: &Layer) -> Result<Self, ConfigError> {
        let list = |name| found.get(name).map(|given| (given, words(&given.value)));
        let mut settings = Self::default();
        let networks = |name| found.get(name).map_or_else(|| Ok(Networks::default()), Networks::of);
        settings.trusted_proxies = networks("trusted_proxies")?;
        settings.fetch_allow = networks("fetch_allow")?;
        if let Some((given, words)) = list("allowed_hosts") {
            for word in words {
                settings.allowed_hosts.push(host_name(given, word)?);
            }
        }
        Ok(settings)
    }
}

/// Splits at commas and spaces.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty())
}

fn host_name(given: &Setting, word: &str) -> Result<String, ConfigError> {
    let name = word.strip_prefix('*').unwrap_or(word).trim_end_matches('.').to_ascii_lowercase();
    let below = name.strip_prefix('.').unwrap_or(&name);
    let fine = !below.is_empty()
        && below.len() <= 253
        && !below.split('.').any(str::is_empty)
        && below.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        && (!word.starts_with('*') || name.starts_with('.'));
    if fine {
        return Ok(name);
    }
    Err(given.bad(format!(
        "\"{word}\" is no name of a machine: it has to be one such as panel.example.org, without scheme and port, or \
         .example.org for all below it"
    )))
}

/// A set of IP addresses and networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    fn of(given: &Setting) -> Result<Self, ConfigError> {
        Self::parse(&given.value).map_err(|word| {
            given.bad(format!(
                "\"{word}\" is no address: it has to be one such as 192.168.1.2, or a network such as 172.18.0.0/16"
            ))
        })
    }

    /// Parses addresses and networks separated by commas or spaces.
    ///
    /// # Errors
    /// The first invalid word.
    pub fn parse(text: &str) -> Result<Self, String> {
        words(text)
            .map(|word| Network::parse(word).ok_or_else(|| word.to_owned()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether it contains this address.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// Prefix length in bits.
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
            None => all,
        };
        // `::ffff:192.168.0.0/112` is `192.168.0.0/16`, because client addresses are always in that form.
        let canonical = address.to_canonical();
        match (address, canonical) {
            (IpAddr::V6(_), IpAddr::V4(_)) if (96..=128).contains(&bits) => {
                Some(Self { address: canonical, bits: bits - 96 })
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => None,
            _ => (bits <= all).then_some(Self { address, bits }),
        }
    }

    fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (u32::from(own) ^ u32::from(other)).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (u128::from(own) ^ u128::from(other)).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// A public URL: scheme and host, with an optional port and nothing after that.
pub(super) fn public_url(given: &Setting) -> Result<String, ConfigError> {
    let url = given.value.trim();
    let url = url.strip_suffix('/').unwrap_or(url);
    let bad = |problem: &str| Err(given.bad(problem.to_owned()));
    let authority = match url.split_once("://") {
        Some((scheme, rest))
            if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") =>
        {
            rest
        }
        _ => "",
    };
    if authority.is_empty() || authority.starts_with('/') {
        return bad("has to be a whole address, such as https://panel.example.org");
    }
    if authority.contains(['/', '?', '#']) {
        return bad(
            "has to end after the host: the panel is served at the root of a name of its own, such as \
             https://panel.example.org, and not below a path",
        );
    }
    if authority.contains(['@', '\\']) || authority.contains(char::is_whitespace) {
        return bad("has to be a plain address, such as https://panel.example.org");
    }
    let (scheme, _) = url.split_at(url.len() - authority.len());
    Ok(format!("{}{authority}", scheme.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(value: &str) -> Setting {
        Setting { value: value.into(), from: "NAME".into() }
    }

    fn settings(name: &'static str, value: &str) -> Result<NetworkSettings, ConfigError> {
        NetworkSettings::of(&Layer::from([(name, found(value))]))
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        let proxies = settings(
            "trusted_proxies",
            "127.0.0.1, 172.18.0.0/16 fd00::/8,[2001:db8::1] ::ffff:10.0.0.0/104",
        )
        .unwrap()
        .trusted_proxies;
        let contains = |text: &str| proxies.contain(text.parse().unwrap());
        for inside in
            ["127.0.0.1", "172.18.255.3", "fd12::9", "2001:db8::1", "::ffff:127.0.0.1", "10.200.0.1"]
        {
            assert!(contains(inside), "{inside}");
        }
        for outside in ["127.0.0.2", "172.19.0.1", "fe80::1", "2001:db8::2", "::1", "11.0.0.1"] {
            assert!(!contains(outside), "{outside}");
        }
        let all = settings("trusted_proxies", "0.0.0.0/0").unwrap().trusted_proxies;
        assert!(all.contain("203.0.113.9".parse().unwrap()) && !all.contain("::1".parse().unwrap()));
        assert!(!Networks::default().contain("127.0.0.1".parse().unwrap()));
        for bad in ["proxy", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "::/129", "10.0.0.0/+8"] {
            let error = settings("trusted_proxies", bad).unwrap_err().to_string();
            assert!(error.starts_with("NAME: ") && error.contains(bad), "{error}");
        }
    }

    #[test]
    fn hosts_are_names() {
        let hosts = settings("allowed_hosts", "Panel.Example.org., nas *.example.net .example.com").unwrap();
        assert_eq!(hosts.allowed_hosts, ["panel.example.org", "nas", ".example.net", ".example.com"]);
        for bad in ["https://panel", "panel:3000", "*", ".", "a..b", "a/b", "*x"] {
            assert!(settings("allowed_hosts", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_public_address_has_no_path() {
        let good = |value: &str| public_url(&found(value)).unwrap();
        assert_eq!(good("https://panel.example.org/"), "https://panel.example.org");
        assert_eq!(good(" HTTP://Panel:3000 "), "http://Panel:3000");
        assert_eq!(good("https://[2001:db8::1]:8443"), "https://[2001:db8::1]:8443");
        for bad in ["https://h/games", "https://h/games/", "https://h//", "https://h?x", "https://h#x"] {
            let error = public_url(&found(bad)).unwrap_err().to_string();
            assert!(error.starts_with("NAME: ") && error.contains("path"), "{bad}: {error}");
        }
        for bad in
            ["panel", "ftp://h", "https://", "https:///x", "https://a@b", "https://a b", "https://a\\b"]
        {
            assert!(public_url(&found(bad)).is_err(), "{bad}");
        }
    }
}
