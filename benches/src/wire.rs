//! How bytes become calls: on the load's side replies stay bytes, so that the generator takes as little
//! of the machine as it can; on the ceiling's side prost does what it does for any service.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use greenstar_proto::supervision::v1::{CheckPermitRequest, CheckPermitResponse};
use http::uri::PathAndQuery;
use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// The method that is measured.
pub(crate) const CHECK_PERMIT: &str = "/greenstar.supervision.v1.LicensingService/CheckPermit";

pub(crate) fn check_permit() -> PathAndQuery {
    PathAndQuery::from_static(CHECK_PERMIT)
}

/// True if `reply` is a CheckPermit answer with this outcome. prost writes fields by number, and `outcome`
/// is the first, so the generator need not decode the whole.
pub(crate) fn has_outcome(reply: &[u8], outcome: &str) -> bool {
    const OUTCOME: u8 = 1 << 3 | 2;
    match reply.split_first_chunk() {
        Some(([OUTCOME, length], rest)) => {
            usize::from(*length) == outcome.len() && rest.starts_with(outcome.as_bytes())
        }
        _ => false,
    }
}

/// Bytes out, bytes in: for the load generator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Requests decoded and replies encoded by prost, the replies shared: the ceiling pays for the encoding
/// of a reply, not for the building of one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Replay;

impl Codec for Replay {
    type Encode = Arc<CheckPermitResponse>;
    type Decode = CheckPermitRequest;
    type Encoder = Replay;
    type Decoder = Replay;

    fn encoder(&mut self) -> Replay {
        Replay
    }

    fn decoder(&mut self) -> Replay {
        Replay
    }
}

impl Encoder for Replay {
    type Item = Arc<CheckPermitResponse>;
    type Error = Status;

    fn encode(&mut self, item: Arc<CheckPermitResponse>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(to)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Replay {
    type Item = CheckPermitRequest;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<CheckPermitRequest>, Status> {
        CheckPermitRequest::decode(from)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_right_only_with_the_very_outcome() {
        let reply = CheckPermitResponse {
            outcome: "FAST_TRACK".into(),
            star: Some(5),
            ..Default::default()
        };
        let bytes = reply.encode_to_vec();

        assert!(has_outcome(&bytes, "FAST_TRACK"));
        assert!(!has_outcome(&bytes, "STANDARD"));
        assert!(!has_outcome(&bytes, "FAST_TRAC"));
        assert!(!has_outcome(
            &CheckPermitResponse::default().encode_to_vec(),
            "FAST_TRACK"
        ));
        assert!(!has_outcome(&[], ""));
    }
}
