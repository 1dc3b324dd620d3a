//! `greenstar directory`.

use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::rating::v1::round_service_client::RoundServiceClient;
use greenstar_proto::rating::v1::{ListDirectoryRequest, ListRoundsRequest, RoundState};

use super::output::plain;
use super::{Answer, Failure, connect};
use crate::args::{Common, Directory};

pub(super) async fn run(common: &Common, asked: Directory) -> Result<Answer, Failure> {
    let connection = connect(common, "rating")?;
    let round = match asked.round {
        Some(round) => format!("rounds/{}", round.trim_start_matches("rounds/")),
        None => {
            let rounds = RoundServiceClient::new(connection.clone())
                .list_rounds(ListRoundsRequest::default())
                .await?;
            let published = rounds
                .into_inner()
                .rounds
                .into_iter()
                .find(|round| round.state() == RoundState::Published);
            published
                .ok_or_else(|| Failure::Local("no round is published yet".to_owned()))?
                .name
        }
    };
    let mut client = RatingServiceClient::new(connection);
    let mut request = ListDirectoryRequest {
        round,
        star: asked.star,
        district: asked.district.unwrap_or_default(),
        name_contains: asked.name.unwrap_or_default(),
        page_size: 1000,
        page_token: String::new(),
        ..Default::default()
    };
    let mut whole = client.list_directory(request.clone()).await?.into_inner();
    while !whole.next_page_token.is_empty() {
        request.page_token = std::mem::take(&mut whole.next_page_token);
        let page = client.list_directory(request.clone()).await?.into_inner();
        whole.entries.extend(page.entries);
        whole.next_page_token = page.next_page_token;
    }

    let mut table = plain();
    table.set_header(["star", "enterprise", "name", "sector", "district"]);
    for entry in &whole.entries {
        let name = entry
            .display_name
            .as_ref()
            .map(|name| name.zh.clone())
            .unwrap_or_default();
        let code = entry.enterprise.trim_start_matches("enterprises/").to_owned();
        table.add_row([
            entry.star.to_string(),
            code,
            name,
            entry.sector.clone(),
            entry.district.clone(),
        ]);
    }
    let counts: Vec<String> = whole
        .counts
        .iter()
        .map(|count| format!("{} × {}★", count.count, count.star))
        .collect();
    let notes = vec![format!(
        "{}: {} listed: {}",
        request.round,
        whole.total_size,
        counts.join(", ")
    )];
    Answer::new(&whole, table, notes)
}
