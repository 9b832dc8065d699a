//! HTTP/2, negotiated by TLS: the same responses, and limits for each connection.

use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{self, SendRequest};
use hyper::http;
use reqwest::Method;
use tokio::io::AsyncReadExt;

use super::tls::connect_offering;
use crate::harness::{Panel, seconds};

type Request = http::Request<()>;

/// An HTTP/2 client. Its connection runs until the test ends.
#[allow(clippy::disallowed_methods, reason = "ends with the test")]
async fn client(
    panel: &Panel,
    builder: &client::Builder,
) -> (SendRequest<Bytes>, tokio::task::JoinHandle<()>) {
    let stream = connect_offering(&panel.address, &["h2"]).await;
    let (send, connection) = builder.handshake(stream).await.unwrap();
    let ended = tokio::spawn(async move {
        let _ = connection.await;
    });
    (send.ready().await.unwrap(), ended)
}

fn get(panel: &Panel, path: &str) -> http::request::Builder {
    http::Request::builder().method(Method::GET).uri(format!("https://{}{path}", panel.address))
}

/// Status, headers and body of a response.
async fn answer(
    send: &mut SendRequest<Bytes>,
    request: Request,
) -> Result<(u16, http::HeaderMap, Vec<u8>), h2::Error> {
    let (response, _) = send.send_request(request, true)?;
    let (parts, mut body) = response.await?.into_parts();
    let mut all = Vec::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        all.extend_from_slice(&part);
    }
    Ok((parts.status.as_u16(), parts.headers, all))
}

#[tokio::test]
async fn the_api_and_the_page_answer_as_ever() {
    let panel = Panel::start().await;
    let (mut send, _ended) = client(&panel, &client::Builder::new()).await;
    let token = panel.admin().token.unwrap();
    let me = get(&panel, "/api/me").header("authorization", format!("Bearer {token}")).body(()).unwrap();
    let (status, headers, body) = answer(&mut send, me).await.unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(String::from_utf8_lossy(&body).contains("\"username\":\"admin\""));
    let (status, headers, body) = answer(&mut send, get(&panel, "/servers").body(()).unwrap()).await.unwrap();
    assert!(status == 200 && headers.contains_key("content-security-policy") && body.len() > 100);
    assert_eq!(answer(&mut send, get(&panel, "/api/me").body(()).unwrap()).await.unwrap().0, 401);
    // Many requests at once on the same connection.
    let many = (0..40).map(|_| {
        let mut send = send.clone();
        let health = get(&panel, "/health").body(()).unwrap();
        async move { answer(&mut send, health).await.unwrap().0 }
    });
    assert!(futures_util::future::join_all(many).await.iter().all(|status| *status == 200));
    // A foreign host name, and two different ones.
    let evil = http::Request::builder().uri("https://evil.example/api/me").body(()).unwrap();
    assert_eq!(answer(&mut send, evil).await.unwrap().0, 421);
    let two = get(&panel, "/api/me").header("host", "evil.example").body(()).unwrap();
    assert_eq!(answer(&mut send, two).await.unwrap().0, 400);
}

#[tokio::test]
async fn whoever_takes_back_what_he_asked_for_is_dropped() {
    let panel = Panel::start().await;
    let (mut send, ended) = client(&panel, &client::Builder::new()).await;
    let mut reset = 0;
    for _ in 0..20_000 {
        let Ok((response, mut stream)) = send.send_request(get(&panel, "/api/me").body(()).unwrap(), true)
        else {
            break;
        };
        stream.send_reset(h2::Reason::CANCEL);
        drop(response);
        reset += 1;
        if reset % 50 == 0 {
            tokio::task::yield_now().await;
        }
        match tokio::time::timeout(seconds(5), std::future::poll_fn(|context| send.poll_ready(context))).await
        {
            Ok(Ok(())) => {}
            _ => break,
        }
        if ended.is_finished() {
            break;
        }
    }
    tokio::time::timeout(seconds(5), ended).await.expect("the connection is ended").unwrap();
    panel.anonymous().get("/health").await.expect(200);
}

#[tokio::test]
async fn headers_have_a_bound_and_so_have_requests_at_once() {
    let panel = Panel::start().await;
    let (mut send, _ended) = client(&panel, &client::Builder::new()).await;
    let large = get(&panel, "/health").header("x-large", "x".repeat(40_000)).body(()).unwrap();
    match answer(&mut send, large).await {
        Ok((status, ..)) => assert_eq!(status, 431),
        Err(error) => assert!(error.is_reset() || error.is_go_away() || error.is_io(), "{error}"),
    }
    let (send, _ended) = client(&panel, &client::Builder::new()).await;
    let (mut send, health) = (send, get(&panel, "/health").body(()).unwrap());
    assert_eq!(answer(&mut send, health).await.unwrap().0, 200);
    assert_eq!(send.current_max_send_streams(), 64);
}

#[tokio::test]
async fn silence_has_a_deadline() {
    let panel = Panel::start().await;
    let began = Instant::now();
    // A client that sends nothing after the handshake, and one that is idle after a request.
    let mut silent = connect_offering(&panel.address, &["h2"]).await;
    let (mut send, ended) = client(&panel, &client::Builder::new()).await;
    assert_eq!(answer(&mut send, get(&panel, "/health").body(()).unwrap()).await.unwrap().0, 200);
    let mut rest = [0; 1024];
    let silence = async { while let Ok(1..) = silent.read(&mut rest).await {} };
    let both = async { tokio::join!(silence, ended) };
    tokio::time::timeout(seconds(25), both).await.expect("both are ended").1.unwrap();
    assert!(began.elapsed() > Duration::from_secs(5), "not at once");
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    let panel = Panel::start().await;
    let mut builder = client::Builder::new();
    builder.initial_window_size(16);
    let (mut send, _ended) = client(&panel, &builder).await;
    let (response, _) = send.send_request(get(&panel, "/servers").body(()).unwrap(), true).unwrap();
    let mut body = response.await.unwrap().into_body();
    let all = async {
        // Reads without ever enlarging the flow-control window.
        while let Some(part) = body.data().await {
            if part.is_err() {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(seconds(70), all).await.expect("it is reset"), "it was sent whole");
    let (mut send, _ended) = client(&panel, &client::Builder::new()).await;
    assert_eq!(answer(&mut send, get(&panel, "/health").body(()).unwrap()).await.unwrap().0, 200);
}
