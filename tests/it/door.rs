//! The suite behind its public door, as a department's program sees it.

use std::any::Any;
use std::path::PathBuf;

use greenstar_standalone::{Places, Sample, Settings, Suite};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The door of a running suite.
pub(crate) struct Door {
    url: String,
    folder: TempDir,
    http: Client<HttpConnector, Full<Bytes>>,
    /// What serves it while it is open.
    running: Box<dyn Any + Send>,
}

/// A reply of the REST door.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Door {
    /// The suite in one process, with its sample round.
    pub(crate) async fn open() -> Door {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::new(folder.path(), "127.0.0.1:0".parse().unwrap(), Sample::Today);
        Door::open_on(folder, settings).await
    }

    /// The suite in one process with its sample round, known to these callers only.
    pub(crate) async fn open_for(callers: &[&str]) -> Door {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path());
        greenstar_rpc::credentials::create(&places.credentials(), callers).unwrap();
        let settings = Settings::new(folder.path(), "127.0.0.1:0".parse().unwrap(), Sample::Today);
        Door::open_on(folder, settings).await
    }

    /// The suite in one process, with its own settings.
    pub(crate) async fn open_on(folder: TempDir, settings: Settings) -> Door {
        let suite = Suite::start(settings).await.expect("the suite starts");
        Door::at(&format!("http://{}", suite.address()), folder, Box::new(suite))
    }

    /// Stops the suite behind it, lets `meanwhile` happen, and starts it again on its folder.
    pub(crate) async fn reopen(self, settings: Settings, meanwhile: impl FnOnce()) -> Door {
        let suite = self.running.downcast::<Suite>().expect("a suite in one process");
        suite.stop().await;
        meanwhile();
        Door::open_on(self.folder, settings).await
    }

    /// A door that somebody serves, with the credentials in its folder.
    pub(crate) fn at(url: &str, folder: TempDir, running: Box<dyn Any + Send>) -> Door {
        let http = Client::builder(TokioExecutor::new()).build_http();
        Door {
            url: url.to_owned(),
            folder,
            http,
            running,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn secret(&self, name: &str) -> String {
        Places::new(self.folder.path()).secret(name).unwrap()
    }

    /// Calls the REST door as `name`, or as nobody.
    pub(crate) async fn call(
        &self,
        name: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url()));
        if let Some(name) = name {
            request = request.header("authorization", format!("Bearer {}", self.secret(name)));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        // A stream comes as one array then, not as events.
        request = request.header("accept", "application/json");
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let reply = self
            .http
            .request(request.body(Full::from(body)).unwrap())
            .await
            .unwrap();
        let status = reply.status();
        let bytes = reply.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|error| panic!("{path}: no JSON ({error}): {}", String::from_utf8_lossy(&bytes)));
        Reply { status, body }
    }

    pub(crate) async fn get(&self, name: &str, path: &str) -> Value {
        let reply = self.call(Some(name), Method::GET, path, None).await;
        assert_eq!(reply.status, StatusCode::OK, "GET {path}: {}", reply.body);
        reply.body
    }

    pub(crate) async fn post(&self, name: &str, path: &str, body: Value) -> Value {
        let reply = self.call(Some(name), Method::POST, path, Some(body)).await;
        assert_eq!(reply.status, StatusCode::OK, "POST {path}: {}", reply.body);
        reply.body
    }

    /// A call that must be refused: its HTTP status and reason.
    pub(crate) async fn refused(
        &self,
        name: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, String) {
        let reply = self.call(name, method, path, body).await;
        assert_ne!(
            reply.status,
            StatusCode::OK,
            "{path} was answered: {}",
            reply.body
        );
        let details = reply.body["error"]["details"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let of = |kind: &str| -> Vec<&Value> {
            details
                .iter()
                .filter(|detail| detail["@type"].as_str().unwrap_or_default().ends_with(kind))
                .collect()
        };
        let info = of("google.rpc.ErrorInfo");
        assert_eq!(info.len(), 1, "{path}: one ErrorInfo: {}", reply.body);
        assert_eq!(info[0]["domain"], "greenstar");
        let said = of("google.rpc.LocalizedMessage");
        let locales: Vec<&str> = said.iter().filter_map(|said| said["locale"].as_str()).collect();
        assert!(
            locales.iter().any(|locale| locale.starts_with("zh")),
            "{path}: Chinese: {}",
            reply.body
        );
        assert!(
            locales.iter().any(|locale| locale.starts_with("en")),
            "{path}: English: {}",
            reply.body
        );
        (
            reply.status.as_u16(),
            info[0]["reason"].as_str().unwrap().to_owned(),
        )
    }

    /// Codes of the enterprises that the sample's directory lists with this star.
    pub(crate) async fn listed(&self, star: u8) -> Vec<String> {
        let path = format!("/v1/rounds/daxing-2021-sample/directory?star={star}&pageSize=1000");
        let page = self.call(None, Method::GET, &path, None).await.body;
        let entries = page["entries"].as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .map(|entry| entry["enterprise"].as_str().unwrap().replace("enterprises/", ""))
            .collect()
    }

    /// Raises a flag as the first officer of enforcement and gives its name.
    pub(crate) async fn raise(&self, uscc: &str, kind: &str, scope: &str) -> String {
        let body = json!({
            "kind": kind,
            "scope": scope,
            "document": {"issuer": "北京市大兴区生态环境局", "number": format!("京兴环罚〔2026〕{kind}{scope}号"), "date": recent_date()},
            "reason": "scenario",
        });
        let raised = self
            .post("enforcement", &format!("/v1/enterprises/{uscc}/flags"), body)
            .await;
        assert_eq!(raised["flag"]["state"], "FLAG_STATE_PROPOSED");
        raised["flag"]["name"].as_str().unwrap().to_owned()
    }

    /// Confirms a flag as the second officer and gives the token.
    pub(crate) async fn confirm(&self, flag: &str) -> String {
        let confirmed = self
            .post("enforcement/2", &format!("/v1/{flag}:confirm"), json!({}))
            .await;
        assert_eq!(confirmed["flag"]["state"], "FLAG_STATE_IN_FORCE");
        confirmed["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn lift(&self, flag: &str) -> String {
        let lifted = self
            .post(
                "enforcement",
                &format!("/v1/{flag}:lift"),
                json!({"reason": "scenario ends"}),
            )
            .await;
        assert_eq!(lifted["flag"]["state"], "FLAG_STATE_LIFTED");
        lifted["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn permit(&self, uscc: &str, kind: &str, token: Option<&str>) -> Value {
        let body = json!({"permitKind": kind, "consistency": consistency(token)});
        self.post("licensing", &format!("/v1/enterprises/{uscc}:checkPermit"), body)
            .await
    }

    pub(crate) async fn finance(&self, uscc: &str, token: Option<&str>) -> Value {
        let body = json!({"consistency": consistency(token)});
        self.post(
            "finance",
            &format!("/v1/enterprises/{uscc}:checkGreenFinance"),
            body,
        )
        .await
    }

    pub(crate) async fn inspection(&self, uscc: &str, token: Option<&str>) -> Value {
        let query = token
            .map(|token| format!("?consistency.atLeastAsFresh={token}"))
            .unwrap_or_default();
        self.get(
            "enforcement",
            &format!("/v1/enterprises/{uscc}/inspectionRegime{query}"),
        )
        .await
    }
}

fn consistency(token: Option<&str>) -> Value {
    match token {
        Some(token) => json!({"atLeastAsFresh": [token]}),
        None => json!({}),
    }
}

/// Ten days ago, as documents are dated.
pub(crate) fn recent_date() -> String {
    use greenstar_kernel::{Clock as _, SystemClock};
    SystemClock::new().now().date().plus_days(-10).to_string()
}
