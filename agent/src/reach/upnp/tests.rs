use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::*;

const ROUTER: Ipv4Addr = Ipv4Addr::LOCALHOST;
const GATEWAY: Gateway = Gateway { router: ROUTER, own: ROUTER };

/// A router that answers each request with the next of these; the last one again and again.
async fn router(answers: Vec<String>) -> (Control, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind((ROUTER, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tasks, clients) = (TaskTracker::new(), TaskTracker::new());
    let task = tasks.spawn(async move {
        let mut count = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answers.get(count).or(answers.last()).cloned().unwrap();
            count += 1;
            clients.spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                if answer == "endless" {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    while stream.write_all(&[b'<'; 65_536]).await.is_ok() {}
                } else if answer == "silent" {
                    std::future::pending::<()>().await;
                } else {
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    (Control { address, path: "/ctl".into(), service: SERVICES[1] }, task)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn fault(code: u16) -> String {
    let body =
        format!("<s:Fault><detail><UPnPError><errorCode>{code}</errorCode></UPnPError></detail></s:Fault>");
    format!("HTTP/1.1 500 Internal\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn routers_that_only_know_permanent_leases_get_one() {
    for code in [725, 402] {
        let (control, _task) = router(vec![fault(714), fault(code), ok("")]).await;
        assert!(control.add(GATEWAY, Protocol::Tcp, 25565, 3600).await.unwrap(), "{code}");
    }
    let (control, _task) = router(vec![fault(714), ok("")]).await;
    assert!(!control.add(GATEWAY, Protocol::Tcp, 25565, 3600).await.unwrap());
    let (control, _task) = router(vec![fault(714), fault(725)]).await;
    assert!(control.add(GATEWAY, Protocol::Tcp, 25565, 3600).await.is_err(), "not for ever");
}

#[tokio::test]
async fn what_another_device_has_is_left_alone() {
    let other =
        ok("<NewInternalPort>25565</NewInternalPort><NewInternalClient>192.168.1.9</NewInternalClient>");
    let (control, _task) = router(vec![other, ok("")]).await;
    assert!(control.add(GATEWAY, Protocol::Tcp, 25565, 3600).await.unwrap_err().is_conflict());
    assert!(control.entry(GATEWAY, Protocol::Tcp, 1).await.is_ok());
    let (control, _task) = router(vec![fault(714), fault(718)]).await;
    assert!(control.add(GATEWAY, Protocol::Tcp, 25565, 3600).await.unwrap_err().is_conflict());
}

#[tokio::test]
async fn endless_silent_and_senseless_routers_end_in_an_error() {
    let began = Instant::now();
    for answer in ["endless", "silent", "nonsense", "HTTP/1.1 200 OK\r\n\r\n", ""] {
        let (control, task) = router(vec![answer.to_owned()]).await;
        assert!(control.external_address().await.is_err(), "{answer}");
        task.abort();
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let (control, _task) = router(vec![ok("<NewExternalIPAddress>not one</NewExternalIPAddress>")]).await;
    assert!(control.external_address().await.is_err());
}

#[test]
fn only_the_router_itself_is_believed() {
    let at =
        |url: &str| location(&format!("HTTP/1.1 200 OK\r\nLocation: {url}\r\n\r\n"), [192, 168, 1, 1].into());
    assert_eq!(at("http://192.168.1.1:5000/rootDesc.xml"), Some((5000, "/rootDesc.xml".into())));
    assert_eq!(at("http://192.168.1.1/x"), Some((80, "/x".into())));
    for elsewhere in [
        "http://169.254.169.254/latest",
        "http://127.0.0.1:3000/",
        "http://192.168.1.1@evil.example/x",
        "http://192.168.1.1:5000@127.0.0.1/x",
        "http://router.example/x",
        "https://192.168.1.1/x",
        "http://192.168.1.1:0/x",
        "http://192.168.1.1/a b",
        "file:///etc/passwd",
    ] {
        assert_eq!(at(elsewhere), None, "{elsewhere}");
    }
}

#[test]
fn descriptions_are_read_and_bombs_are_text() {
    let address: SocketAddr = "192.168.1.1:5000".parse().unwrap();
    let service = |kind: &str, url: &str| {
        format!("<service><serviceType>{kind}</serviceType><controlURL>{url}</controlURL></service>")
    };
    let both = service(SERVICES[1], "/one") + &service(SERVICES[0], "/two?a=1&amp;b=2");
    let found = control(&both, address).unwrap();
    assert_eq!((found.path.as_str(), found.service), ("/two?a=1&b=2", SERVICES[0]));
    let found = control(&service(SERVICES[2], "http://192.168.1.1:49152/ppp"), address).unwrap();
    assert_eq!((found.address.port(), found.path.as_str()), (49152, "/ppp"));
    assert_eq!(control(&service(SERVICES[1], "http://10.0.0.9/x"), address), None, "leads elsewhere");
    assert_eq!(control(&service(SERVICES[1], "/a\r\nX: y"), address), None, "another header");
    let bomb = format!(
        "<!DOCTYPE x [<!ENTITY a \"{}\">{}]>{}",
        "b".repeat(1000),
        "<!ENTITY c \"&a;&a;&a;&a;&a;&a;&a;&a;\">".repeat(500),
        "<service>".repeat(5000),
    );
    let began = Instant::now();
    assert_eq!(control(&bomb, address), None);
    assert!(began.elapsed() < Duration::from_secs(1));
}
