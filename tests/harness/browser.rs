//! A signed-in browser: its cookies and the page's storage, as far as the panel uses them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, Client, PASSWORD, Panel};

/// A signed-in browser.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client,
    /// The session cookie, `session=…`.
    pub(crate) cookie: String,
    /// The session key, which the page sends along with the cookie.
    pub(crate) key: String,
    /// The device cookie `device=…` and the page's half of it, from the last sign-in that set one.
    pub(crate) device: Option<(String, String)>,
}

impl Browser {
    /// Created from the answer to a sign-in.
    #[track_caller]
    pub(crate) fn of(address: &str, answer: &Answer) -> Self {
        let cookie = |name: &str| {
            let mut all = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
            all.find(|value| value.starts_with(&format!("{name}=")))
                .map(|value| value.split(';').next().unwrap_or_default().to_owned())
        };
        let key = |name: &str| answer.json[name].as_str().map(str::to_owned);
        Self {
            client: Client::new(address, None),
            cookie: cookie("session").unwrap_or_else(|| panic!("no cookie: {answer:#?}")),
            key: key("sessionKey").unwrap_or_else(|| panic!("no key: {answer:#?}")),
            device: cookie("device").zip(key("deviceKey")),
        }
    }

    /// A request as the page sends it, with cookie and session key.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, path);
        request.header("cookie", &self.cookie).header("x-session-key", &self.key)
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.client.send(request).await
    }

    /// Sends a GET request.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// The first message on its WebSocket, which authenticates it.
    pub(crate) fn introduction(&self) -> String {
        json!({ "sessionKey": self.key }).to_string()
    }
}

impl Panel {
    /// Signs an account in as a browser does.
    pub(crate) async fn browser(&self, name: &str) -> Browser {
        let body = json!({ "username": name, "password": PASSWORD });
        let answer = self.anonymous().post("/api/session", body).await.expect(200);
        Browser::of(&self.address, &answer)
    }

    /// Signs in again from a browser with this device cookie.
    pub(crate) async fn sign_in_from(&self, device: Option<&(String, String)>, body: &Value) -> Answer {
        let client = self.anonymous();
        let mut request = client.request(Method::POST, "/api/session");
        if let Some((cookie, key)) = device {
            request = request.header("cookie", cookie).header("x-device-key", key);
        }
        client.send(request.json(body)).await
    }
}
