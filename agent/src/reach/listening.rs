//! Whether something in a container listens on a port, as the kernel tells of its network.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use protocol::Protocol;

/// Largest table that is read, in bytes: some ten thousand connections.
const LARGEST: u64 = 2 << 20;
/// `TCP_LISTEN`, and the state of a UDP socket without a peer.
const LISTEN: &str = "0A";
const UNCONNECTED: &str = "07";

/// Whether something listens on the port in the network of this process; `None` if that cannot be seen.
pub(super) fn listens(process: &Path, protocol: Protocol, port: u16) -> Option<bool> {
    let (files, state) = match protocol {
        Protocol::Tcp => (["net/tcp", "net/tcp6"], LISTEN),
        Protocol::Udp => (["net/udp", "net/udp6"], UNCONNECTED),
    };
    let (mut seen, mut whole) = (None, true);
    for file in files {
        let Ok(table) = read(&process.join(file)) else { continue };
        if has(&table, state, port) {
            return Some(true);
        }
        whole &= (table.len() as u64) < LARGEST;
        seen = Some(false);
    }
    // It may stand in what was not read.
    seen.filter(|_| whole)
}

fn read(path: &Path) -> io::Result<String> {
    let mut table = String::new();
    File::open(path)?.take(LARGEST).read_to_string(&mut table)?;
    Ok(table)
}

fn has(table: &str, state: &str, port: u16) -> bool {
    let end = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(local), Some(_), Some(found)) = (fields.next(), fields.next(), fields.next()) else {
            return false;
        };
        local.ends_with(&end) && found == state
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn listeners_are_seen_in_their_own_protocol() {
        let own = Path::new("/proc/self");
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (of_tcp, of_udp) = (tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port());
        assert_eq!(listens(own, Protocol::Tcp, of_tcp), Some(true));
        assert_eq!(listens(own, Protocol::Udp, of_udp), Some(true));
        drop(tcp);
        assert_eq!(listens(own, Protocol::Tcp, of_tcp), Some(false));
        assert_eq!(listens(Path::new("/proc/0"), Protocol::Tcp, of_tcp), None, "not known is not closed");
    }

    #[test]
    fn a_table_that_is_too_long_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("net")).unwrap();
        let line = "   0: 0100007F:0BB8 00000000:0000 0A\n";
        let table = line.repeat(usize::try_from(LARGEST).unwrap() / line.len() + 1);
        std::fs::write(folder.path().join("net/tcp"), table).unwrap();
        assert_eq!(listens(folder.path(), Protocol::Tcp, 3000), Some(true));
        assert_eq!(listens(folder.path(), Protocol::Tcp, 3001), None);
    }
}
