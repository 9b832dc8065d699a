//! PCP (RFC 6887) and its predecessor NAT-PMP (RFC 6886): one datagram to the router, one back. A router that speaks only
//! the older one says so in its answer to the newer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use protocol::Protocol;
use tokio::net::UdpSocket;

use super::error::RouterError;
use super::gateway::Gateway;

/// The router's port for both protocols.
const PORT: u16 = 5351;
/// How long an answer is waited for before the question is sent again.
const TRIES: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(1000)];
/// Largest message of PCP.
const LARGEST: usize = 1100;

/// What a mapping is asked for by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    /// Seconds; 0 deletes it.
    pub(super) lease: u32,
    /// Proves to the router that the mapping is ours.
    pub(super) nonce: [u8; 12],
}

/// What the router answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) external_port: u16,
    /// Seconds.
    pub(super) lease: u32,
    /// Seconds since the router has its mappings.
    pub(super) epoch: u32,
    /// Its address in the internet, where it told.
    pub(super) address: Option<Ipv4Addr>,
}

/// Which of the two protocols a router speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Pcp,
    NatPmp,
}

/// An answer to a question for a mapping, as far as it is one.
enum Answered {
    Granted(Granted),
    Refused(u16),
    /// The router speaks only NAT-PMP.
    Older,
}

/// Asks for a mapping of a port to the same port of this machine.
pub(super) async fn map(gateway: Gateway, wish: Wish) -> Result<(Dialect, Granted), RouterError> {
    let socket = connect(gateway).await?;
    let request = pcp_request(gateway.own, wish);
    match exchange(&socket, &request, |answer| read_pcp(answer, wish)).await? {
        Answered::Granted(granted) => return Ok((Dialect::Pcp, granted)),
        Answered::Refused(code) => return Err(RouterError::Refused { code, conflict: code == 11 }),
        Answered::Older => {}
    }
    let request = nat_pmp_request(wish);
    match exchange(&socket, &request, |answer| read_nat_pmp(answer, wish)).await? {
        Answered::Granted(mut granted) => {
            granted.address = external_address(&socket).await.ok().map(|(address, _)| address);
            Ok((Dialect::NatPmp, granted))
        }
        Answered::Refused(code) => Err(RouterError::Refused { code, conflict: false }),
        Answered::Older => Err(RouterError::Nonsense),
    }
}

/// Seconds since the router has its mappings, by NAT-PMP, which routers with PCP speak as well. A smaller number than
/// expected means that it has forgotten them.
pub(super) async fn epoch(gateway: Gateway) -> Result<u32, RouterError> {
    let socket = connect(gateway).await?;
    external_address(&socket).await.map(|(_, epoch)| epoch)
}

async fn external_address(socket: &UdpSocket) -> Result<(Ipv4Addr, u32), RouterError> {
    let read = |answer: &[u8]| match answer {
        [0, 128, 0, 0, a, b, c, d, rest @ ..] if rest.len() >= 4 => {
            let address = Ipv4Addr::new(rest[0], rest[1], rest[2], rest[3]);
            Some(Ok((address, u32::from_be_bytes([*a, *b, *c, *d]))))
        }
        [0 | 2, _, high, low, ..] if (*high, *low) != (0, 0) => {
            Some(Err(RouterError::Refused { code: u16::from_be_bytes([*high, *low]), conflict: false }))
        }
        _ => None,
    };
    exchange(socket, &[0, 0], read).await?
}

/// A socket on which only the router itself is heard.
async fn connect(gateway: Gateway) -> Result<UdpSocket, RouterError> {
    let socket = UdpSocket::bind((gateway.own, 0)).await.map_err(RouterError::Network)?;
    let router = SocketAddr::new(IpAddr::V4(gateway.router), PORT);
    socket.connect(router).await.map_err(RouterError::Network)?;
    Ok(socket)
}

async fn exchange<T>(
    socket: &UdpSocket,
    request: &[u8],
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, RouterError> {
    let mut answer = [0; LARGEST];
    for patience in TRIES {
        socket.send(request).await.map_err(RouterError::Network)?;
        let heard = async {
            loop {
                let length = socket.recv(&mut answer).await.map_err(RouterError::Network)?;
                // What is no answer to this is passed over, as if it had not come.
                if let Some(heard) = read(answer.get(..length).unwrap_or_default()) {
                    return Ok(heard);
                }
            }
        };
        if let Ok(result) = tokio::time::timeout(patience, heard).await {
            return result;
        }
    }
    Err(RouterError::Silent)
}

fn pcp_request(own: Ipv4Addr, wish: Wish) -> Vec<u8> {
    let mut request = vec![2, 1, 0, 0];
    request.extend(wish.lease.to_be_bytes());
    request.extend(own.to_ipv6_mapped().octets());
    request.extend(wish.nonce);
    request.extend([match wish.protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    }]);
    request.extend([0; 3]);
    request.extend(wish.port.to_be_bytes());
    // Of a mapping that is deleted the router's port is not asked for.
    request.extend(if wish.lease == 0 { 0 } else { wish.port }.to_be_bytes());
    request.extend(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
    request
}

fn read_pcp(answer: &[u8], wish: Wish) -> Option<Answered> {
    match answer {
        // NAT-PMP's answer to a version that it does not know.
        [0, _, 0, 1, ..] => return Some(Answered::Older),
        [2, 0x81, _, 0, ..] => {}
        [2, 0x81, _, code, ..] => return Some(Answered::Refused(u16::from(*code))),
        _ => return None,
    }
    let map = answer.get(24..60)?;
    let number = |at: usize| Some(u32::from_be_bytes(answer.get(at..at + 4)?.try_into().ok()?));
    let port = |at: usize| Some(u16::from_be_bytes(map.get(at..at + 2)?.try_into().ok()?));
    if map.get(..12)? != wish.nonce || port(16)? != wish.port {
        return None;
    }
    let address: [u8; 16] = map.get(20..36)?.try_into().ok()?;
    let address = std::net::Ipv6Addr::from(address).to_ipv4_mapped();
    let granted = Granted { external_port: port(18)?, lease: number(4)?, epoch: number(8)?, address };
    Some(Answered::Granted(granted))
}

fn nat_pmp_operation(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Udp => 1,
        Protocol::Tcp => 2,
    }
}

fn nat_pmp_request(wish: Wish) -> Vec<u8> {
    let mut request = vec![0, nat_pmp_operation(wish.protocol), 0, 0];
    request.extend(wish.port.to_be_bytes());
    request.extend(if wish.lease == 0 { 0 } else { wish.port }.to_be_bytes());
    request.extend(wish.lease.to_be_bytes());
    request
}

fn read_nat_pmp(answer: &[u8], wish: Wish) -> Option<Answered> {
    let [0, operation, high, low, rest @ ..] = answer else { return None };
    if *operation != 128 + nat_pmp_operation(wish.protocol) {
        return None;
    }
    let code = u16::from_be_bytes([*high, *low]);
    if code != 0 {
        return Some(Answered::Refused(code));
    }
    let number = |at: usize| Some(u32::from_be_bytes(rest.get(at..at + 4)?.try_into().ok()?));
    let port = |at: usize| Some(u16::from_be_bytes(rest.get(at..at + 2)?.try_into().ok()?));
    if port(4)? != wish.port {
        return None;
    }
    let granted = Granted { external_port: port(6)?, lease: number(8)?, epoch: number(0)?, address: None };
    Some(Answered::Granted(granted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { protocol: Protocol::Udp, port: 2456, lease: 3600, nonce: [7; 12] };

    #[test]
    fn requests_are_as_the_standards_have_them() {
        let request = pcp_request([192, 168, 1, 5].into(), WISH);
        assert_eq!(request.len(), 60);
        assert_eq!(request[..8], [2, 1, 0, 0, 0, 0, 0x0e, 0x10]);
        assert_eq!(request[18..24], [0xff, 0xff, 192, 168, 1, 5]);
        assert_eq!(request[36], 17);
        assert_eq!(request[40..44], [0x09, 0x98, 0x09, 0x98]);
        assert_eq!(nat_pmp_request(WISH), [0, 1, 0, 0, 0x09, 0x98, 0x09, 0x98, 0, 0, 0x0e, 0x10]);
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let mut answer = vec![2, 0x81, 0, 0, 0, 0, 0x0e, 0x10, 0, 0, 0, 9];
        answer.extend([0; 12]);
        answer.extend([7; 12]);
        answer.extend([17, 0, 0, 0, 0x09, 0x98, 0x09, 0x99]);
        answer.extend(Ipv4Addr::new(203, 0, 113, 7).to_ipv6_mapped().octets());
        let Some(Answered::Granted(granted)) = read_pcp(&answer, WISH) else { panic!("an answer") };
        let address = Some([203, 0, 113, 7].into());
        assert_eq!(granted, Granted { external_port: 2457, lease: 3600, epoch: 9, address });
        assert!(read_pcp(&answer, Wish { nonce: [8; 12], ..WISH }).is_none(), "another nonce");
        assert!(read_pcp(&answer, Wish { port: 1, ..WISH }).is_none(), "another port");
        for length in 0..answer.len() {
            assert!(!matches!(read_pcp(&answer[..length], WISH), Some(Answered::Granted(_))), "{length}");
        }
        assert!(matches!(read_pcp(&[0, 129, 0, 1, 0, 0, 0, 0], WISH), Some(Answered::Older)));
        assert!(matches!(read_pcp(&[2, 0x81, 0, 2], WISH), Some(Answered::Refused(2))));
        let answer = [0, 129, 0, 0, 0, 0, 0, 9, 0x09, 0x98, 0x09, 0x98, 0, 0, 0x0e, 0x10];
        assert!(matches!(read_nat_pmp(&answer, WISH), Some(Answered::Granted(_))));
        for length in 0..answer.len() {
            assert!(read_nat_pmp(&answer[..length], WISH).is_none(), "{length}");
        }
    }
}
