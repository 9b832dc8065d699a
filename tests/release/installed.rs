//! The release as users install it: with the README's command, from its own address, with its own key, in root file
//! systems of three Debian versions. Then a newer one is published.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::made::Made;
use crate::harness::download::{VERSION, exchanged, sha256};
use crate::harness::download_host::Downloads;
use crate::harness::systemd::NEXT;
use crate::harness::{free_port, seconds, until};
use crate::install::Place;

/// The published releases, as served: `latest/download/` and `download/vVERSION/`.
struct Published(tempfile::TempDir);

impl Published {
    fn new(made: &Made) -> Self {
        let published = Self(tempfile::tempdir().unwrap());
        published.put(VERSION, &made.folder);
        published
    }

    fn put(&self, version: &str, folder: &Path) {
        for place in [format!("download/v{version}"), "latest/download".to_owned()] {
            let link = self.0.path().join(place);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            let _ = fs::remove_file(&link);
            symlink(folder, link).unwrap();
        }
    }

    /// Publishes a newer release of the same signer: the same program with another version number.
    fn newer(&self, made: &Made) {
        let folder = self.0.path().join("newer");
        fs::create_dir(&folder).unwrap();
        let name = |version| format!("ctrl-alt-play-{version}-linux-{}", std::env::consts::ARCH);
        let program = exchanged(made.read(&name(VERSION)), NEXT);
        let installer = made.read("install.sh");
        let sums = format!("{}  {}\n{}  install.sh\n", sha256(&program), name(NEXT), sha256(&installer));
        fs::write(folder.join(name(NEXT)), program).unwrap();
        fs::write(folder.join("install.sh"), installer).unwrap();
        fs::write(folder.join("SHA256SUMS"), sums).unwrap();
        let signed = Command::new("minisign")
            .arg("-S")
            .arg("-s")
            .arg(&made.secret)
            .arg("-m")
            .arg(folder.join("SHA256SUMS"))
            .args(["-t", &format!("ctrl-alt-play {NEXT}")])
            .output()
            .unwrap();
        assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
        self.put(NEXT, &folder);
    }
}

/// A unique loopback address, since the release's port is built in.
fn own_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{}.{}", 100 + NEXT.fetch_add(1, Ordering::Relaxed), high, low)
}

async fn installs_and_knows_of_newer_ones(root: &str, fetch: &str) {
    let made = Made::here();
    let published = Published::new(&made);
    let (name, port) = made
        .download
        .strip_prefix("http://")
        .and_then(|rest| rest.strip_suffix("/releases"))
        .unwrap()
        .split_once(':')
        .unwrap();
    let address = own_address();
    let host = Downloads::with(&format!("{address}:{port}"), Some(published.0.path()), None);
    // Uses the host's network for that address, and its engine under the usual name.
    let known = format!("{name}:{address}");
    let place = Place::with(
        root,
        &["--network", "host", "--add-host", &known, "-v", "/var/run/docker.sock:/var/run/docker.sock"],
    );
    // Debian 11 has signify in its archive, but not minisign.
    place.sh("mkdir /packages; touch /packages/no-minisign; cp /opt/signify-openbsd /packages/ 2>/dev/null; ln -sf /stubs/packages /usr/bin/apt-get").well();
    // Normally created by the packages' scripts. Without it, an older C library queries DNS first.
    place.write("/etc/nsswitch.conf", "644", b"hosts: files dns\n");
    let (panel, agents) = (free_port(), free_port());
    let settings =
        format!("PORT={panel}\nWEBSOCKET_PORT={agents}\nHEALTH_PORT=off\nMDNS=off\nDATA_DIR=/srv/panel\n");
    place.write("/etc/default/ctrl-alt-play", "600", settings.as_bytes());

    let line = format!("{fetch} {}/latest/download/install.sh | sh", made.download);
    let mut child = place.begin_sh(&line);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut said = Vec::new();
    let link = lines.by_ref().find(|line| {
        said.push(line.clone());
        line.contains("/setup#token=")
    });
    assert!(link.is_some(), "{root}: {said:#?}");
    let said = said.join("\n");
    assert!(
        said.contains(&format!(
            "version {VERSION}, is put at /usr/local/bin/ctrl-alt-play, fetched from {}",
            made.download
        )) || root == "bullseye",
        "{root}: {said}"
    );
    let health = until("the panel answers", seconds(20), async || {
        let answer = reqwest::get(format!("http://127.0.0.1:{panel}/health")).await.ok()?;
        answer.json::<serde_json::Value>().await.ok()
    })
    .await;
    assert_eq!((&health["status"], &health["version"]), (&"ok".into(), &VERSION.into()));
    let installed = place.sh("sha256sum </usr/local/bin/ctrl-alt-play").well();
    let program = made.read(&format!("ctrl-alt-play-{VERSION}-linux-{}", std::env::consts::ARCH));
    assert_eq!(installed.split(' ').next().unwrap(), sha256(&program), "{root}");

    let said = place.sh("ctrl-alt-play upgrade --check");
    assert_eq!(said.code, 0, "{root}: {}", said.text);
    assert!(said.text.contains("is the newest version"), "{root}: {}", said.text);
    published.newer(&made);
    let said = place.sh("ctrl-alt-play upgrade --check");
    assert_eq!(said.code, 10, "{root}: {}", said.text);
    assert!(said.text.contains(&format!("{NEXT} is published")), "{root}: {}", said.text);
    // The same command upgrades, and then has nothing left to do.
    let said = place.sh(&line).well();
    assert!(said.contains(&format!("{VERSION} becomes {NEXT}")), "{root}: {said}");
    assert_eq!(place.sh("ctrl-alt-play --version").well(), format!("ctrl-alt-play {NEXT}\n"));
    let said = place.sh(&line).well();
    assert!(said.contains("Nothing to do"), "{root}: {said}");
    let fetched = host.asked().iter().filter(|path| path.contains("-linux-")).count();
    assert_eq!(fetched, 2, "{:?}", host.asked());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_debian_11_whose_c_library_is_older_than_ours() {
    installs_and_knows_of_newer_ones("bullseye", "curl -fsSL").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_debian_12() {
    installs_and_knows_of_newer_ones("bookworm", "curl -fsSL").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_debian_13_by_wget() {
    installs_and_knows_of_newer_ones("trixie", "wget -qO-").await;
}
