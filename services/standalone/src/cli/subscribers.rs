//! `greenstar subscribers`, `greenstar converge`: who follows the logs, and who has applied a write.

use comfy_table::Table;
use greenstar_kernel::{Log, Token};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as rating;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::sanctions::v1 as sanctions;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use serde_json::json;

use super::output::{plain, time};
use super::{Answer, Failure, connect};
use crate::args::{Common, Converge};

/// Who asks, unless `--as` says otherwise.
const CALLER: &str = "operator";

/// Everybody who follows either log.
pub(super) async fn list(common: &Common) -> Result<Answer, Failure> {
    let client = connect(common, CALLER)?;
    let flags = FlagServiceClient::new(client.clone())
        .list_subscribers(sanctions::ListSubscribersRequest {})
        .await?
        .into_inner();
    let ratings = RatingServiceClient::new(client)
        .list_subscribers(rating::ListSubscribersRequest {})
        .await?
        .into_inner();
    let mut table = plain();
    table.set_header(["subscriber", "log", "state", "behind", "last heard"]);
    rows(&mut table, &flags.subscribers);
    rows(&mut table, &ratings.subscribers);
    let unreachable = flags.unreachable.iter().chain(&ratings.unreachable);
    let notes = unreachable.map(|replica| format!("replica {replica} could not be asked"));
    let notes = notes.collect();
    Answer::new(&json!({"flags": flags, "ratings": ratings}), table, notes)
}

/// Who has applied a write, once all have or the time is up.
pub(super) async fn converge(common: &Common, asked: Converge) -> Result<Answer, Failure> {
    let token: Token = asked
        .token
        .parse()
        .map_err(|error| Failure::Local(format!("{error}")))?;
    let client = connect(common, CALLER)?;
    let scope = match asked.all {
        true => common::ConvergenceScope::All,
        false => common::ConvergenceScope::Direct,
    };
    let question = Some(common::ConvergenceQuestion {
        token: asked.token,
        scope: scope.into(),
        timeout: Some(std::time::Duration::from_secs(asked.seconds).into()),
    });
    let mut last = sanctions::WaitConvergedResponse::default();
    if token.get(Log::Sanctions).is_some() {
        let request = sanctions::WaitConvergedRequest { question };
        let mut answers = FlagServiceClient::new(client)
            .wait_converged(request)
            .await?
            .into_inner();
        while let Some(answer) = answers.message().await? {
            last = answer;
        }
    } else {
        let request = rating::WaitConvergedRequest { question };
        let mut answers = RatingServiceClient::new(client)
            .wait_converged(request)
            .await?
            .into_inner();
        while let Some(answer) = answers.message().await? {
            last.convergence = answer.convergence;
        }
        last.converged = last.convergence.as_ref().is_some_and(|one| one.converged);
    }
    let mut table = plain();
    table.set_header(["subscriber", "log", "state", "behind", "last heard"]);
    for convergence in [&last.convergence, &last.caused].into_iter().flatten() {
        rows(&mut table, &convergence.outstanding);
        rows(&mut table, &convergence.converged_subscribers);
    }
    let notes = vec![if last.converged {
        "everybody has applied it".to_owned()
    } else {
        "not everybody has applied it".to_owned()
    }];
    Answer::new(&last, table, notes)
}

fn rows(table: &mut Table, subscribers: &[common::Subscriber]) {
    for one in subscribers {
        let state = one.state().as_str_name().trim_start_matches("SUBSCRIBER_STATE_");
        let why = one
            .rejection
            .as_ref()
            .map(|rejection| format!("\n{}", rejection.reason));
        table.add_row([
            one.subscriber.clone(),
            one.log.clone(),
            format!("{state}{}", why.unwrap_or_default()),
            one.lag.to_string(),
            time(one.hear_time.as_ref()),
        ]);
    }
}
