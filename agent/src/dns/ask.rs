//! Queries name servers for addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::config::Config;

/// Maximum bytes of a UDP answer; longer ones are requested over TCP.
const DATAGRAM: usize = 4096;
/// Time limit for multicast answers.
const MULTICAST: Duration = Duration::from_millis(800);

/// The result of a query.
pub(super) enum Lookup {
    /// At least one address.
    Addresses(Vec<IpAddr>),
    /// The name does not exist or has no address.
    Nothing,
    /// No useful answer.
    Unanswered(String),
}

/// The answer to one question.
enum Answer {
    Addresses(Vec<IpAddr>),
    Nothing,
    Truncated,
    /// This server gave no useful answer.
    Useless(String),
    /// It does not belong to our question.
    Stray,
}

/// Queries the servers in turn, with retries, for both address types.
pub(super) async fn servers(name: &str, config: &Config) -> Lookup {
    let (four, six) = tokio::join!(one(name, TYPE::A, config), one(name, TYPE::AAAA, config));
    match (four, six) {
        (Lookup::Addresses(mut four), Lookup::Addresses(six)) => {
            four.extend(six);
            Lookup::Addresses(four)
        }
        // Some servers never answer one of the two queries.
        (Lookup::Addresses(found), _) | (_, Lookup::Addresses(found)) => Lookup::Addresses(found),
        (Lookup::Unanswered(reason), _) | (_, Lookup::Unanswered(reason)) => Lookup::Unanswered(reason),
        (Lookup::Nothing, Lookup::Nothing) => Lookup::Nothing,
    }
}

async fn one(name: &str, kind: TYPE, config: &Config) -> Lookup {
    let mut reason = "no server is named in /etc/resolv.conf".to_owned();
    for _ in 0..config.attempts {
        for server in &config.servers {
            match timeout(config.patience, from(*server, name, kind)).await {
                Ok(Ok(Answer::Addresses(found))) => return Lookup::Addresses(found),
                Ok(Ok(Answer::Nothing)) => return Lookup::Nothing,
                Ok(Ok(Answer::Useless(why))) => reason = format!("{} answered: {why}", server.ip()),
                Ok(Ok(Answer::Truncated | Answer::Stray)) => {
                    reason = format!("{} answers half", server.ip());
                }
                Ok(Err(error)) => reason = format!("{}: {error}", server.ip()),
                Err(_) => reason = format!("{} does not answer", server.ip()),
            }
        }
    }
    Lookup::Unanswered(reason)
}

async fn from(server: SocketAddr, name: &str, kind: TYPE) -> io::Result<Answer> {
    let id = rand::random();
    let query = query(id, name, kind)?;
    let own: IpAddr =
        if server.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    // Connected, so packets of other senders are not received.
    let socket = UdpSocket::bind((own, 0)).await?;
    socket.connect(server).await?;
    socket.send(&query).await?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match read(&buffer[..length], Some(id), name, kind) {
            Answer::Stray => {}
            Answer::Truncated => return by_tcp(server, &query, id, name, kind).await,
            answer => return Ok(answer),
        }
    }
}

async fn by_tcp(server: SocketAddr, query: &[u8], id: u16, name: &str, kind: TYPE) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(read(&answer, Some(id), name, kind))
}

/// Queries the machines of our networks by multicast; the first answer wins.
pub(super) async fn by_multicast(name: &str, config: &Config) -> io::Result<Vec<IpAddr>> {
    let query = query(0, name, TYPE::A)?;
    let mut sockets = Vec::new();
    let mut problem = None;
    // A socket bound to an address sends into that address's network.
    for own in config.own.iter().filter(|own| own.is_ipv4()) {
        let sent = async {
            let socket = UdpSocket::bind((*own, 0)).await?;
            socket.send_to(&query, config.multicast).await?;
            Ok::<_, io::Error>(socket)
        };
        match sent.await {
            Ok(socket) => sockets.push(Box::pin(answer_at(socket, name))),
            Err(error) => problem = Some(error),
        }
    }
    if sockets.is_empty() {
        return problem.map_or(Ok(Vec::new()), Err);
    }
    let first = futures_util::future::select_all(sockets);
    Ok(timeout(MULTICAST, first).await.map_or_else(|_| Vec::new(), |(found, ..)| found))
}

async fn answer_at(socket: UdpSocket, name: &str) -> Vec<IpAddr> {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let Ok((length, _)) = socket.recv_from(&mut buffer).await else {
            return std::future::pending().await;
        };
        // A unicast answer may omit the question.
        if let Answer::Addresses(found) = read(&buffer[..length], None, name, TYPE::A) {
            return found;
        }
    }
}

fn query(id: u16, name: &str, kind: TYPE) -> io::Result<Vec<u8>> {
    let bad =
        |error: simple_dns::SimpleDnsError| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).map_err(bad)?;
    packet.questions.push(Question::new(name, QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().map_err(bad)
}

/// Parses the answer to a question with this id, name and type.
fn read(bytes: &[u8], id: Option<u16>, name: &str, kind: TYPE) -> Answer {
    let Ok(packet) = Packet::parse(bytes) else { return Answer::Stray };
    if !packet.has_flags(PacketFlag::RESPONSE) {
        return Answer::Stray;
    }
    if let Some(id) = id {
        let ours = packet
            .questions
            .iter()
            .any(|question| same(&question.qname, name) && question.qtype == QTYPE::TYPE(kind));
        // A server that refuses may omit the question.
        if packet.id() != id || !(ours || packet.questions.is_empty()) {
            return Answer::Stray;
        }
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Answer::Truncated;
    }
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Answer::Nothing,
        other => return Answer::Useless(format!("{other:?}")),
    }
    // CNAME records may be in any order.
    let mut names = vec![name.to_owned()];
    let mut found = Vec::new();
    for _ in 0..packet.answers.len().min(16) {
        for record in &packet.answers {
            if let RData::CNAME(alias) = &record.rdata
                && names.iter().any(|name| same(&record.name, name))
                && !names.iter().any(|name| same(&alias.0, name))
            {
                names.push(alias.0.to_string());
            }
        }
    }
    for record in &packet.answers {
        if names.iter().any(|name| same(&record.name, name)) {
            match &record.rdata {
                RData::A(four) => found.push(Ipv4Addr::from(four.address).into()),
                RData::AAAA(six) => found.push(Ipv6Addr::from(six.address).into()),
                _ => {}
            }
        }
    }
    if found.is_empty() { Answer::Nothing } else { Answer::Addresses(found) }
}

fn same(name: &Name<'_>, text: &str) -> bool {
    name.to_string().trim_end_matches('.').eq_ignore_ascii_case(text.trim_end_matches('.'))
}
