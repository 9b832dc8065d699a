//! What games may reach of this machine, as far as this process may set rules: DNS and published ports.
//!
//! The rules are a table of nftables of our own, or where there is no `nft` chains of iptables. They name interfaces, so they
//! hold whether the bridge is there yet or made anew. They are the same for all agents of a machine, and are written again
//! every minute, since a reload of somebody's firewall takes them away.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bollard::Docker;
use bollard::models::PortSummaryTypeEnum;
use bollard::query_parameters::ListContainersOptionsBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::network::INTERFACE;
use super::{LOOK, create, within};
use crate::protocol::Protocol;

/// How often the rules are written again.
const EVERY: Duration = Duration::from_secs(60);
/// How often it is tried again where it failed.
const RETRY: Duration = Duration::from_secs(600);
/// How long a program may take.
const LONGEST: Duration = Duration::from_secs(5);
/// The most that is read of what it says.
const SAID: u64 = 4096;
/// Where programs lie.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
const TABLE: &str = "ctrl_alt_play";
/// The same for iptables.
const CHAIN: &str = "CTRL-ALT-PLAY";

/// Ports of this machine that lead to games: a proxy of one game may stand before another.
type Published = BTreeSet<(Protocol, u16)>;

/// Keeps the rules there.
#[derive(Debug, Default)]
pub(super) struct Firewall(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    published: Published,
    written: Option<(Instant, Result<(), String>)>,
}

impl Firewall {
    /// Writes the rules where they are not there, or not as they should be.
    pub(super) async fn hold(&self, client: &Docker) {
        // An engine elsewhere, or in another network namespace, has its bridge there.
        if !Path::new("/sys/class/net").join(INTERFACE).exists() {
            return;
        }
        let published = published(client).await;
        let mut held = self.0.lock().await;
        if let Some((at, result)) = &held.written {
            let again = if result.is_ok() { EVERY } else { RETRY };
            if at.elapsed() < again && (published == held.published || result.is_err()) {
                return;
            }
        }
        let result = write(&published).await;
        let before = held.written.take();
        match (&result, before.map(|(_, result)| result)) {
            (Ok(()), Some(Ok(()))) => {}
            (Ok(()), _) => tracing::info!("games reach nothing of this machine but DNS and published ports"),
            (Err(cause), Some(Err(known))) if *cause == known => {}
            (Err(cause), _) => {
                tracing::info!(
                    cause,
                    "no firewall rule for games: the panel's own ports refuse them, other ports of this machine don't"
                );
            }
        }
        held.published = published;
        held.written = Some((Instant::now(), result));
    }
}

async fn published(client: &Docker) -> Published {
    let filters = HashMap::from([("label", vec![format!("{}=true", create::MANAGED)])]);
    let options = ListContainersOptionsBuilder::new().filters(&filters).build();
    let listed = within("list the published ports", LOOK, client.list_containers(Some(options))).await;
    let ports =
        listed.unwrap_or_default().into_iter().flat_map(|container| container.ports.unwrap_or_default());
    ports
        .filter_map(|port| {
            let protocol = match port.typ? {
                PortSummaryTypeEnum::TCP => Protocol::Tcp,
                PortSummaryTypeEnum::UDP => Protocol::Udp,
                _ => return None,
            };
            Some((protocol, port.public_port?))
        })
        .collect()
}

async fn write(published: &Published) -> Result<(), String> {
    let nft = match find("nft") {
        Some(nft) => run(&nft, &["-f", "-"], &nft_rules(published)).await,
        None => Err("there is no nft".to_owned()),
    };
    let Err(why) = nft else { return Ok(()) };
    let (Some(iptables), Some(restore)) = (find("iptables"), find("iptables-restore")) else {
        return Err(format!("{why}; and there is no iptables"));
    };
    run(&restore, &["-w", "2", "--noflush"], &iptables_rules(published, "icmp")).await?;
    jump(&iptables).await?;
    // Where there is no IPv6, there is nothing to close.
    if let (Some(iptables), Some(restore)) = (find("ip6tables"), find("ip6tables-restore"))
        && run(&restore, &["-w", "2", "--noflush"], &iptables_rules(published, "ipv6-icmp")).await.is_ok()
    {
        jump(&iptables).await?;
    }
    Ok(())
}

/// The first rule for what comes in leads from the bridge into our chain.
async fn jump(iptables: &Path) -> Result<(), String> {
    let rule = ["INPUT", "-i", INTERFACE, "-j", CHAIN];
    // It may not be there.
    let _ = run(iptables, &[&["-w", "2", "-D"], rule.as_slice()].concat(), "").await;
    run(iptables, &[&["-w", "2", "-I"], rule.as_slice()].concat(), "").await
}

fn nft_rules(published: &Published) -> String {
    let ports = |wanted: Protocol| {
        let ports = published.iter().filter(|(protocol, _)| *protocol == wanted);
        let ports: Vec<_> = ports.map(|(_, port)| port.to_string()).collect();
        if ports.is_empty() { "53".to_owned() } else { format!("53, {}", ports.join(", ")) }
    };
    let (tcp, udp) = (ports(Protocol::Tcp), ports(Protocol::Udp));
    format!(
        "table inet {TABLE}\n\
         delete table inet {TABLE}\n\
         table inet {TABLE} {{\n\
         chain host {{\n\
         type filter hook input priority -10; policy accept;\n\
         iifname != \"{INTERFACE}\" accept\n\
         ct state established,related accept\n\
         tcp dport {{ {tcp} }} accept\n\
         udp dport {{ {udp} }} accept\n\
         meta l4proto {{ icmp, ipv6-icmp }} accept\n\
         drop\n\
         }}\n\
         }}\n"
    )
}

fn iptables_rules(published: &Published, icmp: &str) -> String {
    let mut text = format!("*filter\n:{CHAIN} - [0:0]\n");
    let _ = writeln!(text, "-A {CHAIN} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN");
    let dns = [(Protocol::Tcp, 53), (Protocol::Udp, 53)];
    for (protocol, port) in dns.iter().chain(published) {
        let protocol = protocol.as_str();
        let _ = writeln!(text, "-A {CHAIN} -p {protocol} -m {protocol} --dport {port} -j RETURN");
    }
    let _ = writeln!(text, "-A {CHAIN} -p {icmp} -j RETURN");
    let _ = writeln!(text, "-A {CHAIN} -j DROP");
    text + "COMMIT\n"
}

fn find(program: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists())
}

/// Runs a program with this input; what it complains about is the error.
async fn run(program: &Path, arguments: &[&str], input: &str) -> Result<(), String> {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let attempt = async {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", FOLDERS.join(":"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // It may have ended before it has read all.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let mut said = String::new();
        if let Some(stderr) = child.stderr.take() {
            let _ = stderr.take(SAID).read_to_string(&mut said).await;
        }
        Ok::<_, std::io::Error>((child.wait().await?, said))
    };
    match timeout(LONGEST, attempt).await {
        Ok(Ok((status, _))) if status.success() => Ok(()),
        Ok(Ok((_, said))) => Err(format!("{name}: {}", said.lines().next().unwrap_or("it failed").trim())),
        Ok(Err(cause)) => Err(format!("{name}: {cause}")),
        Err(_) => Err(format!("{name} did not end in time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> Published {
        [(Protocol::Tcp, 25565), (Protocol::Udp, 27015), (Protocol::Tcp, 25566)].into()
    }

    #[test]
    fn published_ports_and_dns_stay_open() {
        let rules = nft_rules(&published());
        assert!(rules.contains("tcp dport { 53, 25565, 25566 } accept\n"), "{rules}");
        assert!(rules.contains("udp dport { 53, 27015 } accept\n"), "{rules}");
        assert!(nft_rules(&Published::new()).contains("udp dport { 53 } accept\n"));
        let chains = iptables_rules(&published(), "icmp");
        assert!(chains.contains("-A CTRL-ALT-PLAY -p udp -m udp --dport 27015 -j RETURN\n"), "{chains}");
        assert!(chains.ends_with("-p icmp -j RETURN\n-A CTRL-ALT-PLAY -j DROP\nCOMMIT\n"), "{chains}");
    }

    #[tokio::test]
    async fn a_program_that_fails_or_hangs_is_an_error() {
        let said = run(Path::new("/bin/sh"), &["-c", "echo no such right >&2; exit 3"], "x").await;
        assert_eq!(said.unwrap_err(), "sh: no such right");
        assert!(run(Path::new("/bin/cat"), &[], "x").await.is_ok());
        assert!(run(Path::new("/nowhere/nft"), &[], "").await.unwrap_err().starts_with("nft: "));
    }
}
