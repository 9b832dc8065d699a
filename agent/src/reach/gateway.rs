//! The router of this machine: its default gateway, by IPv4.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

/// Where the kernel has its routes.
const ROUTES: &str = "/proc/net/route";
/// `RTF_UP | RTF_GATEWAY`.
const UP_GATEWAY: u32 = 3;

/// A router, and the address that this machine has in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gateway {
    pub(super) router: Ipv4Addr,
    pub(super) own: Ipv4Addr,
}

/// The router; `None` if this machine has no default route by IPv4.
pub(super) async fn find() -> Option<Gateway> {
    let router = default_route(&tokio::fs::read_to_string(ROUTES).await.ok()?)?;
    // Nothing is sent: the kernel chooses the address that a packet to the router would have.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.ok()?;
    socket.connect(SocketAddr::new(IpAddr::V4(router), 9)).await.ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(own) => Some(Gateway { router, own }),
        IpAddr::V6(_) => None,
    }
}

/// The gateway with the lowest metric.
fn default_route(table: &str) -> Option<Ipv4Addr> {
    let mut best: Option<(u32, Ipv4Addr)> = None;
    for line in table.lines().skip(1) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, "00000000", gateway, flags, _, _, metric, "00000000", ..] = fields[..] else { continue };
        let (Ok(gateway), Ok(flags), Ok(metric)) =
            (u32::from_str_radix(gateway, 16), u32::from_str_radix(flags, 16), metric.parse::<u32>())
        else {
            continue;
        };
        if flags & UP_GATEWAY == UP_GATEWAY && best.is_none_or(|(known, _)| metric < known) {
            // The kernel prints the address as a number in its own byte order.
            best = Some((metric, Ipv4Addr::from(gateway.to_ne_bytes())));
        }
    }
    best.map(|(_, gateway)| gateway)
}

#[cfg(test)]
mod tests {
    use super::default_route;

    const HEAD: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    #[test]
    fn the_default_route_with_the_lowest_metric_counts() {
        let table = format!(
            "{HEAD}wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
             eth0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
             eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
        );
        assert_eq!(default_route(&table), Some([192, 168, 1, 254].into()));
        assert_eq!(default_route(HEAD), None);
        assert_eq!(default_route("nonsense\nnonsense"), None);
    }
}
