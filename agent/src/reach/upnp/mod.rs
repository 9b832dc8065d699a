//! UPnP: how an Internet Gateway Device is found and asked (versions 1 and 2). Only the router itself is believed: answers
//! from elsewhere, and descriptions that lead elsewhere, are passed over, or any device in the network could have us
//! send requests where it likes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use protocol::Protocol;
use tokio::net::UdpSocket;
use tokio::time::Instant;
use ureq::http::Request;

use super::error::RouterError;
use super::gateway::Gateway;
use super::http;

/// Where devices are searched for.
const MULTICAST: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);
/// How long answers to a search are waited for.
const SEARCH: Duration = Duration::from_secs(3);
/// Answers to one search that are looked at.
const ANSWERS: usize = 64;
/// Longest path of the control address.
const PATH: usize = 256;
/// The services that forward ports, the newest first.
const SERVICES: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// Where the router takes requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Control {
    address: SocketAddr,
    path: String,
    service: &'static str,
}

/// What becomes of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Free,
    Ours,
    Other,
}

/// Searches for the router.
pub(super) async fn discover(gateway: Gateway) -> Result<Control, RouterError> {
    let socket = UdpSocket::bind((gateway.own, 0)).await.map_err(RouterError::Network)?;
    let router = (gateway.router, MULTICAST.1);
    for target in ["urn:schemas-upnp-org:device:InternetGatewayDevice:1", "upnp:rootdevice"] {
        let question = format!(
            "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: {target}\r\n\r\n"
        );
        // The router's own address as well: some networks carry no multicast.
        for to in [MULTICAST, router] {
            // That one of them does not arrive is no failure yet.
            let _ = socket.send_to(question.as_bytes(), to).await;
        }
    }
    let until = Instant::now() + SEARCH;
    let mut buffer = [0; 2048];
    let mut problem = RouterError::Silent;
    let mut seen = Vec::new();
    for _ in 0..ANSWERS {
        let Ok(received) = tokio::time::timeout_at(until, socket.recv_from(&mut buffer)).await else { break };
        let Ok((length, from)) = received else { continue };
        if from.ip() != IpAddr::V4(gateway.router) {
            continue;
        }
        let answer = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        let Some((port, path)) = location(&answer, gateway.router) else { continue };
        if seen.contains(&(port, path.clone())) {
            continue;
        }
        match describe(SocketAddr::new(IpAddr::V4(gateway.router), port), &path).await {
            Ok(control) => return Ok(control),
            Err(error) => problem = error,
        }
        seen.push((port, path));
        if seen.len() >= 4 {
            break;
        }
    }
    Err(problem)
}

/// The port and path of `LOCATION`, where that is on the router.
fn location(answer: &str, router: Ipv4Addr) -> Option<(u16, String)> {
    let line = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("location").then(|| value.trim())
    })?;
    on_router(line, router)
}

/// The port and path of an absolute address, where that is on the router.
fn on_router(url: &str, router: Ipv4Addr) -> Option<(u16, String)> {
    let rest = url.strip_prefix("http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = host.split_once(':').unwrap_or((host, "80"));
    if host.parse::<Ipv4Addr>().ok()? != router {
        return None;
    }
    let path = format!("/{path}");
    Some((port.parse().ok().filter(|port| *port != 0)?, path)).filter(|(_, path)| is_path(path))
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.len() <= PATH && path.bytes().all(|byte| byte.is_ascii_graphic())
}

async fn describe(address: SocketAddr, path: &str) -> Result<Control, RouterError> {
    let request = Request::get(format!("http://{address}{path}")).body(String::new());
    let answer = http::exchange(address, request.map_err(|_| RouterError::Nonsense)?).await?;
    if answer.status != 200 {
        return Err(RouterError::Nonsense);
    }
    control(&answer.body, address).ok_or(RouterError::Nonsense)
}

/// The control address in a description. This is no XML parser: it looks for a few tags and expands nothing, so that what
/// harms parsers is only text here.
fn control(description: &str, address: SocketAddr) -> Option<Control> {
    let IpAddr::V4(router) = address.ip() else { return None };
    let services: Vec<_> = description
        .split("<service>")
        .skip(1)
        .filter_map(|service| {
            let service = service.split("</service>").next()?;
            Some((tag(service, "serviceType")?, tag(service, "controlURL")?))
        })
        .collect();
    SERVICES.iter().find_map(|wanted| {
        let (_, url) = services.iter().find(|(kind, _)| kind == wanted)?;
        let url = url.replace("&amp;", "&");
        let (port, path) = if url.contains("://") {
            on_router(&url, router)?
        } else {
            let path = if url.starts_with('/') { url } else { format!("/{url}") };
            (address.port(), Some(path).filter(|path| is_path(path))?)
        };
        Some(Control { address: SocketAddr::new(address.ip(), port), path, service: wanted })
    })
}

/// The text of the first such tag.
fn tag<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    Some(inside.trim())
}

impl Control {
    /// The router's address in the internet.
    pub(super) async fn external_address(&self) -> Result<Ipv4Addr, RouterError> {
        let answer = self.ask("GetExternalIPAddress", "").await?;
        tag(&answer, "NewExternalIPAddress").and_then(|text| text.parse().ok()).ok_or(RouterError::Nonsense)
    }

    /// To whom a port is forwarded now.
    pub(super) async fn entry(
        &self,
        gateway: Gateway,
        protocol: Protocol,
        port: u16,
    ) -> Result<Entry, RouterError> {
        match self.ask("GetSpecificPortMappingEntry", &of_port(protocol, port)).await {
            Ok(answer) => {
                let client = tag(&answer, "NewInternalClient").and_then(|text| text.parse::<Ipv4Addr>().ok());
                let inside = tag(&answer, "NewInternalPort").and_then(|text| text.parse::<u16>().ok());
                let ours = client == Some(gateway.own) && inside == Some(port);
                Ok(if ours { Entry::Ours } else { Entry::Other })
            }
            // No such entry.
            Err(RouterError::Refused { code: 714, .. }) => Ok(Entry::Free),
            Err(error) => Err(error),
        }
    }

    /// Forwards a port to the same port of this machine. Returns whether the mapping stays until it is deleted, which is
    /// all that some routers can do.
    pub(super) async fn add(
        &self,
        gateway: Gateway,
        protocol: Protocol,
        port: u16,
        lease: u32,
    ) -> Result<bool, RouterError> {
        // Some routers replace what another device has, without a word.
        if matches!(self.entry(gateway, protocol, port).await, Ok(Entry::Other)) {
            return Err(RouterError::CONFLICT);
        }
        match self.add_for(gateway, protocol, port, lease).await {
            // Only permanent leases, or arguments that it does not know: those of the lease.
            Err(RouterError::Refused { code: 725 | 402, .. }) if lease != 0 => {
                self.add_for(gateway, protocol, port, 0).await.map(|()| true)
            }
            result => result.map(|()| lease == 0),
        }
    }

    async fn add_for(
        &self,
        gateway: Gateway,
        protocol: Protocol,
        port: u16,
        lease: u32,
    ) -> Result<(), RouterError> {
        let arguments = format!(
            "{}<NewInternalPort>{port}</NewInternalPort><NewInternalClient>{}</NewInternalClient>\
             <NewEnabled>1</NewEnabled><NewPortMappingDescription>ctrl-alt-play</NewPortMappingDescription>\
             <NewLeaseDuration>{lease}</NewLeaseDuration>",
            of_port(protocol, port),
            gateway.own,
        );
        self.ask("AddPortMapping", &arguments).await.map(drop)
    }

    /// Ends the forwarding of a port, if it leads to this machine.
    pub(super) async fn delete(
        &self,
        gateway: Gateway,
        protocol: Protocol,
        port: u16,
    ) -> Result<(), RouterError> {
        if matches!(self.entry(gateway, protocol, port).await, Ok(Entry::Other | Entry::Free)) {
            return Ok(());
        }
        match self.ask("DeletePortMapping", &of_port(protocol, port)).await {
            Ok(_) | Err(RouterError::Refused { code: 714, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, action: &str, arguments: &str) -> Result<String, RouterError> {
        let Self { address, path, service } = self;
        let body = format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:{action} xmlns:u=\"{service}\">\
             {arguments}</u:{action}></s:Body></s:Envelope>"
        );
        let request = Request::post(format!("http://{address}{path}"))
            .header("Content-Type", "text/xml; charset=\"utf-8\"")
            .header("SOAPAction", format!("\"{service}#{action}\""))
            .body(body)
            .map_err(|_| RouterError::Nonsense)?;
        let answer = http::exchange(*address, request).await?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        let code = tag(&answer.body, "errorCode").and_then(|code| code.parse().ok());
        let code = code.unwrap_or(answer.status);
        Err(RouterError::Refused { code, conflict: code == 718 })
    }
}

fn of_port(protocol: Protocol, port: u16) -> String {
    let protocol = match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    };
    format!(
        "<NewRemoteHost></NewRemoteHost><NewExternalPort>{port}</NewExternalPort><NewProtocol>{protocol}</NewProtocol>"
    )
}

#[cfg(test)]
mod tests;
