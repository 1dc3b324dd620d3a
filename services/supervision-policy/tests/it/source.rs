//! A source of rows: one log over a database, watched as rating and sanctions are. What it says is the
//! test's business; how it says it is the contract's.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{Stream, StreamExt as _};
use greenstar_feed::{Ack, Feed, FeedError, Inbound, Open, Outbound, Source as FeedSource};
use greenstar_kernel::{Clock, Epoch, Log, Position, Revision, Said as _, Token};
use greenstar_proto::common::v1 as common;
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::rating::v1 as rating;
use greenstar_proto::rating::v1::rating_service_server::{RatingService, RatingServiceServer};
use greenstar_proto::sanctions::v1 as sanctions;
use greenstar_proto::sanctions::v1::flag_service_server::{FlagService, FlagServiceServer};
use greenstar_rpc::{Credentials, Stack};
use greenstar_store::{
    Database, Journal, Migrations, Request as RequestId, StoreError, Turn, Tx, Value, Writer,
};
use greenstar_testkit::Scratch;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming};

static MIGRATIONS: Migrations = Migrations {
    files: &[(
        1,
        "shelf",
        "CREATE TABLE shelf (key text NOT NULL PRIMARY KEY, body text NOT NULL)",
    )],
};

/// A row of either log, as JSON of its message. The catalogue sorts first.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    key: String,
    body: String,
}

#[derive(Debug)]
struct Shelf;

#[async_trait]
impl Journal for Shelf {
    type Command = Vec<Kept>;
    type Answer = ();
    type Refusal = std::convert::Infallible;
    type State = Vec<Kept>;

    fn request(&self, _: &Vec<Kept>) -> Option<RequestId> {
        None
    }

    async fn load(&self, _: &mut Tx, _: &[&Vec<Kept>]) -> Result<Vec<Kept>, StoreError> {
        Ok(Vec::new())
    }

    fn decide(&self, state: &mut Vec<Kept>, rows: &Vec<Kept>, turn: &mut Turn) -> Result<(), Self::Refusal> {
        for row in rows {
            turn.push("row", None, row, None);
            state.retain(|other| other.key != row.key);
            state.push(row.clone());
        }
        Ok(())
    }

    async fn write(&self, tx: &mut Tx, state: Vec<Kept>) -> Result<(), StoreError> {
        let rows = state
            .into_iter()
            .map(|row| vec![Value::from(row.key), Value::from(row.body)]);
        tx.upsert("shelf", &["key", "body"], &["key"], rows.collect())
            .await
    }
}

#[derive(Debug)]
struct Pages;

#[async_trait]
impl FeedSource for Pages {
    type Row = Kept;

    async fn page(&self, tx: &mut Tx, last: Option<&Kept>) -> Result<Vec<Kept>, StoreError> {
        let after = last.map_or_else(String::new, |row| row.key.clone());
        let sql = "SELECT key, body FROM shelf WHERE key > $1 ORDER BY key LIMIT 3";
        let rows = tx.rows(sql, &[after.into()]).await?;
        rows.iter()
            .map(|row| {
                Ok(Kept {
                    key: row.get("key")?,
                    body: row.get("body")?,
                })
            })
            .collect()
    }
}

/// One of the two sources, serving on a port of its own.
#[derive(Debug)]
pub(crate) struct Source {
    log: Log,
    writer: Writer<Shelf>,
    feed: Feed,
    database: Database,
    pub(crate) address: std::net::SocketAddr,
    /// Largest revision that the subscriber has acknowledged.
    pub(crate) acknowledged: watch::Sender<u64>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
    _scratch: Scratch,
}

impl Source {
    pub(crate) async fn start(log: Log, clock: Arc<dyn Clock>, credentials: Arc<Credentials>) -> Source {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Source::start_on(listener, log, clock, credentials).await
    }

    pub(crate) async fn start_on(
        listener: TcpListener,
        log: Log,
        clock: Arc<dyn Clock>,
        credentials: Arc<Credentials>,
    ) -> Source {
        let scratch = Scratch::sqlite();
        let database = Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
            .await
            .unwrap();
        let writer = Writer::start(database.clone(), Shelf, clock.clone());
        let feed = Feed::start(database.clone(), writer.batches(), clock, None)
            .await
            .unwrap();
        let acknowledged = watch::Sender::new(0);
        let rpc = Rpc {
            feed: feed.clone(),
            acknowledged: acknowledged.clone(),
        };
        let stack = Stack::builder(credentials);
        let stack = match log {
            Log::Rating => stack.with(RatingServiceServer::new(rpc)),
            Log::Sanctions => stack.with(FlagServiceServer::new(rpc)),
            Log::Policy => panic!("not followed from elsewhere"),
        };
        let stack = stack.build();
        stack.health().serving(true).await;
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move { stack.serve(listener, stopped).await });
        Source {
            log,
            writer,
            feed,
            database,
            address,
            acknowledged,
            stop,
            task,
            _scratch: scratch,
        }
    }

    /// Commits rows in one transaction; the token that their writer would have been given.
    async fn put(&self, rows: Vec<Kept>) -> String {
        let committed = self.writer.submit(rows).await.unwrap();
        Token::of(self.log, committed.position).to_string()
    }

    pub(crate) async fn rate(&self, facts: Vec<rating::RatingFact>) -> String {
        let kept = |fact: rating::RatingFact| Kept {
            key: fact.enterprise.clone(),
            body: serde_json::to_string(&fact).unwrap(),
        };
        self.put(facts.into_iter().map(kept).collect()).await
    }

    pub(crate) async fn flag(&self, flag: sanctions::Flag) -> String {
        let body = serde_json::to_string(&flag_row(sanctions::flag_row::Row::Flag(flag.clone()))).unwrap();
        self.put(vec![Kept { key: flag.name, body }]).await
    }

    pub(crate) async fn enact(&self, catalogue: sanctions::Catalogue) -> String {
        let body = kept_edition(catalogue);
        self.put(vec![Kept {
            key: "catalogue".to_owned(),
            body,
        }])
        .await
    }

    /// Changes a row without telling anybody: what a change lost on its way looks like. `None`: it is gone.
    pub(crate) async fn tamper(&self, key: &str, body: Option<String>) {
        let mut tx = self.database.write().await.unwrap();
        match body {
            Some(body) => {
                let values = [Value::from(key), body.into()];
                tx.run("UPDATE shelf SET body = $2 WHERE key = $1", &values)
                    .await
                    .unwrap();
            }
            None => {
                tx.run("DELETE FROM shelf WHERE key = $1", &[key.into()])
                    .await
                    .unwrap();
            }
        }
        tx.commit().await.unwrap();
    }

    pub(crate) async fn head(&self) -> Position {
        self.database.head().await.unwrap()
    }

    /// Ends it; gives its port back.
    pub(crate) async fn stop(self) {
        self.feed.close().await;
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.writer.close().await;
        self.database.close().await;
    }
}

/// An edition as its source keeps it.
pub(crate) fn kept_edition(catalogue: sanctions::Catalogue) -> String {
    serde_json::to_string(&flag_row(sanctions::flag_row::Row::Catalogue(catalogue))).unwrap()
}

fn flag_row(row: sanctions::flag_row::Row) -> sanctions::FlagRow {
    sanctions::FlagRow { row: Some(row) }
}

#[derive(Clone, Debug)]
struct Rpc {
    feed: Feed,
    acknowledged: watch::Sender<u64>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What both watches share: their messages differ in name only.
enum Say {
    Begin(common::SnapshotBegin),
    Rows(Vec<Kept>),
    End(common::SnapshotEnd),
    Frame {
        after: u64,
        to: u64,
        changes: Vec<(u64, Kept)>,
    },
    Pong(common::Pong),
}

impl Rpc {
    fn watch<T: Send + 'static>(
        &self,
        inbound: impl Stream<Item = Result<Inbound, Status>> + Send + 'static,
        say: fn(Say) -> T,
    ) -> Answers<T> {
        let acknowledged = self.acknowledged.clone();
        let inbound = inbound.inspect(move |message| {
            if let Ok(Inbound::Ack(Ack { revision, .. })) = message {
                acknowledged.send_modify(|before| {
                    assert!(revision.0 >= *before, "acknowledgements only rise");
                    *before = revision.0;
                });
            }
        });
        let events = self.feed.watch(Arc::new(Pages), inbound);
        Box::pin(events.map(move |event| {
            event
                .map_err(|error| refused(&error))
                .map(|event| say(outbound(event)))
        }))
    }

    async fn sync(&self, at_least: Option<common::Position>) -> Result<Option<common::Position>, Status> {
        let wanted = at_least.map(|at| position(&at)).transpose()?;
        let head = self
            .feed
            .sync(wanted.as_ref())
            .await
            .map_err(|error| refused(&error))?;
        Ok(Some(to_position(&head)))
    }
}

fn outbound(event: Outbound<Kept>) -> Say {
    match event {
        Outbound::SnapshotBegin { at } => Say::Begin(common::SnapshotBegin {
            position: Some(to_position(&at)),
        }),
        Outbound::SnapshotRows(rows) => Say::Rows(rows),
        Outbound::SnapshotEnd { rows } => Say::End(common::SnapshotEnd { rows }),
        Outbound::Frame(frame) => Say::Frame {
            after: frame.after.0,
            to: frame.to.0,
            changes: frame
                .entries
                .iter()
                .map(|entry| (entry.revision.0, entry.json().unwrap()))
                .collect(),
        },
        Outbound::Pong {
            nonce,
            head,
            head_age,
            wall,
        } => Say::Pong(common::Pong {
            nonce,
            head: Some(to_position(&head)),
            head_age: Some(head_age.into()),
            wall: Some(crate::server::to_wire(wall)),
        }),
    }
}

fn refused(error: &FeedError) -> Status {
    let (code, reason) = match error {
        FeedError::CursorTooOld => (Code::OutOfRange, ErrorReason::CursorTooOld),
        FeedError::Foreign => (Code::FailedPrecondition, ErrorReason::TokenForeign),
        FeedError::Ahead => (Code::InvalidArgument, ErrorReason::TokenAhead),
        FeedError::CutOff { .. } => (Code::ResourceExhausted, ErrorReason::WatchCutOff),
        FeedError::Malformed(_) => (Code::InvalidArgument, ErrorReason::WatchMalformed),
        FeedError::AcknowledgementAhead { .. } => (Code::InvalidArgument, ErrorReason::AcknowledgementAhead),
        FeedError::Replaced
        | FeedError::SubscriberUnknown
        | FeedError::SubscriberConnected
        | FeedError::FilterInvalid { .. } => {
            panic!("nobody registers here: {error}")
        }
        FeedError::Store(_) => (Code::Unavailable, ErrorReason::StoreUnavailable),
    };
    greenstar_rpc::status(code, reason, &error.said(), &[])
}

fn position(at: &common::Position) -> Result<Position, Status> {
    let epoch = Epoch::parse(&at.epoch).ok_or_else(|| refused(&FeedError::Foreign))?;
    Ok(Position {
        epoch,
        revision: Revision(at.revision),
    })
}

fn to_position(at: &Position) -> common::Position {
    common::Position {
        epoch: at.epoch.to_string(),
        revision: at.revision.0,
    }
}

fn say_ratings(say: Say) -> rating::WatchRatingsResponse {
    use rating::watch_ratings_response::Event;
    fn fact(kept: Kept) -> rating::RatingFact {
        serde_json::from_str(&kept.body).unwrap()
    }
    let event = match say {
        Say::Begin(begin) => Event::SnapshotBegin(begin),
        Say::Rows(rows) => Event::Rows(rating::RatingRows {
            rows: rows.into_iter().map(fact).collect(),
        }),
        Say::End(end) => Event::SnapshotEnd(end),
        Say::Frame { after, to, changes } => {
            let change = |(revision, kept)| rating::RatingChange {
                revision,
                cause: String::new(),
                fact: Some(fact(kept)),
            };
            Event::Frame(rating::RatingFrame {
                after,
                to,
                changes: changes.into_iter().map(change).collect(),
                left: Vec::new(),
            })
        }
        Say::Pong(pong) => Event::Pong(pong),
    };
    rating::WatchRatingsResponse { event: Some(event) }
}

fn say_flags(say: Say) -> sanctions::WatchFlagsResponse {
    use sanctions::watch_flags_response::Event;
    fn row(kept: Kept) -> sanctions::FlagRow {
        serde_json::from_str(&kept.body).unwrap()
    }
    let event = match say {
        Say::Begin(begin) => Event::SnapshotBegin(begin),
        Say::Rows(rows) => Event::Rows(sanctions::FlagRows {
            rows: rows.into_iter().map(row).collect(),
        }),
        Say::End(end) => Event::SnapshotEnd(end),
        Say::Frame { after, to, changes } => {
            let change = |(revision, kept)| sanctions::FlagChange {
                revision,
                cause: String::new(),
                row: Some(row(kept)),
            };
            Event::Frame(sanctions::FlagFrame {
                after,
                to,
                changes: changes.into_iter().map(change).collect(),
                left: Vec::new(),
            })
        }
        Say::Pong(pong) => Event::Pong(pong),
    };
    sanctions::WatchFlagsResponse { event: Some(event) }
}

/// One that listens only, from a snapshot on.
fn open_once() -> impl Stream<Item = Result<Inbound, Status>> + Send + 'static {
    let open = std::future::ready(Ok(Inbound::Open(Open::at(None))));
    futures::stream::once(open).chain(futures::stream::pending())
}

/// The subscriber's side of either watch.
macro_rules! inbound {
    ($request:ident, $module:ident) => {
        $request.into_inner().map(|message| {
            use $module::Step;
            match message?.step.unwrap() {
                Step::Open(open) => Ok(Inbound::Open(Open::at(
                    open.cursor.map(|cursor| position(&cursor)).transpose()?,
                ))),
                Step::Ping(ping) => Ok(Inbound::Ping { nonce: ping.nonce }),
                Step::Acknowledgement(ack) => Ok(Inbound::Ack(Ack::up_to(Revision(ack.revision)))),
            }
        })
    };
}

/// Methods of the contract that no follower calls, written out as `async_trait` would.
macro_rules! not_here {
    ($($name:ident($request:ty) -> $response:ty;)*) => {$(
        fn $name<'a, 'b>(
            &'a self,
            _: Request<$request>,
        ) -> Pin<Box<dyn Future<Output = Result<Response<$response>, Status>> + Send + 'b>>
        where
            'a: 'b,
            Self: 'b,
        {
            Box::pin(async { Err(Status::unimplemented("not in this test")) })
        }
    )*};
}

use rating::watch_ratings_request;
use sanctions::watch_flags_request;

#[tonic::async_trait]
impl RatingService for Rpc {
    type WatchRatingsStream = Answers<rating::WatchRatingsResponse>;
    type StreamRatingsStream = Answers<rating::StreamRatingsResponse>;
    type WaitConvergedStream = Answers<rating::WaitConvergedResponse>;
    type ReportAcknowledgementsStream = Answers<rating::ReportAcknowledgementsResponse>;

    async fn watch_ratings(
        &self,
        request: Request<Streaming<rating::WatchRatingsRequest>>,
    ) -> Result<Response<Self::WatchRatingsStream>, Status> {
        Ok(Response::new(
            self.watch(inbound!(request, watch_ratings_request), say_ratings),
        ))
    }

    async fn stream_ratings(
        &self,
        _: Request<rating::StreamRatingsRequest>,
    ) -> Result<Response<Self::StreamRatingsStream>, Status> {
        let answers = self.watch(open_once(), say_ratings).map(|message| {
            Ok(rating::StreamRatingsResponse {
                cursor: String::new(),
                message: Some(message?),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn sync_ratings(
        &self,
        request: Request<rating::SyncRatingsRequest>,
    ) -> Result<Response<rating::SyncRatingsResponse>, Status> {
        let head = self.sync(request.into_inner().position).await?;
        Ok(Response::new(rating::SyncRatingsResponse { head }))
    }

    /// Of every firm the same, for whom the contract allows.
    async fn get_assessment(
        &self,
        request: Request<rating::GetAssessmentRequest>,
    ) -> Result<Response<rating::GetAssessmentResponse>, Status> {
        let name = request.into_inner().name;
        let rating = rating::Rating {
            name: name.replace("/assessment", "/rating"),
            version: 3,
            ..rating::Rating::default()
        };
        let item = rating::ItemLine {
            item: "A1".to_owned(),
            ..rating::ItemLine::default()
        };
        let assessment = rating::Assessment {
            rating: Some(rating),
            items: vec![item],
            ..rating::Assessment::default()
        };
        Ok(Response::new(rating::GetAssessmentResponse {
            assessment: Some(assessment),
            ..Default::default()
        }))
    }

    not_here! {
        get_rating(rating::GetRatingRequest) -> rating::GetRatingResponse;
        batch_get_ratings(rating::BatchGetRatingsRequest) -> rating::BatchGetRatingsResponse;
        list_directory(rating::ListDirectoryRequest) -> rating::ListDirectoryResponse;
        record_event(rating::RecordEventRequest) -> rating::RecordEventResponse;
        confirm_rectification(rating::ConfirmRectificationRequest) -> rating::ConfirmRectificationResponse;
        repair_event(rating::RepairEventRequest) -> rating::RepairEventResponse;
        list_events(rating::ListEventsRequest) -> rating::ListEventsResponse;
        file_objection(rating::FileObjectionRequest) -> rating::FileObjectionResponse;
        decide_objection(rating::DecideObjectionRequest) -> rating::DecideObjectionResponse;
        get_objection(rating::GetObjectionRequest) -> rating::GetObjectionResponse;
        list_objections(rating::ListObjectionsRequest) -> rating::ListObjectionsResponse;
        list_rating_history(rating::ListRatingHistoryRequest) -> rating::ListRatingHistoryResponse;
        create_snapshot(rating::CreateSnapshotRequest) -> rating::CreateSnapshotResponse;
        get_snapshot(rating::GetSnapshotRequest) -> rating::GetSnapshotResponse;
        list_snapshots(rating::ListSnapshotsRequest) -> rating::ListSnapshotsResponse;
        list_snapshot_entries(rating::ListSnapshotEntriesRequest) -> rating::ListSnapshotEntriesResponse;
        suspend_rating(rating::SuspendRatingRequest) -> rating::SuspendRatingResponse;
        resume_rating(rating::ResumeRatingRequest) -> rating::ResumeRatingResponse;
        acknowledge_ratings(rating::AcknowledgeRatingsRequest) -> rating::AcknowledgeRatingsResponse;
        wait_converged(rating::WaitConvergedRequest) -> Answers<rating::WaitConvergedResponse>;
        list_subscribers(rating::ListSubscribersRequest) -> rating::ListSubscribersResponse;
        remove_subscriber(rating::RemoveSubscriberRequest) -> rating::RemoveSubscriberResponse;
        report_acknowledgements(rating::ReportAcknowledgementsRequest) -> Answers<rating::ReportAcknowledgementsResponse>;
    }
}

#[tonic::async_trait]
impl FlagService for Rpc {
    type WatchFlagsStream = Answers<sanctions::WatchFlagsResponse>;
    type StreamFlagsStream = Answers<sanctions::StreamFlagsResponse>;
    type WaitConvergedStream = Answers<sanctions::WaitConvergedResponse>;
    type ReportAcknowledgementsStream = Answers<sanctions::ReportAcknowledgementsResponse>;

    async fn watch_flags(
        &self,
        request: Request<Streaming<sanctions::WatchFlagsRequest>>,
    ) -> Result<Response<Self::WatchFlagsStream>, Status> {
        Ok(Response::new(
            self.watch(inbound!(request, watch_flags_request), say_flags),
        ))
    }

    async fn stream_flags(
        &self,
        _: Request<sanctions::StreamFlagsRequest>,
    ) -> Result<Response<Self::StreamFlagsStream>, Status> {
        let answers = self.watch(open_once(), say_flags).map(|message| {
            Ok(sanctions::StreamFlagsResponse {
                cursor: String::new(),
                message: Some(message?),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn sync_flags(
        &self,
        request: Request<sanctions::SyncFlagsRequest>,
    ) -> Result<Response<sanctions::SyncFlagsResponse>, Status> {
        let head = self.sync(request.into_inner().position).await?;
        Ok(Response::new(sanctions::SyncFlagsResponse { head }))
    }

    not_here! {
        raise_flag(sanctions::RaiseFlagRequest) -> sanctions::RaiseFlagResponse;
        confirm_flag(sanctions::ConfirmFlagRequest) -> sanctions::ConfirmFlagResponse;
        lift_flag(sanctions::LiftFlagRequest) -> sanctions::LiftFlagResponse;
        get_flag(sanctions::GetFlagRequest) -> sanctions::GetFlagResponse;
        list_flags(sanctions::ListFlagsRequest) -> sanctions::ListFlagsResponse;
        revoke_flag(sanctions::RevokeFlagRequest) -> sanctions::RevokeFlagResponse;
        correct_flag(sanctions::CorrectFlagRequest) -> sanctions::CorrectFlagResponse;
        acknowledge_flags(sanctions::AcknowledgeFlagsRequest) -> sanctions::AcknowledgeFlagsResponse;
        wait_converged(sanctions::WaitConvergedRequest) -> Answers<sanctions::WaitConvergedResponse>;
        list_subscribers(sanctions::ListSubscribersRequest) -> sanctions::ListSubscribersResponse;
        remove_subscriber(sanctions::RemoveSubscriberRequest) -> sanctions::RemoveSubscriberResponse;
        report_acknowledgements(sanctions::ReportAcknowledgementsRequest) -> Answers<sanctions::ReportAcknowledgementsResponse>;
    }
}
