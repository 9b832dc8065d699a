//! A panel during upgrade verification: its port only answers `/health` until it has checked itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::{Method, Request, StatusCode};
use serde_json::json;
use storage::Store;

use super::error::StartError;
use crate::error::{ApiError, Code};
use crate::http::{Body, Response, error, json_reply};
use crate::router::Router;
use crate::status::VERSION;
use crate::system::service;
use crate::system::upgrade_verification::Verification;

/// Sits between port and router, and blocks requests during verification. Cheap to clone.
#[derive(Clone)]
pub(super) struct VerificationGate {
    open: Arc<AtomicBool>,
    router: Router,
}

impl VerificationGate {
    pub(super) fn new(router: Router, open: bool) -> Self {
        Self { open: Arc::new(AtomicBool::new(open)), router }
    }

    pub(super) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    pub(super) async fn answer(self, request: Request<Body>) -> Response {
        if self.open.load(Ordering::Acquire) {
            return self.router.answer(request).await;
        }
        if *request.method() == Method::GET && request.uri().path() == "/health" {
            return json_reply(StatusCode::OK, Ok(json!({ "status": "trial", "version": VERSION })));
        }
        error(&ApiError::new(Code::Busy, "The panel was upgraded and is being tried. Ask again in a moment."))
    }
}

/// Completes the verification if the database can be read and the port responds.
pub(super) async fn prove(trial: Verification, store: &Store, port: SocketAddr) -> Result<(), StartError> {
    fn failed<E>(doing: &'static str) -> impl FnOnce(E) -> StartError
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| StartError::Other { doing, source: source.into() }
    }
    tracing::info!(from = trial.from, "on trial after an upgrade");
    service::status("On trial after an upgrade");
    let nodes = store.read_now(storage::nodes::list).map_err(failed("trying to read the database"))?;
    let answer = service::probe(service::reached(port)).await.map_err(failed("trying our own port"))?;
    if !answer.starts_with(b"HTTP/1.1 200") {
        return Err(failed("trying our own port")("/health was not answered with 200"));
    }
    tracing::debug!(nodes = nodes.len(), "the panel is well");
    tokio::task::spawn_blocking(move || trial.pass())
        .await
        .map_err(failed("ending the trial"))?
        .map_err(failed("ending the trial"))
}
