//! TLS for the panel's ports: either its own key, created once, with a certificate that is renewed when necessary, or a
//! given pair of files.
//!
//! Agents identify the panel by the hash of its key, so the key is kept when the certificate is renewed.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::remote::KeyPin;
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{InconsistentKeys, ServerConfig};
pub use tokio_rustls::TlsAcceptor;

use crate::system::private_files::{self, FileError};

const KEY: &str = "tls-key.pem";
const CERTIFICATE: &str = "tls-certificate.pem";
/// Validity of a certificate; the longest that browsers accept for a self-signed one.
const LASTS: SignedDuration = SignedDuration::from_hours(800 * 24);
/// A certificate with less time left is renewed at startup.
const LEFT: SignedDuration = SignedDuration::from_hours(60 * 24);

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of the panel.
    #[error(transparent)]
    File(#[from] FileError),
    /// One of the two settings is missing.
    #[error("{there} is set and {missing} is not: a certificate and its key belong together")]
    Half {
        /// The setting that is present.
        there: &'static str,
        /// The missing setting.
        missing: &'static str,
    },
    /// A file named in the settings.
    #[error("{setting} {}: {problem}", path.display())]
    Given {
        /// The setting's name.
        setting: &'static str,
        /// The file that the setting names.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The panel's own key or certificate.
    #[error(
        "{}: {problem}. Restore it from a backup; or delete it, a new key is made, and every agent that was told \
         the old one has to be told the new one",
        path.display()
    )]
    Own {
        /// The certificate or key file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl TlsError {
    /// Exit code according to `sysexits.h`.
    pub fn exit_code(&self) -> u8 {
        match self {
            TlsError::File(FileError::Exposed { .. } | FileError::NotOurs { .. }) => 77,
            TlsError::File(_) => 74,
            TlsError::Half { .. } | TlsError::Given { .. } | TlsError::Own { .. } => 78,
        }
    }
}

/// ALPN protocol name of HTTP/2 (RFC 7301).
pub const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The panel's TLS key and certificate. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    acceptor: TlsAcceptor,
    for_people: TlsAcceptor,
    pin: KeyPin,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("pin", &self.pin).finish_non_exhaustive()
    }
}

impl Identity {
    /// Hash of the key in the form `sha256//BASE64=`, as used by `PANEL_PIN` and curl's `--pinnedpubkey`.
    pub fn pin(&self) -> String {
        self.pin.to_string()
    }

    /// For the agents' port, which only supports HTTP/1.1 because its connections become WebSockets.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// For the users' port, which also supports HTTP/2.
    pub fn acceptor_for_people(&self) -> TlsAcceptor {
        self.for_people.clone()
    }

    /// Opens the given pair, or the panel's own key in `secrets` with a certificate for `names`.
    pub fn open(
        given: (Option<&Path>, Option<&Path>),
        secrets: &Path,
        names: &BTreeSet<String>,
    ) -> Result<Self, TlsError> {
        match given {
            (Some(certificate), Some(key)) => Self::given(certificate, key),
            (None, None) => Self::own(secrets, names),
            (Some(_), None) => Err(TlsError::Half { there: "TLS_CERT", missing: "TLS_KEY" }),
            (None, Some(_)) => Err(TlsError::Half { there: "TLS_KEY", missing: "TLS_CERT" }),
        }
    }

    fn given(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let bad = |setting, path: &Path| {
            let path = path.to_owned();
            move |problem: String| TlsError::Given { setting, path, problem }
        };
        let read = |setting, path| std::fs::read(path).map_err(|error| bad(setting, path)(error.to_string()));
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&read("TLS_CERT", certificate)?)
            .collect::<Result<_, _>>()
            .map_err(|error| bad("TLS_CERT", certificate)(error.to_string()))?;
        if chain.is_empty() {
            return Err(bad("TLS_CERT", certificate)("there is no certificate in it".to_owned()));
        }
        let private = PrivateKeyDer::from_pem_slice(&read("TLS_KEY", key)?)
            .map_err(|_| bad("TLS_KEY", key)("there is no private key in it".to_owned()))?;
        Self::new(chain, private).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                bad("TLS_KEY", key)(format!("is not the key of {}", certificate.display()))
            }
            other => bad("TLS_CERT", certificate)(other.to_string()),
        })
    }

    fn own(secrets: &Path, names: &BTreeSet<String>) -> Result<Self, TlsError> {
        let path = secrets.join(KEY);
        let bad = |path: &Path| {
            let path = path.to_owned();
            move |problem: String| TlsError::Own { path, problem }
        };
        let fresh = KeyPair::generate().map_err(|error| bad(&path)(error.to_string()))?;
        let text = private_files::secret(&path, || fresh.serialize_pem())?;
        let key = KeyPair::from_pem(&text).map_err(|_| bad(&path)("is no private key".to_owned()))?;
        let kept = secrets.join(CERTIFICATE);
        if let Some(own) = Self::kept(&kept, &key, names) {
            return Ok(own);
        }
        let until = Timestamp::now() + LASTS;
        let certificate = issue(&key, names, until).map_err(|error| bad(&kept)(error.to_string()))?;
        let (names, until) = (list(names), date(until));
        private_files::write_private(
            &kept,
            &format!("names: {names}\nuntil: {until}\n{}", certificate.pem()),
        )?;
        tracing::info!(names, until, "a certificate was made on the panel's key");
        let own = Self::new(vec![certificate.der().clone()], private(&key));
        own.map_err(|error| bad(&path)(error.to_string()))
    }

    /// The existing certificate, if it covers these names, belongs to the key and is valid long enough.
    fn kept(path: &Path, key: &KeyPair, names: &BTreeSet<String>) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let until: Timestamp = format!("{}T00:00:00Z", line("until")?).parse().ok()?;
        if line("names")? != list(names) || until.duration_since(Timestamp::now()) < LEFT {
            return None;
        }
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).ok()?;
        Self::new(vec![certificate], private(key)).ok()
    }

    fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, rustls::Error> {
        let provider = provider();
        let certified = CertifiedKey::from_der(chain, key, &provider)?;
        let public = certified.key.public_key();
        let public =
            public.ok_or_else(|| rustls::Error::General("this kind of key is not known".to_owned()))?;
        let pin = KeyPin::of_spki(public.as_ref());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![HTTP1.to_vec()];
        let mut for_people = config.clone();
        for_people.alpn_protocols.insert(0, HTTP2.to_vec());
        let acceptor = |config| TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor: acceptor(config), for_people: acceptor(for_people), pin })
    }
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(key.serialize_der().into())
}

fn issue(
    key: &KeyPair,
    names: &BTreeSet<String>,
    until: Timestamp,
) -> Result<rcgen::Certificate, rcgen::Error> {
    let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Ctrl-Alt-Play");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let day = |at: Timestamp| {
        let date = date(at);
        let part = |n: usize| date.split('-').nth(n).and_then(|part| part.parse::<u16>().ok()).unwrap_or(1);
        rcgen::date_time_ymd(i32::from(part(0)), part(1).to_le_bytes()[0], part(2).to_le_bytes()[0])
    };
    // One day earlier, for clients whose clocks are behind.
    params.not_before = day(Timestamp::now() - SignedDuration::from_hours(24));
    params.not_after = day(until);
    params.self_signed(key)
}

fn date(at: Timestamp) -> String {
    at.to_string().chars().take("2026-01-01".len()).collect()
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// The crypto provider for all TLS connections, incoming and outgoing.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Names under which the panel is reached: the machine's names and addresses, and the host of `PUBLIC_URL`.
pub fn names(bind: IpAddr, public_url: Option<&str>) -> BTreeSet<String> {
    let mut names = BTreeSet::from(["localhost", "127.0.0.1", "::1"].map(ToOwned::to_owned));
    if let Ok(host) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        let host = host.trim().to_ascii_lowercase();
        if !host.contains('.') {
            names.insert(format!("{host}.local"));
        }
        names.insert(host);
    }
    if bind.is_unspecified() {
        names.extend(agent::host::addresses().iter().map(ToString::to_string));
    } else {
        names.insert(bind.to_string());
    }
    let authority =
        public_url.and_then(|url| url.split_once("://")).and_then(|(_, rest)| rest.split('/').next());
    if let Some(authority) = authority {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        };
        names.insert(host.trim_matches(['[', ']']).to_ascii_lowercase());
    }
    let fits = |name: &String| {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
        !name.is_empty() && name.len() <= 253 && (plain || name.parse::<IpAddr>().is_ok())
    };
    names.retain(fits);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn certificate(folder: &Path) -> String {
        std::fs::read_to_string(folder.join(CERTIFICATE)).unwrap()
    }

    #[test]
    fn the_key_outlives_its_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let open = |names: &[&str]| Identity::open((None, None), folder.path(), &some(names)).unwrap().pin();
        let pin = open(&["localhost", "::1"]);
        let first = certificate(folder.path());
        assert_eq!((open(&["::1", "localhost"]), certificate(folder.path())), (pin.clone(), first.clone()));
        assert_eq!(open(&["localhost", "10.0.0.7"]), pin);
        let second = certificate(folder.path());
        assert_ne!(first, second, "another address");
        let soon = date(Timestamp::now() + SignedDuration::from_hours(24));
        let old = second
            .lines()
            .map(|line| if line.starts_with("until: ") { format!("until: {soon}") } else { line.to_owned() });
        std::fs::write(folder.path().join(CERTIFICATE), old.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(open(&["localhost", "10.0.0.7"]), pin);
        assert!(!certificate(folder.path()).contains(&soon), "it ended soon");
        std::fs::write(folder.path().join(CERTIFICATE), "torn").unwrap();
        assert_eq!(open(&["localhost"]), pin);
        std::fs::remove_file(folder.path().join(KEY)).unwrap();
        assert_ne!(open(&["localhost"]), pin, "another key");
        private_files::check_folder(folder.path()).unwrap();
        std::fs::write(folder.path().join(KEY), "torn").unwrap();
        let error = Identity::open((None, None), folder.path(), &some(&["a"])).unwrap_err();
        assert!(error.to_string().contains(KEY), "{error}");
    }

    #[test]
    fn a_given_pair_has_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let pair = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let made = issue(&key, &some(&["panel.example"]), Timestamp::now() + LASTS).unwrap();
            let (c, k) =
                (folder.path().join(format!("{name}.crt")), folder.path().join(format!("{name}.key")));
            std::fs::write(&c, made.pem()).unwrap();
            std::fs::write(&k, key.serialize_pem()).unwrap();
            (c, k)
        };
        let ((one, key), (_, other)) = (pair("one"), pair("other"));
        let open =
            |c: Option<&Path>, k: Option<&Path>| Identity::open((c, k), folder.path(), &BTreeSet::new());
        open(Some(&one), Some(&key)).unwrap();
        for (c, k, words) in [
            (Some(one.as_path()), None, "TLS_KEY is not"),
            (None, Some(key.as_path()), "TLS_CERT is not"),
            (Some(&one), Some(&other), "is not the key of"),
            (Some(&key), Some(&key), "no certificate"),
            (Some(&one), Some(&one), "no private key"),
            (Some(Path::new("/nowhere")), Some(&key), "TLS_CERT /nowhere"),
        ] {
            let error = open(c, k).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.exit_code(), 78);
        }
    }

    #[test]
    fn names_are_those_by_which_it_is_reached() {
        let names = names(IpAddr::from([0, 0, 0, 0]), Some("https://Panel.Example:8443/x"));
        for name in ["localhost", "127.0.0.1", "::1", "panel.example"] {
            assert!(names.contains(name), "{name}: {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains(['/', '[', ' '])), "{names:?}");
    }
}
