//! A download host, and releases to put there, signed by a key that is made for them.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use minisign::{KeyPair, PublicKey};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::binary;

/// The version of the program under test.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How a file is broken.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Cut off after so many bytes of each answer.
    CutAfter(usize),
    /// Nothing comes after so many bytes.
    StallAfter(usize),
}

/// Who signs.
pub(crate) struct Signer(KeyPair);

/// A host. Ends with the test.
#[derive(Clone)]
pub(crate) struct Downloads {
    /// `http://ADDRESS:PORT/releases`.
    pub(crate) base: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    files: HashMap<String, Arc<Vec<u8>>>,
    faults: HashMap<String, Fault>,
    asked: Vec<String>,
}

impl Signer {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().unwrap())
    }

    /// As `CTRL_ALT_PLAY_KEY` has it.
    pub(crate) fn key(&self) -> String {
        PublicKey::to_base64(&self.0.pk)
    }

    fn sign(&self, text: &str, comment: &str) -> String {
        let signed =
            minisign::sign(Some(&self.0.pk), &self.0.sk, Cursor::new(text), Some(comment), Some("a test"));
        signed.unwrap().into_string()
    }
}

impl Downloads {
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1").await
    }

    /// Where containers reach it too.
    pub(crate) async fn start_for_containers() -> Self {
        Self::start_at(&super::docker::gateway().await).await
    }

    #[allow(clippy::disallowed_methods)]
    async fn start_at(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let base = format!("http://{}/releases", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { base, state }
    }

    /// Publishes a version with this program for this machine, as the newest one.
    pub(crate) fn publish(&self, signer: &Signer, version: &str, program: &[u8]) {
        let (comment, arch) = (format!("ctrl-alt-play {version}"), std::env::consts::ARCH);
        self.publish_as(signer, &comment, version, &[(arch, program)]);
    }

    /// The same in all detail.
    pub(crate) fn publish_as(
        &self,
        signer: &Signer,
        comment: &str,
        version: &str,
        programs: &[(&str, &[u8])],
    ) {
        let mut sums = String::new();
        for (arch, program) in programs {
            let name = format!("ctrl-alt-play-{version}-linux-{arch}");
            sums.push_str(&format!("{}  {name}\n", sha256(program)));
            self.put(&format!("download/v{version}/{name}"), program.to_vec());
        }
        let signature = signer.sign(&sums, comment);
        for folder in ["latest/download".to_owned(), format!("download/v{version}")] {
            self.put(&format!("{folder}/SHA256SUMS"), sums.clone().into_bytes());
            self.put(&format!("{folder}/SHA256SUMS.minisig"), signature.clone().into_bytes());
        }
    }

    /// One file, whatever stood there.
    pub(crate) fn put(&self, path: &str, bytes: Vec<u8>) {
        self.state.lock().unwrap().files.insert(format!("/releases/{path}"), Arc::new(bytes));
    }

    pub(crate) fn remove(&self, path: &str) {
        self.state.lock().unwrap().files.remove(&format!("/releases/{path}"));
    }

    /// Breaks a file, or all of them (`""`).
    pub(crate) fn fault(&self, path: &str, fault: Fault) {
        self.state.lock().unwrap().faults.insert(path.to_owned(), fault);
    }

    pub(crate) fn heal(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// What was asked for, in order: path, and the range where there was one.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let range = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("range").then(|| value.to_owned())
    });
    let (file, fault) = {
        let mut state = state.lock().unwrap();
        state.asked.push(range.as_ref().map_or_else(|| path.clone(), |range| format!("{path} {range}")));
        let broken = |(end, fault): (&String, &Fault)| path.ends_with(end.as_str()).then_some(*fault);
        (state.files.get(&path).cloned(), state.faults.iter().find_map(broken))
    };
    let Some(file) = file else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    };
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let (status, body) = match from {
        Some(from) if from >= file.len() => {
            return stream.write_all(b"HTTP/1.1 416 Range\r\nContent-Length: 0\r\n\r\n").await;
        }
        Some(from) => (
            format!("206 Partial Content\r\nContent-Range: bytes {from}-{}/{}", file.len() - 1, file.len()),
            &file[from..],
        ),
        None => ("200 OK".to_owned(), &file[..]),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    match fault {
        None => stream.write_all(body).await?,
        Some(Fault::CutAfter(bytes)) => stream.write_all(&body[..bytes.min(body.len())]).await?,
        Some(Fault::StallAfter(bytes)) => {
            stream.write_all(&body[..bytes.min(body.len())]).await?;
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
    }
    stream.shutdown().await
}

/// The program under test as another version of itself: the same bytes with another number of the same length.
pub(crate) fn as_version(version: &str) -> Vec<u8> {
    renamed(Path::new(binary()), version)
}

/// The same of a program of [`VERSION`] that lies there.
pub(crate) fn renamed(program: &Path, version: &str) -> Vec<u8> {
    assert_eq!(version.len(), VERSION.len());
    let mut bytes = std::fs::read(program).unwrap();
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(&bytes[at..], VERSION.as_bytes()) {
        bytes[at + found..at + found + version.len()].copy_from_slice(version.as_bytes());
        at += found + version.len();
    }
    bytes
}

/// A program of another version that can say so, and nothing else.
pub(crate) fn script(version: &str) -> Vec<u8> {
    format!("#!/bin/sh\n[ \"$1\" = --version ] && echo ctrl-alt-play {version} && exit 0\nexit 3\n")
        .into_bytes()
}

/// Writes a program to run.
pub(crate) fn install(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// What stands in for a service manager: the guard, the program, the guard, as long as the program wants to be started
/// again or fails. `FAILS` is a version that fails at once. Gone with its shell, and the program with it.
const LOOP: &str = r#"
program=$1
shift 2
while :; do
    sh "$GUARD" start "$program" || exit 70
    if [ -n "${FAILS:-}" ] && [ "$("$program" --version)" = "ctrl-alt-play $FAILS" ]; then
        code=1
    else
        setpriv --pdeathsig KILL "$program" "$@"
        code=$?
    fi
    SERVICE_RESULT=success
    case $code in 0 | 79 | 143) ;; *) SERVICE_RESULT=exit-code ;; esac
    export SERVICE_RESULT EXIT_CODE=exited EXIT_STATUS=$code
    sh "$GUARD" stop "$program"
    unset SERVICE_RESULT EXIT_CODE EXIT_STATUS
    case $code in 0 | 143) exit 0 ;; esac
    sleep 0.2
done
"#;

/// A program in a folder of its own, under a guard.
pub(crate) struct Guarded {
    folder: tempfile::TempDir,
}

impl Guarded {
    pub(crate) fn new(program: &[u8]) -> Self {
        let folder = tempfile::Builder::new().prefix("cap-guarded-").tempdir().unwrap();
        install(&folder.path().join("ctrl-alt-play"), program);
        std::fs::write(folder.path().join("loop"), LOOP).unwrap();
        Self { folder }
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.folder.path().join("ctrl-alt-play")
    }

    /// What runs the program in the place of the one under test.
    pub(crate) fn wrapper(&self) -> Vec<String> {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        vec!["sh".to_owned(), text(self.folder.path().join("loop")), text(self.program())]
    }

    /// The variables that go with it.
    pub(crate) fn env() -> [(&'static str, String); 3] {
        [
            ("GUARD", concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/guard.sh").to_owned()),
            ("CTRL_ALT_PLAY_GUARDED", "1".to_owned()),
            ("CTRL_ALT_PLAY_USER", "nobody-of-this-name".to_owned()),
        ]
    }

    /// What the program says that it is.
    pub(crate) fn version(&self) -> String {
        let said = std::process::Command::new(self.program()).arg("--version").output().unwrap();
        String::from_utf8_lossy(&said.stdout).trim().trim_start_matches("ctrl-alt-play ").to_owned()
    }
}
