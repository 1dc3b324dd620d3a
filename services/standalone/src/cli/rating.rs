//! `greenstar rating`.

use greenstar_proto::rating::v1::GetRatingRequest;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;

use super::output::{both, day, facts, last_day, star, warnings};
use super::{Answer, Failure, connect};
use crate::args::{Common, Rating};

pub(super) async fn run(common: &Common, asked: Rating) -> Result<Answer, Failure> {
    let mut client = RatingServiceClient::new(connect(common, "rating")?);
    let request = GetRatingRequest {
        name: format!("enterprises/{}/rating", asked.uscc),
        ..GetRatingRequest::default()
    };
    let answer = client.get_rating(request).await?.into_inner();
    let Some(rating) = &answer.rating else {
        return Err(Failure::Local("the suite answered without a rating".to_owned()));
    };
    let categories: Vec<String> = rating
        .categories
        .iter()
        .map(|category| format!("{} {}", category.category, category.points))
        .collect();
    let next = rating.next_transition.as_ref().map(|next| {
        format!(
            "{}: {}\n{}",
            day(next.time.as_ref()),
            star(next.star, next.state().as_str_name()),
            both(next.cause.as_ref())
        )
    });
    let table = facts(vec![
        ("enterprise", both(rating.display_name.as_ref())),
        ("star", star(rating.star, rating.state().as_str_name())),
        ("warning", warnings(rating.known, rating.uscc_verdict())),
        ("points", rating.points.clone()),
        ("categories", categories.join("  ")),
        ("why not higher", both(rating.blocked_by.as_ref())),
        ("last valid day", last_day(rating.valid_until_time.as_ref())),
        ("next change", next.unwrap_or_default()),
        ("round", rating.round.clone()),
    ]);
    Answer::new(&answer, table, vec![format!("token {}", answer.token)])
}
