//! Refuses a message by its length prefix, before it is read into memory (pitfalls.md 25).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tonic::Status;
use tonic::body::Body;

use crate::refusals;

/// What is read and thrown away of a refused request, so that its sender gets to the answer.
pub(crate) const DRAIN: usize = 64 << 20;

/// A gRPC body whose messages may have at most `limit` bytes each.
#[derive(Debug)]
struct FrameLimit {
    inner: Body,
    limit: usize,
    state: State,
}

/// `body` with every message bounded: a larger one ends it with RESOURCE_EXHAUSTED REQUEST_TOO_LARGE.
pub(crate) fn limited(body: Body, limit: usize) -> Body {
    Body::new(FrameLimit::new(body, limit))
}

#[derive(Debug)]
enum State {
    /// Inside the five bytes in front of a message.
    Prefix {
        seen: usize,
        length: usize,
    },
    /// Inside a message.
    Message {
        left: usize,
    },
    /// Too large: what follows is thrown away.
    Refused {
        drain: usize,
    },
    Ended,
}

const START: State = State::Prefix { seen: 0, length: 0 };

impl FrameLimit {
    fn new(inner: Body, limit: usize) -> FrameLimit {
        FrameLimit {
            inner,
            limit,
            state: START,
        }
    }

    /// Follows the messages through `data`; false: one of them is too large.
    fn fits(&mut self, mut data: &[u8]) -> bool {
        while !data.is_empty() {
            match &mut self.state {
                State::Prefix { seen, length } => {
                    let Some((byte, rest)) = data.split_first() else {
                        return true;
                    };
                    if *seen > 0 {
                        *length = (*length << 8) | usize::from(*byte);
                    }
                    *seen += 1;
                    data = rest;
                    if *seen == 5 {
                        if *length > self.limit {
                            return false;
                        }
                        self.state = State::Message { left: *length };
                    }
                }
                State::Message { left } => {
                    let taken = (*left).min(data.len());
                    *left -= taken;
                    data = data.get(taken..).unwrap_or_default();
                    if *left == 0 {
                        self.state = START;
                    }
                }
                State::Refused { .. } | State::Ended => return true,
            }
        }
        true
    }

    fn refuse(&mut self) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.state = State::Ended;
        Poll::Ready(Some(Err(refusals::too_large(self.limit))))
    }
}

impl HttpBody for FrameLimit {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if matches!(self.state, State::Ended) {
                return Poll::Ready(None);
            }
            let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
            let this = &mut *self;
            match (frame, &mut this.state) {
                (Some(Ok(frame)), State::Refused { drain }) => {
                    *drain = drain.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                    if *drain == 0 {
                        return this.refuse();
                    }
                }
                (None | Some(Err(_)), State::Refused { .. }) => return this.refuse(),
                (Some(Ok(frame)), _) => match frame.data_ref() {
                    Some(data) if !this.fits(data) => this.state = State::Refused { drain: DRAIN },
                    Some(_) | None => return Poll::Ready(Some(Ok(frame))),
                },
                (other, _) => return Poll::Ready(other),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
            || (!matches!(self.state, State::Refused { .. }) && self.inner.is_end_stream())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};
    use proptest::prelude::*;

    /// Sends `bytes` in pieces of `piece` through a limit of 100.
    fn read(bytes: Vec<u8>, piece: usize) -> Result<Vec<u8>, Status> {
        let frames: Vec<Result<Frame<Bytes>, Status>> = bytes
            .chunks(piece)
            .map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk))))
            .collect();
        let body = Body::new(StreamBody::new(futures::stream::iter(frames).boxed()));
        let read = futures::executor::block_on(FrameLimit::new(body, 100).collect());
        read.map(|collected| collected.to_bytes().to_vec())
    }

    fn message(length: usize) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
        bytes.extend(std::iter::repeat_n(7, length));
        bytes
    }

    proptest! {
        #[test]
        fn only_a_message_over_the_limit_is_refused(lengths in proptest::collection::vec(0usize..140, 1..6), piece in 1usize..40) {
            let bytes: Vec<u8> = lengths.iter().flat_map(|length| message(*length)).collect();
            let read = read(bytes.clone(), piece);
            if lengths.iter().all(|length| *length <= 100) {
                prop_assert_eq!(read.unwrap(), bytes);
            } else {
                prop_assert_eq!(crate::reason_of(&read.unwrap_err()).unwrap(), "REQUEST_TOO_LARGE");
            }
        }
    }
}
