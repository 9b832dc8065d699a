//! Host names by which the panel may be called.

use crate::harness::{Panel, raw, seconds};

fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n")
}

async fn status(panel: &Panel, path: &str, host: &str) -> u16 {
    let request = request(path, &format!("Host: {host}\r\n"));
    raw::status(&raw::exchange_head(&panel.address, request.as_bytes(), seconds(10)).await)
}

const PATHS: [(&str, u16); 6] = [
    ("/", 200),
    ("/health", 200),
    ("/api/setup", 200),
    ("/api/me", 401),
    ("/install.sh", 200),
    ("/nope.js", 404),
];

#[tokio::test]
async fn names_that_are_not_ours_are_refused_before_anything_else() {
    let panel = Panel::builder()
        .env("PUBLIC_URL", "https://panel.example.org")
        .env("ALLOWED_HOSTS", "nas, .home.example")
        .start()
        .await;
    let port = panel.address.rsplit_once(':').unwrap().1.to_owned();
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    for (path, right) in PATHS {
        for host in [
            panel.address.as_str(),
            "127.0.0.1",
            "[::1]:3000",
            "10.1.2.3:80",
            "localhost",
            &format!("LocalHost.:{port}"),
            "box.local",
            &hostname.to_uppercase(),
            "panel.example.org",
            "Panel.example.org:443",
            "nas:3000",
            "a.home.example",
        ] {
            assert_eq!(status(&panel, path, host).await, right, "{path} of {host}");
        }
        for host in [
            "evil.test",
            "evil.test:3000",
            "panel.example.org.evil.test",
            "127.0.0.1.evil.test",
            "localhost.evil.test",
            "evil.local.test",
            "home.example",
            "2130706433",
            "[::1]x",
            "<script>",
            "",
            &"a".repeat(10_000),
        ] {
            assert_eq!(status(&panel, path, host).await, 421, "{path} of {host:.60}");
        }
    }
    let absolute =
        request(&format!("http://evil.test:{port}/api/setup"), &format!("Host: {}\r\n", panel.address));
    let (answer, _) = raw::exchange(&panel.address, absolute.as_bytes(), seconds(10)).await;
    assert_eq!(raw::status(&answer), 421, "{answer}");
    // A request without a Host header does not come from a browser, and is answered.
    let old = "GET /health HTTP/1.0\r\n\r\n";
    assert_eq!(raw::status(&raw::exchange_head(&panel.address, old.as_bytes(), seconds(10)).await), 200);
}

#[tokio::test]
async fn the_refusal_says_how_to_allow_the_name() {
    let panel = Panel::start().await;
    let ask = async |path: &str, headers: &str| {
        raw::exchange(&panel.address, request(path, headers).as_bytes(), seconds(10)).await.0
    };
    let api = ask("/api/setup", "Host: games.example.net:3000\r\nAccept: text/html\r\n").await;
    assert!(
        api.contains("\"code\":\"unknown_host\"") && api.contains("ALLOWED_HOSTS=games.example.net"),
        "{api}"
    );
    let page = ask("/", "Host: games.example.net\r\nAccept: text/html,*/*\r\n").await;
    assert!(
        page.contains("content-type: text/plain") && page.contains("ALLOWED_HOSTS=games.example.net"),
        "{page}"
    );
    for hostile in ["<img src=x>", "a\"b", "\u{e9}.test"] {
        let answer = ask("/", &format!("Host: {hostile}\r\nAccept: text/html\r\n")).await;
        assert!(matches!(raw::status(&answer), 400 | 421), "{answer}");
        assert!(!answer.contains(hostile), "{answer}");
    }
}

#[tokio::test]
async fn an_agents_port_goes_by_no_name() {
    let panel = Panel::start().await;
    let asked = "GET / HTTP/1.1\r\nHost: whatever.test\r\nConnection: close\r\n\r\n";
    let answer = raw::exchange_head(&panel.agents_address(), asked.as_bytes(), seconds(10)).await;
    assert_eq!(raw::status(&answer), 426, "{answer}");
}

#[tokio::test]
async fn an_address_from_outside_has_no_path() {
    for (name, value, word) in [
        ("PUBLIC_URL", "https://panel.example.org/games", "path"),
        ("TRUSTED_PROXIES", "nginx", "address"),
        ("ALLOWED_HOSTS", "https://nas", "name"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let out = std::process::Command::new(crate::harness::binary())
            .arg("serve")
            .env("DATA_DIR", folder.path())
            .env("PORT", "0")
            .env("WEBSOCKET_PORT", "0")
            .env("HEALTH_PORT", "off")
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
        assert_eq!(out.status.code(), Some(78), "{said}");
        assert!(said.contains(name) && said.contains(word), "{said}");
    }
}
