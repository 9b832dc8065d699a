//! Files by SFTP beside OpenSSH's own server, both over loopback, by OpenSSH's client.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Result;
use crate::panel::{Panel, USERNAME};
use crate::report::Report;

const SERVER: &str = "/usr/sbin/sshd";
/// Bytes of the large file.
const LARGE: u64 = 1 << 30;
/// Small files, and bytes of each.
const SMALL: usize = 1_000;
const EACH: usize = 2_000;
/// The better one of so many times counts: machines are noisy.
const TIMES: usize = 3;

/// Where a client goes.
struct Target {
    port: u16,
    user: String,
    /// The folder in which it works.
    folder: String,
}

/// `sshd` of this machine, on a port of its own; ended with this.
struct OpenSsh(Child);

impl Drop for OpenSsh {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Takes the part.
pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    if !Path::new(SERVER).exists() || !rustix::process::geteuid().is_root() {
        eprintln!("SFTP is not measured: that takes root and OpenSSH's server (openssh-server)");
        return Ok(());
    }
    let home = tempfile::Builder::new().prefix("cap-bench-").tempdir()?;
    make_files(home.path())?;
    let panel = Panel::start_with(&[("SFTP_PORT", "0".to_owned())]).await?;
    let server = panel.server("files", "sleep 1000").await?;
    let key = std::fs::read_to_string(home.path().join("key.pub"))?;
    panel.call(reqwest::Method::POST, "/api/account/ssh-keys", Some(json!({ "key": key }))).await?;
    let access = panel.call(reqwest::Method::GET, &format!("/api/servers/{server}/sftp"), None).await?;
    let port = access["port"].as_u64().and_then(|port| u16::try_from(port).ok()).ok_or("no port")?;
    let ours = Target { port, user: format!("{USERNAME}.{server}"), folder: "/".into() };
    let (_sshd, theirs) = openssh(home.path()).await?;
    let mut most = 0;
    for (what, batch, amount, unit) in [
        ("SFTP: 1 GiB up", "put large there.bin\n", LARGE as f64 / 1e6, "MB/s"),
        ("SFTP: 1 GiB down", "get there.bin back.bin\n", LARGE as f64 / 1e6, "MB/s"),
        ("SFTP: 1,000 small files up", "mkdir small\nput -r small/. small\n", SMALL as f64, "/s"),
    ] {
        let (mut our, mut their) = (0_f64, 0_f64);
        for _ in 0..TIMES {
            our = our.max(amount / sftp(home.path(), &ours, batch)?.as_secs_f64());
            their = their.max(amount / sftp(home.path(), &theirs, batch)?.as_secs_f64());
            most = most.max(resident(panel.pid())?);
        }
        report.at_least(what, unit, our, 0.8 * their, Some((their, "OpenSSH's server")));
    }
    report.plain("SFTP: resident meanwhile", "MB", most as f64 / 1e6, None);
    panel.remove_servers().await?;
    panel.stop().await
}

fn make_files(home: &Path) -> Result<()> {
    // Half of it random: nothing on the way may gain by packing it.
    let noise: Vec<u8> = (0..1 << 20).map(|_| rand::random()).collect();
    let mut large = std::io::BufWriter::new(std::fs::File::create(home.join("large"))?);
    for _ in 0..LARGE >> 20 {
        std::io::Write::write_all(&mut large, &noise)?;
    }
    std::fs::create_dir(home.join("small"))?;
    for number in 0..SMALL {
        std::fs::write(home.join(format!("small/{number}")), &noise[..EACH])?;
    }
    for name in ["key", "host"] {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(home.join(name))
            .status()?;
        if !made.success() {
            return Err("no key could be made".into());
        }
    }
    Ok(())
}

async fn openssh(home: &Path) -> Result<(OpenSsh, Target)> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let folder = home.join("theirs");
    std::fs::create_dir(&folder)?;
    std::fs::create_dir_all("/run/sshd")?;
    let at = |name: &str| home.join(name).display().to_string();
    let settings = format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
         PermitRootLogin yes\nSubsystem sftp /usr/lib/openssh/sftp-server\n",
        at("host"),
        at("key.pub")
    );
    std::fs::write(home.join("sshd_config"), settings)?;
    let child =
        Command::new(SERVER).args(["-D", "-e", "-f", &at("sshd_config")]).stderr(Stdio::null()).spawn()?;
    let server = OpenSsh(child);
    let until = Instant::now() + Duration::from_secs(10);
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        if Instant::now() > until {
            return Err("OpenSSH's server does not answer".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok((server, Target { port, user: "root".into(), folder: folder.display().to_string() }))
}

/// How long OpenSSH's client takes for these commands, from its start to its end.
fn sftp(home: &Path, target: &Target, commands: &str) -> Result<Duration> {
    let clean = format!("cd {}\n-rm small/*\n-rmdir small\n", target.folder);
    run(home, target, &clean)?;
    let began = Instant::now();
    run(home, target, &format!("cd {}\n{commands}", target.folder))?;
    Ok(began.elapsed())
}

fn run(home: &Path, target: &Target, commands: &str) -> Result<()> {
    let batch: PathBuf = home.join("batch");
    std::fs::write(&batch, commands)?;
    let output = Command::new("sftp")
        .args([
            "-o",
            "StrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .arg("-i")
        .arg(home.join("key"))
        .args(["-P", &target.port.to_string(), "-b"])
        .arg(&batch)
        .arg(format!("{}@127.0.0.1", target.user))
        .current_dir(home)
        .output()?;
    if !output.status.success() {
        return Err(format!("sftp: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(())
}

fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}
