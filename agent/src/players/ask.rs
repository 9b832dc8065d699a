//! One question to a game, and its answer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use protocol::QueryProtocol;
use queries::a2s::{self, Assembly, Query, Reply};
use queries::{Answer, Fault, bedrock, minecraft, quake3};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Maximum bytes of a datagram that are read. Those of games are some 1,400.
const DATAGRAM: usize = 16 * 1024;
/// Maximum number of datagrams that are read for one question.
const DATAGRAMS: usize = 64;
/// After this time without an answer a datagram is sent again: one may be lost.
const AGAIN: Duration = Duration::from_millis(800);
/// How many challenges of a server are followed.
const CHALLENGES: usize = 3;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The socket failed; mostly the game does not listen there.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The game answered something else.
    #[error("{0}")]
    Answer(#[from] Fault),
    /// It sent too much that was no answer.
    #[error("it sends what is no answer")]
    Endless,
}

impl Failure {
    /// Whether nothing listens at that port.
    pub(super) fn refused(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }
}

/// Asks a game who plays. The caller bounds the time.
pub(super) async fn ask(protocol: QueryProtocol, at: SocketAddr) -> Result<Answer, Failure> {
    match protocol {
        QueryProtocol::Minecraft => ask_minecraft(at).await,
        QueryProtocol::Bedrock => {
            let time = u64::from(rand::random::<u32>());
            let mut link = Datagrams::to(at).await?;
            link.ask(&bedrock::request(time), |packet| bedrock::answer(packet, time)).await
        }
        QueryProtocol::Quake3 => {
            let challenge = rand::random();
            let mut link = Datagrams::to(at).await?;
            link.ask(&quake3::request(challenge), |packet| quake3::answer(packet, challenge)).await
        }
        QueryProtocol::A2s => ask_steam(at).await,
    }
}

async fn ask_minecraft(at: SocketAddr) -> Result<Answer, Failure> {
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all(&minecraft::request(&at.ip().to_string(), at.port())).await?;
    let mut received = Vec::new();
    // The length before the packet, and the packet.
    let mut limited = stream.take(minecraft::MAX_ANSWER as u64 + 5);
    loop {
        if let Some(answer) = minecraft::answer(&received)? {
            return Ok(answer);
        }
        received.reserve(4 * 1024);
        if limited.read_buf(&mut received).await? == 0 {
            return Err(Fault::Short.into());
        }
    }
}

async fn ask_steam(at: SocketAddr) -> Result<Answer, Failure> {
    let mut link = Datagrams::to(at).await?;
    let Reply::Info(mut answer) = link.ask_steam(Query::Info).await? else {
        return Err(Fault::Unexpected("about the server").into());
    };
    // Some games tell how many play, and not who.
    if answer.online > 0
        && let Ok(Ok(Reply::Players(players))) =
            tokio::time::timeout(2 * AGAIN, link.ask_steam(Query::Players)).await
    {
        answer.players = players;
    }
    Ok(answer)
}

/// A UDP socket that hears one game only.
struct Datagrams {
    socket: UdpSocket,
    buffer: Vec<u8>,
    left: usize,
}

impl Datagrams {
    async fn to(at: SocketAddr) -> io::Result<Self> {
        let any = match at.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(at).await?;
        Ok(Self { socket, buffer: vec![0; DATAGRAM], left: DATAGRAMS })
    }

    /// Sends a question until something is heard that `read` takes for the answer.
    async fn ask<T>(
        &mut self,
        question: &[u8],
        mut read: impl FnMut(&[u8]) -> Result<Option<T>, Fault>,
    ) -> Result<T, Failure> {
        loop {
            self.socket.send(question).await?;
            let again = tokio::time::sleep(AGAIN);
            tokio::pin!(again);
            loop {
                let count = tokio::select! {
                    () = &mut again => break,
                    count = self.socket.recv(&mut self.buffer) => count?,
                };
                self.left = self.left.checked_sub(1).ok_or(Failure::Endless)?;
                if let Some(answer) = read(&self.buffer[..count])? {
                    return Ok(answer);
                }
            }
        }
    }

    async fn ask_steam(&mut self, query: Query) -> Result<Reply, Failure> {
        let mut challenge = None;
        for _ in 0..=CHALLENGES {
            let mut assembly = Assembly::default();
            match self.ask(&a2s::request(query, challenge), |packet| assembly.packet(packet)).await? {
                Reply::Challenge(bytes) => challenge = Some(bytes),
                reply => return Ok(reply),
            }
        }
        Err(Failure::Endless)
    }
}
