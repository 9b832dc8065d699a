//! Name resolution, and the addresses of the panel.

use std::net::IpAddr;
use std::time::Duration;

use super::views::Finding;

/// The default registry of images.
pub(super) const REGISTRY: &str = "registry-1.docker.io";
const PATIENCE: Duration = Duration::from_secs(3);

/// Result of resolving a name.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) name: String,
    pub(super) found: Result<Vec<IpAddr>, String>,
}

/// Resolves a name as every part of this program does, for 3 s at most.
pub(super) async fn resolve(name: &str) -> Resolved {
    let found = match tokio::time::timeout(PATIENCE, agent::dns::lookup(name)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(cause)) => Err(cause.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    };
    Resolved { name: name.to_owned(), found }
}

/// The host of a URL such as `https://panel.example.org:8443`; `None` for an IP address.
pub(super) fn host_of(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(_) => return None,
        None => authority.split(':').next().unwrap_or_default(),
    };
    (!host.is_empty() && host.parse::<IpAddr>().is_err()).then(|| host.to_owned())
}

/// Findings about the resolved names.
pub(super) fn names(resolved: &[Resolved], addresses: &[IpAddr]) -> Vec<Finding> {
    let mut found = Vec::new();
    for one in resolved {
        let cause = match &one.found {
            Ok(all) if !all.is_empty() => continue,
            Ok(_) => "it has no address",
            Err(cause) => cause,
        };
        let detail = format!("{} is not found: {cause}.", one.name);
        let (code, title, advice) = if one.name != REGISTRY {
            let advice = "Correct PUBLIC_URL in /etc/default/ctrl-alt-play, or the name at whoever keeps it.";
            ("own_name_unknown", "The panel's own name is not found", advice)
        } else if addresses.is_empty() {
            let advice =
                "Connect it to the network. What is here runs on; new images can't be fetched meanwhile.";
            ("offline", "This machine is not on a network", advice)
        } else {
            let advice = "Look at the name servers (`cat /etc/resolv.conf`, `resolvectl status`). What is here runs on; new \
                          images can't be fetched meanwhile.";
            ("dns", "Names are not found", advice)
        };
        found.push(Finding::warning("network", code, title, detail, advice).of(one.name.clone()));
    }
    if found.is_empty() && !resolved.is_empty() {
        let names: Vec<&str> = resolved.iter().map(|one| one.name.as_str()).collect();
        found.push(Finding::ok("network", "dns", "Names", format!("Found: {}.", names.join(", "))));
    }
    found
}

/// The addresses at which others reach the panel. `local` is its URL by mDNS, or why there is none.
pub(super) fn reached(
    bind: IpAddr,
    port: u16,
    addresses: &[IpAddr],
    local: Option<&Result<String, String>>,
) -> Vec<Finding> {
    if bind.is_loopback() {
        let detail = format!("It listens on {bind} only: nobody else in your network reaches it.");
        let advice = "For a reverse proxy on this machine that is right. For others: BIND=0.0.0.0 in /etc/default/ctrl-alt-play.";
        return vec![Finding::note(
            "network",
            "bind_loopback",
            "Only this machine reaches the panel",
            detail,
            advice,
        )];
    }
    let Some(local) = local else { return Vec::new() };
    let mut all: Vec<String> = local.as_ref().ok().into_iter().cloned().collect();
    let bound = |address: &&IpAddr| bind.is_unspecified() || **address == bind;
    let shown = |address: &IpAddr| format!("http://{}", std::net::SocketAddr::new(*address, port));
    all.extend(addresses.iter().filter(bound).map(shown));
    let mut found = vec![Finding::ok("network", "addresses", "Addresses", format!("{}.", all.join(", ")))];
    if all.is_empty() {
        found.clear();
    }
    if let Err(cause) = local {
        let detail = format!("There is no .local name: {cause}.");
        let advice = "Use an address instead. MDNS=off in /etc/default/ctrl-alt-play turns the name off, on is the default.";
        found.push(Finding::note("network", "mdns_off", "The panel is not found by name", detail, advice));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::codes;
    use super::*;

    #[test]
    fn hosts_of_addresses() {
        assert_eq!(host_of("https://panel.example.org:8443/x").as_deref(), Some("panel.example.org"));
        assert_eq!(host_of("http://192.168.1.2:3000"), None);
        assert_eq!(host_of("https://[::1]:3000"), None);
        assert_eq!(host_of(""), None);
    }

    #[test]
    fn names_are_found_or_not_and_offline_is_no_fault_of_a_name() {
        let one = |name: &str, ok: bool| Resolved {
            name: name.into(),
            found: if ok { Ok(vec![[1, 2, 3, 4].into()]) } else { Err("no answer".into()) },
        };
        let here: [IpAddr; 1] = [[192, 168, 1, 2].into()];
        assert_eq!(codes(&names(&[one(REGISTRY, true), one("panel.example.org", true)], &here)), ["dns"]);
        assert_eq!(names(&[one(REGISTRY, true)], &here)[0].level, super::super::Level::Ok);
        let found = names(&[one(REGISTRY, false), one("panel.example.org", false)], &here);
        assert_eq!(codes(&found), ["dns", "own_name_unknown"]);
        assert_eq!(found[0].level, super::super::Level::Warning);
        assert_eq!(codes(&names(&[one(REGISTRY, false)], &[])), ["offline"]);
    }

    #[tokio::test]
    async fn this_machines_own_name_is_found() {
        assert!(resolve("localhost").await.found.is_ok_and(|all| all.iter().any(IpAddr::is_loopback)));
        assert!(resolve("no-such-host.invalid").await.found.is_err());
    }

    #[test]
    fn where_the_panel_is_reached() {
        let (any, here): (IpAddr, [IpAddr; 1]) = ([0, 0, 0, 0].into(), [[192, 168, 1, 2].into()]);
        let found = reached(any, 3000, &here, Some(&Ok("http://pi.local:3000".into())));
        assert_eq!(found[0].detail, "http://pi.local:3000, http://192.168.1.2:3000.");
        assert_eq!(
            codes(&reached(any, 3000, &here, Some(&Err("MDNS=off".into())))),
            ["addresses", "mdns_off"]
        );
        assert_eq!(codes(&reached([127, 0, 0, 1].into(), 3000, &here, None)), ["bind_loopback"]);
        assert!(reached(any, 3000, &here, None).is_empty(), "a panel that does not run is reached nowhere");
    }
}
