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

/// Its batch form.
pub(crate) fn batch_check_permits() -> PathAndQuery {
    PathAndQuery::from_static("/greenstar.supervision.v1.LicensingService/BatchCheckPermits")
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

/// True if `reply` is a BatchCheckPermits answer of so many items, each answered with this outcome.
pub(crate) fn has_outcomes(mut reply: &[u8], outcome: &str, items: usize) -> bool {
    let mut right = 0;
    while let Some(mut result) = first_field(&mut reply) {
        match first_field(&mut result) {
            Some(answer) if result.is_empty() && has_outcome(answer, outcome) => right += 1,
            Some(_) | None => return false,
        }
    }
    reply.is_empty() && right == items
}

/// Takes a field with the number 1 off the front, if that is what stands there.
fn first_field<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    const FIRST: u8 = 1 << 3 | 2;
    let mut rest = from.strip_prefix(&[FIRST])?;
    let length = prost::decode_length_delimiter(&mut rest).ok()?;
    let (field, after) = rest.split_at_checked(length)?;
    *from = after;
    Some(field)
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
    use greenstar_proto::supervision::v1::{
        BatchCheckPermitsResponse, BatchCheckPermitsResult, batch_check_permits_result,
    };

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

    #[test]
    fn a_batch_is_right_only_with_every_item_and_no_error() {
        let right = || {
            let reply = CheckPermitResponse {
                outcome: "FAST_TRACK".into(),
                ..Default::default()
            };
            batch_check_permits_result::Result::Answer(reply)
        };
        let batch = |results: Vec<batch_check_permits_result::Result>| {
            let results = results
                .into_iter()
                .map(|result| BatchCheckPermitsResult { result: Some(result) });
            BatchCheckPermitsResponse {
                results: results.collect(),
            }
            .encode_to_vec()
        };
        assert!(has_outcomes(&batch(vec![right(), right()]), "FAST_TRACK", 2));
        assert!(!has_outcomes(&batch(vec![right(), right()]), "STANDARD", 2));
        assert!(!has_outcomes(&batch(vec![right()]), "FAST_TRACK", 2));
        let wrong = batch_check_permits_result::Result::Error(Default::default());
        assert!(!has_outcomes(&batch(vec![right(), wrong]), "FAST_TRACK", 2));
    }
}
