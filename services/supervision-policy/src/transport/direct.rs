//! The questions that are asked most, answered by bytes instead of messages; all other methods of a service are the
//! generated ones.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BufMut as _;
use futures::future::BoxFuture;
use greenstar_proto::Validate;
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::{accept, checked, item_error};
use prost::Message;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tower::Service;

use super::desk::{self, Desk, Question};
use super::spelled::Out;
use super::told::Answer;
use super::{decisions, departments};

/// Paths of the calls that are answered from memory, each a question about one enterprise: see
/// [`greenstar_rpc::StackBuilder::quick`].
pub const QUICK: &[&str] = &[PERMIT, FINANCE, INSPECTION, DECIDE];

const PERMIT: &str = "/greenstar.supervision.v1.LicensingService/CheckPermit";
const PERMITS: &str = "/greenstar.supervision.v1.LicensingService/BatchCheckPermits";
const FINANCE: &str = "/greenstar.supervision.v1.FinanceService/CheckGreenFinance";
const FINANCES: &str = "/greenstar.supervision.v1.FinanceService/BatchCheckGreenFinance";
const INSPECTION: &str = "/greenstar.supervision.v1.EnforcementService/GetInspectionRegime";
const INSPECTIONS: &str = "/greenstar.supervision.v1.EnforcementService/BatchGetInspectionRegimes";
const DECIDE: &str = "/greenstar.supervision.v1.DecisionService/Decide";
const DECIDES: &str = "/greenstar.supervision.v1.DecisionService/BatchDecide";

/// A generated service whose questions the desk answers itself.
#[derive(Clone, Debug)]
pub(crate) struct Direct<S> {
    desk: Arc<Desk>,
    generated: S,
}

impl<S> Direct<S> {
    pub(crate) fn new(desk: Arc<Desk>, generated: S) -> Direct<S> {
        Direct { desk, generated }
    }
}

impl<S: NamedService> NamedService for Direct<S> {
    const NAME: &'static str = S::NAME;
}

type Answering = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

impl<S> Service<http::Request<Body>> for Direct<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future = Answering>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.generated.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Answering {
        let desk = &self.desk;
        match request.uri().path() {
            PERMIT => unary(One::new(desk, departments::permit), request),
            FINANCE => unary(One::new(desk, departments::finance), request),
            INSPECTION => unary(One::new(desk, departments::inspection), request),
            DECIDE => unary(One::new(desk, decisions::question), request),
            PERMITS => {
                unary::<pb::BatchCheckPermitsRequest, _>(Many::new(desk, departments::permit), request)
            }
            FINANCES => {
                unary::<pb::BatchCheckGreenFinanceRequest, _>(Many::new(desk, departments::finance), request)
            }
            INSPECTIONS => unary::<pb::BatchGetInspectionRegimesRequest, _>(
                Many::new(desk, departments::inspection),
                request,
            ),
            DECIDES => unary::<pb::BatchDecideRequest, _>(Many::new(desk, decisions::question), request),
            _ => self.generated.call(request),
        }
    }
}

fn unary<Q, H>(handler: H, request: http::Request<Body>) -> Answering
where
    Q: Message + Default + 'static,
    H: UnaryService<Q, Response = Vec<u8>, Future: Send> + Send + 'static,
{
    Box::pin(async move { Ok(Grpc::new(Bytes::<Q>(PhantomData)).unary(handler, request).await) })
}

/// Most bytes of the keys and lengths in front of an answer in a batch.
const AROUND: usize = 12;

/// How a request becomes a question.
type Read<Q> = fn(Q) -> Result<Question, Status>;

/// One question.
struct One<Q> {
    desk: Arc<Desk>,
    read: Read<Q>,
}

impl<Q> One<Q> {
    fn new(desk: &Arc<Desk>, read: Read<Q>) -> One<Q> {
        One {
            desk: desk.clone(),
            read,
        }
    }
}

impl<Q: Validate + Send + 'static> UnaryService<Q> for One<Q> {
    type Response = Vec<u8>;
    type Future = BoxFuture<'static, Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let (desk, read) = (self.desk.clone(), self.read);
        Box::pin(async move { ask(&desk, read, request).await.map(Response::new) })
    }
}

async fn ask<Q: Validate>(desk: &Desk, read: Read<Q>, request: Request<Q>) -> Result<Vec<u8>, Status> {
    let (call, request) = accept(request)?;
    let answer = desk.ask(&call, read(request)?).await?;
    Ok(answer.into_bytes())
}

/// As the generated code wants it.
pub(super) async fn message<Q: Validate, A: Message + Default>(
    desk: &Desk,
    read: Read<Q>,
    request: Request<Q>,
) -> Result<Response<A>, Status> {
    decoded(ask(desk, read, request).await?)
}

/// A request of several.
pub(super) trait Batch: Message + Default {
    type Item;
    fn items(self) -> Vec<Self::Item>;
}

macro_rules! batches {
    ($($batch:ident of $item:ident,)*) => { $(
        impl Batch for pb::$batch {
            type Item = pb::$item;
            fn items(self) -> Vec<pb::$item> {
                self.requests
            }
        }
    )* };
}

batches! {
    BatchCheckPermitsRequest of CheckPermitRequest,
    BatchCheckGreenFinanceRequest of CheckGreenFinanceRequest,
    BatchGetInspectionRegimesRequest of GetInspectionRegimeRequest,
    BatchDecideRequest of DecideRequest,
}

/// Several questions.
struct Many<Q> {
    desk: Arc<Desk>,
    read: Read<Q>,
}

impl<Q> Many<Q> {
    fn new(desk: &Arc<Desk>, read: Read<Q>) -> Many<Q> {
        Many {
            desk: desk.clone(),
            read,
        }
    }
}

impl<B: Batch<Item: Validate + Send + 'static> + 'static> UnaryService<B> for Many<B::Item> {
    type Response = Vec<u8>;
    type Future = BoxFuture<'static, Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (desk, read) = (self.desk.clone(), self.read);
        Box::pin(async move { ask_all(&desk, read, request).await.map(Response::new) })
    }
}

/// The contract's rules hold for each item alone: a bad one spoils itself only.
async fn ask_all<B: Batch<Item: Validate>>(
    desk: &Desk,
    read: Read<B::Item>,
    request: Request<B>,
) -> Result<Vec<u8>, Status> {
    let call = greenstar_rpc::call(&request);
    let items = request.into_inner().items();
    desk::batch_size(items.len())?;
    let questions = items.into_iter().map(|item| {
        checked(&item)?;
        read(item)
    });
    let answers = desk.ask_all(&call, questions).await;
    // The answers of all batches have the same fields.
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.map(Answer::into_bytes))
        .collect();
    let bytes = answers.iter().flatten().map(|answer| answer.len() + AROUND).sum();
    let mut out = Out::with_room(bytes);
    for answer in answers {
        out.nested(1, |out| match answer {
            Ok(answer) => out.bytes(1, &answer),
            Err(error) => out.message(2, &item_error(&error)),
        });
    }
    Ok(out.into_bytes())
}

/// As the generated code wants it.
pub(super) async fn messages<B: Batch<Item: Validate>, A: Message + Default>(
    desk: &Desk,
    read: Read<B::Item>,
    request: Request<B>,
) -> Result<Response<A>, Status> {
    decoded(ask_all(desk, read, request).await?)
}

fn decoded<A: Message + Default>(bytes: Vec<u8>) -> Result<Response<A>, Status> {
    let message = A::decode(&*bytes).map_err(|error| super::status::damaged(&error))?;
    Ok(Response::new(message))
}

/// Requests as messages, answers as bytes.
struct Bytes<Q>(PhantomData<Q>);

impl<Q: Message + Default + 'static> Codec for Bytes<Q> {
    type Encode = Vec<u8>;
    type Decode = Q;
    type Encoder = Bytes<Q>;
    type Decoder = Bytes<Q>;

    fn encoder(&mut self) -> Bytes<Q> {
        Bytes(PhantomData)
    }

    fn decoder(&mut self) -> Bytes<Q> {
        Bytes(PhantomData)
    }
}

impl<Q: Message + Default> Encoder for Bytes<Q> {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.reserve(item.len());
        to.put_slice(&item);
        Ok(())
    }
}

impl<Q: Message + Default> Decoder for Bytes<Q> {
    type Item = Q;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Q>, Status> {
        let message = Q::decode(from).map_err(|error| Status::internal(error.to_string()))?;
        Ok(Some(message))
    }
}
