//! The suite as the benchmark uses it: how it is started in a process of its own, the question that it is
//! asked, and the proof that its answers are right. A benchmark of wrong answers is none.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, ensure};
use greenstar_proto::common::v1::RatingState;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::rating::v1::round_service_client::RoundServiceClient;
use greenstar_proto::rating::v1::{ListDirectoryRequest, ListRoundsRequest};
use greenstar_proto::supervision::v1::decision_service_client::DecisionServiceClient;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_proto::supervision::v1::{
    BatchCheckPermitsRequest, CheckPermitRequest, CheckPermitResponse, GetDecisionRequest,
};
use greenstar_standalone::{Places, Sample, Settings, Suite};
use greenstar_supervision_policy::RecordMode;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use crate::load::Question;
use crate::{child, stamps};

/// What a five-star firm of the sample gets.
const OUTCOME: &str = "FAST_TRACK";

/// How decisions are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Record {
    Sampled,
    Durable,
}

impl Record {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Record::Sampled => "sampled",
            Record::Durable => "durable",
        }
    }
}

/// Serves the suite with its data in `data`, set up as its own binary does, until it is told to stop. With `stamps` it
/// says there when changes passed.
pub(crate) async fn serve(
    data: &Path,
    record: Record,
    stamps: Option<&Path>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    match stamps {
        Some(file) => stamps::write_to(file)?,
        None => {
            greenstar_telemetry::init(greenstar_telemetry::Format::Text)
                .map_err(anyhow::Error::from_boxed)?;
        }
    }
    let mut settings = Settings::new(data, SocketAddr::from(([127, 0, 0, 1], 0)), Sample::Today);
    settings.record = Some(match record {
        Record::Sampled => RecordMode::Sampled,
        Record::Durable => RecordMode::Durable,
    });
    let suite = Suite::start(settings).await?;
    child::attend(suite.address(), stop.clone());
    stop.cancelled().await;
    suite.stop().await;
    Ok(())
}

/// The question to one suite, and its right answer.
#[derive(Debug)]
pub(crate) struct Asked {
    channel: Channel,
    ask: CheckPermitRequest,
    pub(crate) question: Question,
    pub(crate) reply: CheckPermitResponse,
}

/// Asks the suite at `at`, whose data folder is `data`, about the first five-star firm of its directory.
pub(crate) async fn ask(at: SocketAddr, data: &Path, permit_kind: &str) -> anyhow::Result<Asked> {
    let channel = Endpoint::from_shared(format!("http://{at}"))?.connect().await?;
    let ask = CheckPermitRequest {
        enterprise: five_star(&channel).await?,
        permit_kind: permit_kind.to_owned(),
        ..Default::default()
    };
    let question = Question {
        request: ask.encode_to_vec().into(),
        authorization: format!("Bearer {}", Places::new(data).secret("licensing")?).parse()?,
        outcome: OUTCOME.into(),
        items: None,
    };
    let reply = check(&channel, &ask, &question).await?;
    Ok(Asked {
        channel,
        ask,
        question,
        reply,
    })
}

impl Asked {
    /// The same question so many times in one batch.
    pub(crate) fn batch(&self, items: usize) -> Question {
        let requests = vec![self.ask.clone(); items];
        Question {
            request: BatchCheckPermitsRequest { requests }.encode_to_vec().into(),
            items: Some(items),
            ..self.question.clone()
        }
    }

    /// Asks the same once more; the answer must be right again.
    pub(crate) async fn again(&self) -> anyhow::Result<Asked> {
        let reply = check(&self.channel, &self.ask, &self.question).await?;
        Ok(Asked {
            channel: self.channel.clone(),
            ask: self.ask.clone(),
            question: self.question.clone(),
            reply,
        })
    }

    /// Fails unless the answer's record can be read and says the same.
    pub(crate) async fn is_recorded(&self) -> anyhow::Result<()> {
        ensure!(!self.reply.decision.is_empty(), "the answer names no record");
        let request = authorized(
            GetDecisionRequest {
                name: self.reply.decision.clone(),
            },
            &self.question,
        );
        let found = DecisionServiceClient::new(self.channel.clone())
            .get_decision(request)
            .await?
            .into_inner();
        let decision = found.decision.context("the record is empty")?;
        ensure!(
            decision.outcome == self.reply.outcome,
            "the record says {}",
            decision.outcome
        );
        ensure!(
            decision.enterprise == self.ask.enterprise,
            "the record is about {}",
            decision.enterprise
        );
        Ok(())
    }
}

async fn five_star(channel: &Channel) -> anyhow::Result<String> {
    let rounds = RoundServiceClient::new(channel.clone())
        .list_rounds(ListRoundsRequest::default())
        .await?;
    let round = rounds
        .into_inner()
        .rounds
        .into_iter()
        .next()
        .context("the sample round is not there")?;
    let request = ListDirectoryRequest {
        round: round.name,
        star: Some(5),
        page_size: 1,
        ..Default::default()
    };
    let directory = RatingServiceClient::new(channel.clone())
        .list_directory(request)
        .await?;
    let entry = directory
        .into_inner()
        .entries
        .into_iter()
        .next()
        .context("the directory lists no five-star firm")?;
    Ok(entry.enterprise)
}

async fn check(
    channel: &Channel,
    ask: &CheckPermitRequest,
    question: &Question,
) -> anyhow::Result<CheckPermitResponse> {
    let request = authorized(ask.clone(), question);
    let reply = LicensingServiceClient::new(channel.clone())
        .check_permit(request)
        .await?
        .into_inner();
    ensure!(
        reply.outcome == OUTCOME,
        "a five-star firm got {:?}: {reply:?}",
        reply.outcome
    );
    ensure!(
        reply.state() == RatingState::Rated && reply.star == Some(5) && reply.known,
        "wrong standing: {reply:?}"
    );
    ensure!(!reply.manual_review, "nobody decided: {reply:?}");
    ensure!(
        !reply.measures.is_empty() && !reply.reasons.is_empty(),
        "an answer without grounds: {reply:?}"
    );
    ensure!(
        !reply.token.is_empty() && reply.as_of.is_some(),
        "an answer without its instant: {reply:?}"
    );
    Ok(reply)
}

fn authorized<T>(message: T, question: &Question) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", question.authorization.clone());
    request
}
