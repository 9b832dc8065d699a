use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

/// A test name server, on one port for UDP and TCP.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    tasks: tokio::task::JoinSet<()>,
}

/// Its answer to a question over UDP (`true`) or TCP; `None` for no answer.
type Says = fn(&Packet<'_>, bool) -> Option<Vec<u8>>;

impl Server {
    async fn new(says: Says) -> Self {
        // A port that is free for both protocols.
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let address = udp.local_addr().unwrap();
        let asked = Arc::<AtomicUsize>::default();
        let mut tasks = tokio::task::JoinSet::new();
        let count = Arc::clone(&asked);
        tasks.spawn(async move {
            let mut buffer = [0; 1024];
            loop {
                let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                // A stray answer before the real one.
                let stray = Packet::new_reply(1).build_bytes_vec().unwrap();
                udp.send_to(&stray, from).await.unwrap();
                if let Some(answer) = says(&Packet::parse(&buffer[..length]).unwrap(), true) {
                    udp.send_to(&answer, from).await.unwrap();
                }
            }
        });
        tasks.spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
                stream.read_exact(&mut question).await.unwrap();
                if let Some(answer) = says(&Packet::parse(&question).unwrap(), false) {
                    stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            }
        });
        Self { address, asked, tasks }
    }

    fn config(&self, more: &str) -> Config {
        let mut config = Config::parse(&format!("options timeout:1 attempts:1\n{more}"));
        config.servers = vec![self.address];
        config.multicast = self.address;
        config.own = vec![Ipv4Addr::LOCALHOST.into()];
        config
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.abort_all();
    }
}

fn record<'a>(name: &'a str, data: RData<'a>) -> ResourceRecord<'a> {
    ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, 60, data)
}

/// Knows `panel.example.org`, through a CNAME, and `panel.lan`.
#[allow(clippy::unnecessary_wraps, reason = "it is a `Says`")]
fn honest(question: &Packet<'_>, _udp: bool) -> Option<Vec<u8>> {
    let asked = question.questions[0].clone();
    let mut reply = question.clone().into_reply();
    let four = RData::A(A { address: Ipv4Addr::new(192, 0, 2, 7).into() });
    let six = RData::AAAA(AAAA { address: "2001:db8::7".parse::<Ipv6Addr>().unwrap().into() });
    match (asked.qname.to_string().as_str(), asked.qtype) {
        ("panel.example.org", QTYPE::TYPE(kind)) => {
            // The CNAME comes after the record it points to, and there is an unrelated record.
            let address = if kind == TYPE::A { four } else { six };
            reply.answers.push(record("host.example.net", address));
            reply.answers.push(record("evil.example.net", RData::A(A { address: 1 })));
            let alias = Name::new("host.example.net").unwrap();
            reply.answers.push(record("panel.example.org", RData::CNAME(CNAME(alias))));
        }
        ("panel.lan" | "attic.local", QTYPE::TYPE(TYPE::A)) => {
            let name = if asked.qname.to_string() == "panel.lan" { "panel.lan" } else { "attic.local" };
            reply.answers.push(record(name, four));
        }
        ("panel.lan", _) => {}
        _ => *reply.rcode_mut() = RCODE::NameError,
    }
    Some(reply.build_bytes_vec_compressed().unwrap())
}

fn sorted(mut addresses: Vec<IpAddr>) -> Vec<String> {
    addresses.sort();
    addresses.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_real_name_by_both_kinds_and_through_another_name() {
    let server = Server::new(honest).await;
    let found = lookup_by("Panel.Example.org", &server.config("")).await.unwrap();
    assert_eq!(sorted(found), ["192.0.2.7", "2001:db8::7"]);
}

#[tokio::test]
async fn the_search_list_and_the_dots() {
    let server = Server::new(honest).await;
    let config = server.config("search nowhere.test lan\n");
    assert_eq!(sorted(lookup_by("panel", &config).await.unwrap()), ["192.0.2.7"]);
    let whole = lookup_by("panel.", &config).await.unwrap_err();
    assert!(matches!(whole, LookupError::NoSuchName(_)), "{whole}");
    assert_eq!(config.candidates("a.b", false), ["a.b", "a.b.nowhere.test", "a.b.lan"]);
}

#[tokio::test]
async fn a_name_that_is_not_there_is_told_from_a_server_that_is_not() {
    let server = Server::new(honest).await;
    let none = lookup_by("no.example.org", &server.config("")).await.unwrap_err();
    assert_eq!(none.to_string(), "there is no machine of the name no.example.org");
    let silent = Server::new(|_, _| None).await;
    let away = lookup_by("panel.example.org", &silent.config("")).await.unwrap_err();
    assert!(away.to_string().contains("127.0.0.1 does not answer"), "{away}");
    assert_eq!(io::Error::from(away).kind(), io::ErrorKind::TimedOut);
    assert!(silent.asked.load(Ordering::Relaxed) >= 2, "both kinds were asked for");
}

#[tokio::test]
async fn the_next_server_where_one_refuses() {
    let refuses = Server::new(|question, _| {
        let mut reply = question.clone().into_reply();
        *reply.rcode_mut() = RCODE::ServerFailure;
        Some(reply.build_bytes_vec().unwrap())
    })
    .await;
    let server = Server::new(honest).await;
    let mut config = server.config("");
    config.servers.insert(0, refuses.address);
    assert_eq!(sorted(lookup_by("panel.lan", &config).await.unwrap()), ["192.0.2.7"]);
}

#[tokio::test]
async fn what_does_not_fit_is_asked_for_by_tcp() {
    let server = Server::new(|question, udp| {
        if !udp {
            return honest(question, udp);
        }
        let mut reply = question.clone().into_reply();
        reply.set_flags(PacketFlag::TRUNCATION);
        Some(reply.build_bytes_vec().unwrap())
    })
    .await;
    assert_eq!(sorted(lookup_by("panel.lan", &server.config("")).await.unwrap()), ["192.0.2.7"]);
}

#[tokio::test]
async fn machines_of_this_network_answer_for_themselves() {
    let server = Server::new(honest).await;
    let mut config = server.config("");
    config.servers = vec!["127.0.0.1:9".parse().unwrap()];
    assert_eq!(sorted(lookup_by("attic.local", &config).await.unwrap()), ["192.0.2.7"]);
}

#[tokio::test]
async fn what_needs_nobody() {
    let mut config = Config::parse("nameserver 127.0.0.1\n");
    config.servers.clear();
    config.hosts =
        "127.0.0.1 localhost\n192.0.2.1\tpanel  panel.home # not this: other\n#192.0.2.2 panel\n".into();
    let of = async |name: &str| lookup_by(name, &config).await.map(sorted).unwrap_or_default();
    assert_eq!(of("192.0.2.9").await, ["192.0.2.9"]);
    assert_eq!(of("[2001:db8::1]").await, ["2001:db8::1"]);
    assert_eq!(of("PANEL.home").await, ["192.0.2.1"]);
    assert_eq!(of("a.localhost").await, ["127.0.0.1", "::1"]);
    assert!(of("other").await.is_empty());
    assert!(of("").await.is_empty());
    let long = "a".repeat(70);
    assert!(of(&long).await.is_empty(), "no label is so long");
}

#[test]
fn a_resolv_conf() {
    let config = Config::parse(
        "# made by hand\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver 2001:db8::53 ; v6\n\
         nameserver 192.0.2.3\nnameserver 192.0.2.4\ndomain old.test\nsearch Home.test. \n\
         options edns0 ndots:2 timeout:30 attempts:9\n",
    );
    assert_eq!(
        config.servers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["192.0.2.1:53", "[2001:db8::53]:53", "192.0.2.3:53"]
    );
    assert_eq!(
        (config.search.as_slice(), config.ndots, config.attempts),
        (&["home.test".to_owned()][..], 2, 5)
    );
    assert_eq!(config.patience, Duration::from_secs(3));
    assert_eq!(Config::parse("").servers, ["127.0.0.1:53".parse().unwrap()]);
}
