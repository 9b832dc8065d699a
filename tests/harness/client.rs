//! An HTTP client that returns the complete answer.

use reqwest::Method;
use serde_json::Value;

/// An API client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    /// Bearer token, if signed in.
    pub(crate) token: Option<String>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: reqwest::header::HeaderMap,
    /// The body as text.
    pub(crate) text: String,
    /// The body as JSON; null if it is none.
    pub(crate) json: Value,
}

impl Answer {
    /// Panics with the whole response if the status differs.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// Panics if the status or error code differ, or if the error does not have the common shape.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code()), (status, code), "{self:#?}");
        let message = self.json["error"]["message"].as_str().unwrap_or_default();
        assert!(message.len() > 3, "a sentence for a person: {self:#?}");
        self
    }

    /// The error's code.
    pub(crate) fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }

    /// The error for a field of a 422 response.
    pub(crate) fn field(&self, path: &str) -> &str {
        self.json["error"]["fields"][path].as_str().unwrap_or_default()
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The `id` of the created object.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.json["id"].as_str().unwrap_or_else(|| panic!("no id: {self:#?}")).to_owned()
    }
}

impl Client {
    pub(crate) fn new(address: &str, token: Option<String>) -> Self {
        // The panel closes a connection that has been idle for 10 s. A test that keeps its thread busy for longer does not
        // see that before it sends the next request, which then gets no answer.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .pool_idle_timeout(std::time::Duration::from_secs(5))
            .build()
            .unwrap();
        Self { http, address: address.to_owned(), token }
    }

    /// A request to be completed; carries the token, if any.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let text = String::from_utf8_lossy(&answer.bytes().await.expect("a body")).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, headers, text, json }
    }

    /// Sends one call, with an optional JSON body.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.send(request).await
    }

    /// Like [`Client::get`], while the panel may be away.
    pub(crate) async fn try_get(&self, path: &str) -> Option<Answer> {
        let answer = self.request(Method::GET, path).send().await.ok()?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = String::from_utf8_lossy(&answer.bytes().await.ok()?).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Some(Answer { status, headers, text, json })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }
}
