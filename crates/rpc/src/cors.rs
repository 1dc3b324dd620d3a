//! Which web pages may call. A browser asks on their behalf and keeps answers from pages that are not named
//! (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>); other clients send no origin and do not notice.

use std::str::FromStr;
use std::time::Duration;

use greenstar_proto::METHODS;
use http::header::{ACCEPT_LANGUAGE, ALLOW, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Uri};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember a preflight's answer.
const REMEMBER: Duration = Duration::from_secs(600);

/// What a page may send beyond the simple headers.
const SENT: [HeaderName; 9] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    ACCEPT_LANGUAGE,
    HeaderName::from_static("grpc-timeout"),
    // A page's own reader of server-sent events goes on with it, as the browser's does.
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("x-grpc-web"),
    HeaderName::from_static("x-user-agent"),
];

/// What a page may read of an answer. A gRPC-Web refusal has its status among the headers.
const READ: [HeaderName; 5] = [
    ALLOW,
    WWW_AUTHENTICATE,
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
];

/// The origin of a web page as browsers send it: `https://console.example.cn`, with a port where it is not the
/// scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

/// A text that no browser sends as an origin; `*` is none on purpose.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is http(s)://host or http(s)://host:port in lower case, without a path: {0}")]
pub struct MalformedOrigin(String);

impl FromStr for Origin {
    type Err = MalformedOrigin;

    fn from_str(raw: &str) -> Result<Origin, MalformedOrigin> {
        let malformed = || MalformedOrigin(raw.to_owned());
        let uri: Uri = raw.parse().map_err(|_| malformed())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(malformed());
        };
        let own_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(malformed()),
        };
        let port = match authority.port_u16() {
            Some(port) if port == own_port => return Err(malformed()),
            Some(port) => format!(":{port}"),
            None => String::new(),
        };
        let host = authority.host();
        if host.is_empty() || host.contains('*') || raw != format!("{scheme}://{host}{port}").to_lowercase() {
            return Err(malformed());
        }
        HeaderValue::from_str(raw).map(Origin).map_err(|_| malformed())
    }
}

/// Lets pages of `origins` call, and no others. Credentials are bearer tokens, so cookies stay at home.
pub(crate) fn layer(origins: &[Origin]) -> CorsLayer {
    let mut verbs = vec![Method::POST];
    let routes = METHODS.iter().filter_map(|method| method.route);
    for verb in routes.filter_map(|route| route.verb.parse().ok()) {
        if !verbs.contains(&verb) {
            verbs.push(verb);
        }
    }
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().map(|origin| origin.0.clone())))
        .allow_methods(verbs)
        .allow_headers(SENT)
        .expose_headers(READ)
        .max_age(REMEMBER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends_and_nothing_else() {
        for raw in [
            "https://console.example.cn",
            "http://127.0.0.1:5173",
            "http://[::1]:8080",
        ] {
            assert_eq!(raw.parse::<Origin>().unwrap().0, raw);
        }
        for raw in [
            "",
            "*",
            "null",
            "https://*",
            "https://*.example.cn",
            "console.example.cn",
            "https://console.example.cn/",
            "https://console.example.cn/app",
            "https://Console.example.cn",
            "https://console.example.cn:443",
            "https://me@console.example.cn",
            "ftp://console.example.cn",
            "https://政务.cn",
        ] {
            assert_eq!(raw.parse::<Origin>(), Err(MalformedOrigin(raw.to_owned())));
        }
    }
}
