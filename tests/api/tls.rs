//! TLS on the panel's ports, and agents that verify the panel by its key.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::link::node_where;
use super::link::process::AgentProcess;
use super::link::raw_agent;
use crate::harness::authority::Authority;
use crate::harness::{PASSWORD, Panel, free_port, raw, seconds, until};

#[tokio::test]
async fn both_ports_speak_both() {
    let panel = Panel::start().await;
    let agents = panel.agents_address();
    for (address, path, status) in [(&panel.address, "/health", 200), (&agents, "/health", 404)] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        let (answer, _) = raw::exchange(address, request.as_bytes(), seconds(5)).await;
        assert_eq!(raw::status(&answer), status, "{answer}");
        let answer = by_tls(address, &request).await;
        assert_eq!(raw::status(&answer), status, "{answer}");
    }
    // The ALPN protocols that browsers offer for pages and for WebSockets. The agents' port has only WebSockets.
    for (address, offered, agreed) in [
        (&panel.address, &["h2", "http/1.1"][..], &b"h2"[..]),
        (&panel.address, &["http/1.1"], b"http/1.1"),
        (&agents, &["h2", "http/1.1"], b"http/1.1"),
    ] {
        let stream = connect_offering(address, offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(agreed), "{address}, {offered:?}");
    }
}

/// Slow in the handshake, silent after it, or with half a request: each has its timeout.
#[tokio::test]
async fn whoever_is_slow_in_tls_is_dropped() {
    let panel = Panel::start().await;
    let agents = panel.agents_address();
    let patience = seconds(16);
    let mut silent = connect(&panel.address).await;
    let mut half = connect(&agents).await;
    half.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-").await.unwrap();
    let ended = async |stream: &mut TlsStream<TcpStream>| {
        let mut rest = [0; 64];
        tokio::time::timeout(patience, async { while let Ok(1..) = stream.read(&mut rest).await {} }).await
    };
    let dribble = async {
        let mut stream = TcpStream::connect(&agents).await.unwrap();
        let began = std::time::Instant::now();
        // A TLS hello that would take minutes.
        for byte in b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03".iter().chain(std::iter::repeat(&7)) {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            assert!(began.elapsed() < patience, "dribbling still");
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
    };
    let (silent, half, ()) = tokio::join!(ended(&mut silent), ended(&mut half), dribble);
    assert!(silent.is_ok() && half.is_ok(), "silent: {silent:?}, half a request: {half:?}");
}

#[tokio::test]
async fn the_cookie_is_secure_where_the_connection_is() {
    let panel = Panel::start().await;
    let a = panel.address.clone();
    let body = json!({ "username": "admin", "password": PASSWORD }).to_string();
    let sign_in = format!(
        "POST /api/session HTTP/1.1\r\nHost: {a}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (plain, _) = raw::exchange(&a, sign_in.as_bytes(), seconds(10)).await;
    assert!(plain.contains("set-cookie: session=") && !plain.contains("; Secure"), "{plain}");
    let tls = by_tls(&a, &sign_in).await;
    assert!(tls.contains("set-cookie: __Host-session=") && tls.contains("; Secure"), "{tls}");
    assert!(!tls.contains("set-cookie: session="), "another name by TLS: {tls}");
    // The secure cookie of an earlier version would prevent the browser from accepting a new one over plain HTTP.
    let with = |cookie: &str| sign_in.replacen("\r\n\r\n", &format!("\r\nCookie: {cookie}\r\n\r\n"), 1);
    assert!(!tls.contains("set-cookie: session=;"), "{tls}");
    assert!(!by_tls(&a, &with("session=a.b")).await.contains("set-cookie: session=;"));
    let healed = by_tls(&a, &with("session=eyJ0.eyJz.c2ln")).await;
    assert!(healed.contains("set-cookie: session=; ") && healed.contains("Max-Age=0; Secure"), "{healed}");
    let halves = |answer: &str, name: &str| {
        let between = |start: &str, end: char| {
            let (_, rest) = answer.split_once(start).unwrap();
            rest.split(end).next().unwrap().to_owned()
        };
        let cookie = between(&format!("set-cookie: {name}="), ';');
        (format!("{name}={cookie}"), between("\"sessionKey\":\"", '"'))
    };
    // A browser that signed in over both keeps both cookies, and the key of the origin that it is on.
    let ((plain, plain_key), (secure, key)) = (halves(&plain, "session"), halves(&tls, "__Host-session"));
    let read = |cookies: &str, key: &str| {
        format!(
            "GET /api/me HTTP/1.1\r\nHost: {a}\r\nConnection: close\r\nCookie: {cookies}\r\nX-Session-Key: {key}\r\n\r\n"
        )
    };
    let by_plain = async |cookies: &str, key: &str| {
        raw::status(&raw::exchange(&a, read(cookies, key).as_bytes(), seconds(10)).await.0)
    };
    assert_eq!(by_plain(&plain, &plain_key).await, 200);
    assert_eq!(by_plain(&secure.replace("__Host-", ""), &key).await, 200, "the same form by both");
    assert_eq!(by_plain(&secure, &key).await, 401, "what only TLS may send");
    assert_eq!(raw::status(&by_tls(&a, &read(&format!("{plain}; {secure}"), &key)).await), 200);
    assert_eq!(raw::status(&by_tls(&a, &read(&plain, &plain_key)).await), 401, "what anybody may have set");
    let change = |origin: &str| {
        format!(
            "DELETE /api/session HTTP/1.1\r\nHost: {a}\r\nConnection: close\r\nOrigin: {origin}\r\n\
             Cookie: {plain}; {secure}\r\nX-Session-Key: {key}\r\n\r\n"
        )
    };
    assert_eq!(raw::status(&by_tls(&a, &change(&format!("http://{a}"))).await), 403, "a page without TLS");
    assert_eq!(raw::status(&by_tls(&a, &change("https://evil.test")).await), 403);
    let signed_out = by_tls(&a, &change(&format!("https://{a}"))).await;
    assert_eq!(raw::status(&signed_out), 204);
    assert!(
        signed_out.contains("set-cookie: __Host-session=; ") && signed_out.contains("Max-Age=0"),
        "{signed_out}"
    );
    assert_eq!(by_plain(&plain, &plain_key).await, 200, "the other one goes on");
}

#[tokio::test]
async fn a_given_pair_is_served_and_a_bad_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["panel.example".into()]).unwrap().self_signed(&key).unwrap();
    let (c, k) = (folder.path().join("panel.crt"), folder.path().join("panel.key"));
    std::fs::write(&c, certificate.pem()).unwrap();
    std::fs::write(&k, key.serialize_pem()).unwrap();
    let panel = Panel::builder()
        .env("TLS_CERT", c.display().to_string())
        .env("TLS_KEY", k.display().to_string())
        .fresh()
        .await;
    let stream = connect(&panel.address).await;
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap(), [certificate.der().clone()]);
    std::fs::write(&k, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let (code, said) =
        refusal(&[("TLS_CERT", c.to_str().unwrap()), ("TLS_KEY", k.to_str().unwrap())], "serve");
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("TLS_KEY") && said.contains("is not the key of"), "{said}");
    let (code, said) = refusal(&[("TLS_CERT", c.to_str().unwrap())], "serve");
    assert!(code == 78 && said.contains("TLS_KEY is not"), "{code} {said}");
}

#[tokio::test]
async fn an_agent_knows_the_panel_by_its_key_whatever_its_certificate() {
    let port = free_port();
    let mut panel = Panel::builder().env("WEBSOCKET_PORT", port.to_string()).start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let pin = pin(&panel);
    let url = format!("wss://127.0.0.1:{port}");
    // The old pin next to the new one, as during a key change.
    let pins = format!("sha256//{}=,{pin}", "A".repeat(43));
    let agent = AgentProcess::start(&[
        ("PANEL_URL", &url),
        ("NODE_ID", "attic"),
        ("AGENT_SECRET", &secret),
        ("PANEL_PIN", &pins),
        ("LINK_TIMES", "first_wait=50,most_wait=200"),
    ]);
    let node = node_where(&panel, "attic", "it is online", |node| node["online"] == true).await;
    assert_eq!((&node["secure"], &node["encoding"]), (&json!(true), &json!("msgpack")));
    // The panel comes back with another name, and so with another certificate.
    let file = panel.folder().join("secrets/tls-certificate.pem");
    let before = std::fs::read(&file).unwrap();
    panel.stop().await;
    std::fs::write(panel.folder().join("config.toml"), "public_url = \"https://panel.example\"").unwrap();
    panel.again().await;
    assert_ne!(std::fs::read(&file).unwrap(), before, "a new certificate");
    assert_eq!(self::pin(&panel), pin);
    node_where(&panel, "attic", "it is back", |node| node["online"] == true).await;
    drop(agent);
}

/// A panel with a certificate of a private authority, which the agent has in a file.
#[tokio::test]
async fn an_agent_knows_the_panel_by_an_authority_of_ones_own() {
    let (ours, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let issued = ours.issue("127.0.0.1");
    std::fs::write(path("chain.pem"), &issued.certificate).unwrap();
    std::fs::write(path("key.pem"), &issued.key).unwrap();
    ours.write(folder.path().join("ours.pem").as_path());
    Authority::new().write(folder.path().join("theirs.pem").as_path());
    let given = [("TLS_CERT", path("chain.pem")), ("TLS_KEY", path("key.pem"))];
    let mut builder = Panel::builder();
    for (name, value) in given {
        builder = builder.env(name, value);
    }
    let panel = builder.start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let url = format!("wss://{}", panel.agents_address());
    let start = |authorities: &str| {
        AgentProcess::start(&[
            ("PANEL_URL", &url),
            ("NODE_ID", "attic"),
            ("AGENT_SECRET", &secret),
            ("SSL_CERT_FILE", authorities),
            ("LINK_TIMES", "first_wait=50,most_wait=200"),
        ])
    };
    let why = "an authority that is not known here; SSL_CERT_FILE";
    for (authorities, words) in [(path("theirs.pem"), ""), (path("none.pem"), "none.pem: ")] {
        let agent = start(&authorities);
        until("it says why", seconds(10), async || agent.log().contains(why).then_some(())).await;
        assert!(agent.log().contains(words), "{}", agent.log());
    }
    assert_eq!(panel.admin().get("/api/nodes/attic").await.expect(200).json["online"], false);
    let _agent = start(&path("ours.pem"));
    node_where(&panel, "attic", "it is online", |node| node["online"] == true).await;
}

/// A proxy that terminates TLS with its own key gets nothing: neither the secret nor a request.
#[tokio::test]
async fn an_intercepting_proxy_gets_no_byte_of_the_secret() {
    let panel = Panel::start().await;
    let secret = raw_agent::node(&panel, "attic").await;
    let pin = pin(&panel);
    let theirs = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&theirs).unwrap().der().clone();
    let ours = std::fs::read(panel.folder().join("secrets/tls-certificate.pem")).unwrap();
    let ours = CertificateDer::from_pem_slice(&ours).unwrap();
    for (what, shown, pin) in [
        ("its own certificate to a pinned agent", certificate.clone(), Some(pin.as_str())),
        ("the panel's certificate without its key", ours, Some(pin.as_str())),
        ("its own certificate to public roots", certificate.clone(), None),
    ] {
        let proxy = Proxy::start(shown, &theirs, panel.agents_address()).await;
        let mut env = vec![
            ("PANEL_URL", proxy.url.as_str()),
            ("NODE_ID", "attic"),
            ("AGENT_SECRET", secret.as_str()),
            ("LINK_TIMES", "first_wait=50,most_wait=100"),
        ];
        env.extend(pin.map(|pin| ("PANEL_PIN", pin)));
        let agent = AgentProcess::start(&env);
        until(what, seconds(20), async || (proxy.connections() >= 3).then_some(())).await;
        assert_eq!(proxy.heard(), Vec::<u8>::new(), "{what}");
        until("it says why", seconds(10), async || agent.log().contains("not our panel").then_some(())).await;
        assert!(!agent.log().contains(&secret) && !agent.log().contains("Successfully"), "{}", agent.log());
    }
    let node = panel.admin().get("/api/nodes/attic").await.expect(200).json;
    assert_eq!(node["online"], false);
    // The proxy itself works: a client that trusts its key can connect through it.
    let proxy = Proxy::start(certificate, &theirs, panel.agents_address()).await;
    let trusting = pin_of(&theirs);
    let env = [
        ("PANEL_URL", proxy.url.as_str()),
        ("NODE_ID", "attic"),
        ("AGENT_SECRET", &secret),
        ("PANEL_PIN", &trusting),
    ];
    let _agent = AgentProcess::start(&env);
    node_where(&panel, "attic", "the proxy works", |node| node["online"] == true).await;
    let heard = String::from_utf8_lossy(&proxy.heard()).into_owned();
    assert!(heard.contains(&secret), "{heard}");
}

#[tokio::test]
async fn a_pin_without_tls_is_refused_at_the_start() {
    let pin = pin_of(&KeyPair::generate().unwrap());
    for (url, given, word) in [
        ("ws://127.0.0.1:1", pin.as_str(), "PANEL_PIN"),
        ("wss://127.0.0.1:1", "sha256//nonsense", "PANEL_PIN"),
        ("https://127.0.0.1:1", pin.as_str(), "wss://"),
    ] {
        let env = [("PANEL_URL", url), ("PANEL_PIN", given), ("AGENT_SECRET", "a shared secret of ours")];
        let (code, said) = refusal(&env, "agent");
        assert!(code == 78 && said.contains(word), "{url} {given}: {code} {said}");
    }
}

/// Accepts any certificate: the test checks which one is presented.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

async fn connect(address: &str) -> TlsStream<TcpStream> {
    connect_offering(address, &["http/1.1"]).await
}

/// A connection that offers these ALPN protocols.
pub(super) async fn connect_offering(address: &str, protocols: &[&str]) -> TlsStream<TcpStream> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

async fn by_tls(address: &str, request: &str) -> String {
    let mut stream = connect(address).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        got.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8_lossy(&got).into_owned()
}

/// Terminates TLS with its own key and forwards the decrypted bytes.
struct Proxy {
    url: String,
    state: Arc<Mutex<(usize, Vec<u8>)>>,
}

impl Proxy {
    #[allow(clippy::disallowed_methods, reason = "a test's tasks end with it")]
    async fn start(shown: CertificateDer<'static>, key: &KeyPair, panel: String) -> Self {
        let provider = ring::default_provider();
        let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let signing = provider.key_provider.load_private_key(private).unwrap();
        let certified = CertifiedKey::new(vec![shown], signing);
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("wss://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new((0, Vec::new())));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, shared, panel) = (acceptor.clone(), Arc::clone(&shared), panel.clone());
                tokio::spawn(async move {
                    let accepted = acceptor.accept(stream).await;
                    shared.lock().unwrap().0 += 1;
                    let Ok(stream) = accepted else { return };
                    let (mut from, mut to) = tokio::io::split(stream);
                    let (mut back, mut on) = TcpStream::connect(panel).await.unwrap().into_split();
                    tokio::spawn(async move { tokio::io::copy(&mut back, &mut to).await });
                    let mut buffer = [0; 4096];
                    while let Ok(n @ 1..) = from.read(&mut buffer).await {
                        shared.lock().unwrap().1.extend_from_slice(&buffer[..n]);
                        let _ = on.write_all(&buffer[..n]).await;
                    }
                });
            }
        });
        Self { url, state }
    }

    /// Number of clients that connected.
    fn connections(&self) -> usize {
        self.state.lock().unwrap().0
    }

    /// Bytes that clients sent.
    fn heard(&self) -> Vec<u8> {
        self.state.lock().unwrap().1.clone()
    }
}

/// The SHA-256 of the key, computed here from the key itself.
fn pin_of(key: &KeyPair) -> String {
    use base64::Engine;
    use sha2::Digest;
    let spki = rcgen::PublicKeyData::subject_public_key_info(key);
    format!("sha256//{}", base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(spki)))
}

fn pin(panel: &Panel) -> String {
    let text = std::fs::read_to_string(panel.folder().join("secrets/tls-key.pem")).unwrap();
    let pin = pin_of(&KeyPair::from_pem(&text).unwrap());
    assert!(panel.log().contains(&pin), "the log tells it to the operator: {}", panel.log());
    pin
}

/// Starts the program with invalid settings. Returns its exit code and output.
fn refusal(env: &[(&str, &str)], command: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = folder.path();
    let output = std::process::Command::new(crate::harness::binary())
        .arg(command)
        .env("DATA_DIR", path)
        .env("PORT", "0")
        .env("WEBSOCKET_PORT", "0")
        .env("HEALTH_PORT", "off")
        .envs(env.iter().copied())
        .output()
        .unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}
