//! Requests about flags, as many as are wanted, each on another enterprise.

use anyhow::Context as _;
use bytes::Bytes;
use greenstar_kernel::{Clock as _, SystemClock, Uscc, Verdict};
use greenstar_kernel::{Log, Position, Token};
use greenstar_proto::common::v1::Document;
use greenstar_proto::sanctions::v1::{ConfirmFlagRequest, RaiseFlagRequest};
use http::uri::PathAndQuery;
use prost::Message;
use tonic::Request;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use crate::wire::Raw;

pub(crate) const RAISE: &str = "/greenstar.sanctions.v1.FlagService/RaiseFlag";
const CONFIRM: &str = "/greenstar.sanctions.v1.FlagService/ConfirmFlag";

/// Firms that [`firm`] tells apart.
const FIRMS: u32 = 1_000_000;

/// The code of a firm of a number of its own.
pub(crate) fn firm(number: u32) -> anyhow::Result<Uscc> {
    let mut code = format!("91110115MA{:06}0", number % FIRMS);
    "0123456789ABCDEFGHJKLMNPQRTUWXY"
        .chars()
        .find_map(|check| {
            code.push(check);
            let firm: Option<Uscc> = code.parse().ok();
            code.pop();
            firm.filter(|firm| firm.verdict() == Verdict::Valid)
        })
        .ok_or_else(|| anyhow::anyhow!("{code} has no check character"))
}

/// Makes requests of the officers of one department.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    date: String,
}

impl Requests {
    /// On documents of 30 days ago.
    pub(crate) fn new() -> Requests {
        let today = SystemClock::new().now().date();
        Requests {
            date: today.plus_days(-30).to_string(),
        }
    }

    /// The flag of this number, on a document and a firm of its own.
    pub(crate) fn raise(&self, number: u32) -> anyhow::Result<RaiseFlagRequest> {
        Ok(RaiseFlagRequest {
            parent: format!("enterprises/{}", firm(number)?),
            kind: "serious-penalty".to_owned(),
            document: Some(Document {
                issuer: "北京市大兴区生态环境局".to_owned(),
                number: format!("京兴环罚〔2026〕{number}号"),
                date: self.date.clone(),
            }),
            request_id: format!("raise-{number}"),
            ..Default::default()
        })
    }

    /// The confirmation of a proposal.
    pub(crate) fn confirm(&self, name: &str) -> ConfirmFlagRequest {
        ConfirmFlagRequest {
            name: name.to_owned(),
            ..Default::default()
        }
    }
}

/// An officer at a sanctions replica.
#[derive(Clone, Debug)]
pub(crate) struct Officer {
    grpc: Grpc<Channel>,
    authorization: MetadataValue<Ascii>,
}

/// A flag that the service says is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) name: String,
    /// Where it stands in the log.
    pub(crate) at: Position,
    pub(crate) token: String,
}

impl Officer {
    pub(crate) fn new(channel: Channel, secret: &str) -> anyhow::Result<Officer> {
        Ok(Officer {
            grpc: Grpc::new(channel),
            authorization: format!("Bearer {secret}").parse()?,
        })
    }

    pub(crate) async fn raise(&mut self, request: &RaiseFlagRequest) -> anyhow::Result<Written> {
        self.call(RAISE, request).await.context("a flag was not raised")
    }

    pub(crate) async fn confirm(&mut self, request: &ConfirmFlagRequest) -> anyhow::Result<Written> {
        self.call(CONFIRM, request)
            .await
            .context("a flag was not confirmed")
    }

    async fn call(&mut self, method: &'static str, request: &impl Message) -> anyhow::Result<Written> {
        let mut request = Request::new(Bytes::from(request.encode_to_vec()));
        request
            .metadata_mut()
            .insert("authorization", self.authorization.clone());
        self.grpc.ready().await?;
        let path = PathAndQuery::from_static(method);
        let reply = self.grpc.unary(request, path, Raw).await?;
        Reply::decode(reply.into_inner())?.try_into()
    }
}

impl TryFrom<Reply> for Written {
    type Error = anyhow::Error;

    fn try_from(Reply { flag, token }: Reply) -> anyhow::Result<Written> {
        let at = token
            .parse::<Token>()
            .ok()
            .and_then(|token| token.get(Log::Sanctions).cloned());
        Ok(Written {
            name: flag.context("an answer without a flag")?.name,
            at: at.context("an answer without a token")?,
            token,
        })
    }
}

/// What is read of the answers of RaiseFlag and ConfirmFlag: the rest is skipped, so that the load takes as little of
/// the machine as it can.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Reply {
    #[prost(message, optional, tag = "1")]
    flag: Option<Named>,
    #[prost(string, tag = "2")]
    token: String,
}

/// A flag's name.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firms_are_valid_and_each_is_another_one() {
        let firms: std::collections::BTreeSet<Uscc> =
            (0..2_000).map(|number| firm(number).unwrap()).collect();
        assert_eq!(firms.len(), 2_000);
        assert!(firms.iter().all(|firm| firm.verdict() == Verdict::Valid));
    }

    #[test]
    fn an_answer_is_read_by_its_name_and_token_alone() {
        use greenstar_proto::sanctions::v1::{Flag, RaiseFlagResponse};
        let whole = RaiseFlagResponse {
            flag: Some(Flag {
                name: "enterprises/x/flags/y".to_owned(),
                kind: "serious-penalty".to_owned(),
                ..Default::default()
            }),
            token: "t".to_owned(),
        };
        let read = Reply::decode(whole.encode_to_vec().as_slice()).unwrap();
        assert_eq!(read.token, "t");
        assert_eq!(read.flag.unwrap().name, "enterprises/x/flags/y");
    }
}
