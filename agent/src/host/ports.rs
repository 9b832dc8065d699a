//! Detects ports used by other programs.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use protocol::{Port, Protocol};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with, sockopt};

/// The `ports` whose external number cannot be bound at the moment, on `0.0.0.0` or `::`, in the same way as the engine
/// would. The probe binds and closes but never listens, so nothing can connect to it. A running server holds its own
/// ports, so check before it starts.
#[must_use]
pub fn ports_taken(ports: &[Port]) -> Vec<Port> {
    ports.iter().filter(|port| taken(port.protocol, port.external)).copied().collect()
}

fn taken(protocol: Protocol, port: u16) -> bool {
    let v4 = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
    let v6 = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0));
    // Ignore other failures (no IPv6, a privileged port).
    [v4, v6].into_iter().any(|address| try_bind(protocol, address) == Err(Errno::ADDRINUSE))
}

fn try_bind(protocol: Protocol, address: SocketAddr) -> Result<(), Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let (kind, protocol_number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol_number))?;
    if protocol == Protocol::Tcp {
        // Lingering connections of the last run are no obstacle; for UDP this option would let two programs share the
        // port.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    fn port(external: u16, protocol: Protocol) -> Port {
        Port { internal: 1, external, protocol }
    }

    #[test]
    fn a_listener_holds_its_port_in_its_own_protocol_only() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let number = listener.local_addr().unwrap().port();
        let (tcp, udp) = (port(number, Protocol::Tcp), port(number, Protocol::Udp));
        assert_eq!(ports_taken(&[tcp, udp]), [tcp]);
        drop(listener);
        assert_eq!(ports_taken(&[tcp, udp]), []);
    }

    #[test]
    fn a_udp_socket_holds_its_port_even_when_it_would_share() {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        let udp = port(socket.local_addr().unwrap().port(), Protocol::Udp);
        assert_eq!(ports_taken(&[udp]), [udp]);
    }

    #[test]
    fn one_on_v6_holds_it_too() {
        let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
        let tcp = port(listener.local_addr().unwrap().port(), Protocol::Tcp);
        assert_eq!(ports_taken(&[tcp]), [tcp]);
    }

    #[test]
    fn connections_that_are_over_do_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        let (server, _) = listener.accept().unwrap();
        // The side that closes first keeps the port in TIME_WAIT.
        drop(server);
        drop(client);
        drop(listener);
        assert_eq!(ports_taken(&[port(address.port(), Protocol::Tcp)]), []);
    }
}
