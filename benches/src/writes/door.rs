//! A writer's way to the service: gRPC over an HTTP/2 connection, without a client library in between, whose queues
//! and tasks would take processor time from what is measured. What goes over the wire is what tonic's client sends.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use prost::Message;
use tokio::net::TcpStream;

use crate::flags::{RAISE, Reply};

/// More than the answers to all writers at once.
const WINDOW: u32 = 4 << 20;
/// Compressed or not, and the length.
const PREFIX: usize = 5;

/// One connection. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    calls: SendRequest<Bytes>,
    raise: Uri,
    authorization: HeaderValue,
}

impl Door {
    /// Connects; the connection is driven by a task of the runtime that this is called on.
    pub(crate) async fn open(at: SocketAddr, secret: &str) -> anyhow::Result<Door> {
        let socket = TcpStream::connect(at).await?;
        socket.set_nodelay(true)?;
        let mut settings = h2::client::Builder::new();
        settings
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .enable_push(false);
        let (calls, connection) = settings.handshake(socket).await?;
        tokio::spawn(async move {
            // Whoever waits for an answer is told as well.
            if let Err(error) = connection.await {
                eprintln!("a connection ended: {error}");
            }
        });
        Ok(Door {
            calls,
            raise: format!("http://{at}{RAISE}").parse()?,
            authorization: format!("Bearer {secret}").parse()?,
        })
    }

    /// Raises a flag. Anything but an answer with the status OK is an error.
    pub(crate) async fn raise(&mut self, message: &impl Message) -> anyhow::Result<Reply> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.raise.clone();
        *request.version_mut() = Version::HTTP_2;
        let headers = request.headers_mut();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        std::future::poll_fn(|context| self.calls.poll_ready(context)).await?;
        let (response, mut body) = self.calls.send_request(request, false)?;
        body.send_data(framed(message)?, true)?;

        let response = response.await?;
        // An error without an answer has its status among the headers.
        said_ok(response.headers(), false)?;
        let mut body = response.into_body();
        let mut answer = Bytes::new();
        while let Some(part) = body.data().await {
            let part = part?;
            body.flow_control().release_capacity(part.len())?;
            answer = if answer.is_empty() {
                part
            } else {
                [answer, part].concat().into()
            };
        }
        let trailers = body.trailers().await?.unwrap_or_default();
        said_ok(&trailers, true)?;
        Reply::decode(answer.get(PREFIX..).context("an answer without a message")?).context("an answer")
    }
}

/// The message behind its prefix.
fn framed(message: &impl Message) -> anyhow::Result<Bytes> {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(PREFIX + length);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(length)?);
    message.encode(&mut framed)?;
    Ok(framed.freeze())
}

/// Fails with the status if it is another than OK, or is missing where it `must` be.
fn said_ok(headers: &HeaderMap, must: bool) -> anyhow::Result<()> {
    match headers.get("grpc-status") {
        Some(status) => {
            let said = headers.get("grpc-message");
            ensure!(
                status == "0",
                "a flag was not raised: status {status:?}, {said:?}"
            );
        }
        None => ensure!(!must, "an answer without a status"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_that_is_ok_passes() {
        let mut headers = HeaderMap::new();
        assert!(said_ok(&headers, false).is_ok());
        assert!(said_ok(&headers, true).is_err());
        headers.insert("grpc-status", HeaderValue::from_static("0"));
        assert!(said_ok(&headers, true).is_ok());
        headers.insert("grpc-status", HeaderValue::from_static("13"));
        assert!(said_ok(&headers, false).is_err());
    }
}
