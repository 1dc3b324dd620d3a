//! The past: versions of ratings, what was true and what was known, assessments of any version, frozen lists.

use greenstar_kernel::{Code, Timestamp, Uscc};
use greenstar_proto::rating::v1 as pb;
use greenstar_rpc::{accept, names, pages};
use greenstar_store::{StoreError, Tx, Value};
use greenstar_telemetry::attributes;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};
use tracing::Span;

use super::{Desk, convert, parse, past_convert, status, unexpected};
use crate::domain::command::{Answer, Command};
use crate::domain::enterprise::District;
use crate::domain::error::Refusal;
use crate::domain::firm::{Firm, Rated, RatingView};
use crate::domain::history::{self, Side, events_at};
use crate::domain::next_star::next_star;
use crate::domain::score::{Assessment, Gate};
use crate::domain::snapshot::{Snapshot, SnapshotEntry, StagedEntry};
use crate::domain::visibility;
use crate::store::{
    Version, awards, codes_after, entries, firm, firms_at, one_version, round, rounds_at, snapshot_page,
    snapshots, versions,
};

/// Entries of a snapshot that are written together: other writers wait no longer for it than for any batch.
const STAGED: usize = 500;

impl Desk {
    /// The two times that a question about the past names; `None`: it is about now.
    pub(super) fn asked(&self, as_of: &str, known: &str) -> Result<Option<(Timestamp, Timestamp)>, Status> {
        if as_of.is_empty() && known.is_empty() {
            return Ok(None);
        }
        let now = self.instant();
        let valid = parse::past("as_of", as_of, now)?;
        let known = parse::past("as_of_known", known, now)?;
        // What was known then of then, where only that is asked for.
        let valid = if as_of.is_empty() { known } else { valid };
        Ok(Some((valid, known)))
    }

    /// An enterprise as it was; `None` if nobody has registered it.
    pub(super) async fn firm_at(
        &self,
        tx: &mut Tx,
        uscc: &Uscc,
        (valid, known): (Timestamp, Timestamp),
    ) -> Result<Option<Firm>, Status> {
        let mut found = firms_at(tx, vec![uscc.into()], valid, known)
            .await
            .map_err(|error| status::store(&error))?;
        Ok(found.remove(uscc))
    }

    /// The rating as it was.
    pub(super) async fn view_at(
        &self,
        tx: &mut Tx,
        uscc: &Uscc,
        times: (Timestamp, Timestamp),
    ) -> Result<RatingView, Status> {
        let Some(firm) = self.firm_at(tx, uscc, times).await? else {
            return Ok(RatingView::unknown(*uscc, times.0));
        };
        let stored = self.scheme_of(tx, &firm).await?;
        let view = firm.view(stored.as_ref().map(|stored| &stored.scheme), times.0);
        view.map_err(|error| status::store(&StoreError::corrupt(error)))
    }

    /// The rounds whose directories are asked for, newest first.
    pub(super) async fn directories(
        &self,
        tx: &mut Tx,
        name: &str,
        as_of: &str,
    ) -> Result<Vec<Code>, Status> {
        let at = parse::past("as_of", as_of, self.instant())?;
        let failed = |error| status::store(&error);
        if name == "rounds/-" {
            return rounds_at(tx, at).await.map_err(failed);
        }
        let id = parse::round("round", name)?;
        let found = round(tx, &id).await.map_err(failed)?;
        let publication = found.and_then(|round| round.publication);
        // A directory is frozen: without a day it is read long after its validity.
        let in_force =
            publication.is_some_and(|made| as_of.is_empty() || (made.at <= at && at < made.valid_until));
        if in_force {
            Ok(vec![id])
        } else {
            Err(status::refused(&Refusal::RoundUnknown(name.to_owned())))
        }
    }

    pub(super) async fn history(
        &self,
        request: Request<pb::ListRatingHistoryRequest>,
    ) -> Result<Response<pb::ListRatingHistoryResponse>, Status> {
        let (call, request) = accept(request)?;
        let uscc = names::enterprise_part("parent", &request.parent, "rating")?;
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        parse::allowed(visibility::rating(&call.caller, &uscc))?;
        let query = ["ListRatingHistory", &request.parent, &request.as_of_known];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let below = page.after.as_deref().map(|raw| raw.parse::<u32>());
        let below = below.transpose().map_err(|_| parse::stale_page())?;
        let known = parse::past("as_of_known", &request.as_of_known, self.instant())?;
        let (mut tx, token) = self.reading().await?;
        let mut found = versions(&mut tx, &uscc, below, known, page.size + 1)
            .await
            .map_err(|error| status::store(&error))?;
        if found.is_empty() && below.is_none() {
            return Err(status::refused(&Refusal::AssessmentUnknown(uscc)));
        }
        let more = found.len() > page.size;
        found.truncate(page.size);
        let next_page_token = match found.last().filter(|_| more) {
            Some(last) => pages::next_token(&query, &last.rated.version.to_string()),
            None => String::new(),
        };
        let explained = visibility::assessment(&call.caller, &uscc).is_ok();
        let versions = found
            .into_iter()
            .map(|version| past_convert::version(&uscc, version, explained));
        Ok(Response::new(pb::ListRatingHistoryResponse {
            versions: versions.collect(),
            next_page_token,
            token,
        }))
    }

    pub(super) async fn assessed(
        &self,
        request: Request<pb::GetAssessmentRequest>,
    ) -> Result<Response<pb::GetAssessmentResponse>, Status> {
        let (call, request) = accept(request)?;
        let uscc = names::enterprise_part("name", &request.name, "assessment")?;
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        parse::allowed(visibility::assessment(&call.caller, &uscc))?;
        let times = self.asked(&request.as_of, &request.as_of_known)?;
        if times.is_some() && request.version.is_some() {
            let said = (
                "版次与 as_of、as_of_known 二选一",
                "given either as version or as as_of and as_of_known",
            );
            return Err(status::refused(&Refusal::field("version", said)));
        }
        let unknown = || status::refused(&Refusal::AssessmentUnknown(uscc));
        let corrupt = |error| status::store(&StoreError::corrupt(error));
        let failed = |error| status::store(&error);
        let (mut tx, token) = self.reading().await?;
        let now = firm(&mut tx, &uscc).await.map_err(failed)?.ok_or_else(unknown)?;
        let (then, assessed, view) = match (request.version, times) {
            (Some(number), _) => {
                let stored = one_version(&mut tx, &uscc, number).await.map_err(failed)?;
                let version = stored.ok_or_else(unknown)?;
                let (then, assessed) = self.version(&mut tx, &now, version).await?;
                let view = made(&then, &assessed);
                (then, assessed, view)
            }
            (None, times) => {
                let at = times.map_or_else(|| self.instant(), |(valid, _)| valid);
                let then = match times {
                    Some(times) => self.firm_at(&mut tx, &uscc, times).await?.ok_or_else(unknown)?,
                    None => now.clone(),
                };
                let stored = self.scheme_of(&mut tx, &then).await?.ok_or_else(unknown)?;
                let view = then.view(Some(&stored.scheme), at).map_err(corrupt)?;
                let assessed = then
                    .assessment(&stored.scheme, at)
                    .map_err(corrupt)?
                    .ok_or_else(unknown)?;
                (then, assessed, view)
            }
        };
        let rated = then.rated.as_ref().ok_or_else(unknown)?;
        let stored = self.scheme_of(&mut tx, &then).await?.ok_or_else(unknown)?;
        let before = match rated.version.checked_sub(1).filter(|number| *number > 0) {
            Some(number) => one_version(&mut tx, &uscc, number).await.map_err(failed)?,
            None => None,
        };
        let changes = match before {
            Some(before) => {
                let (_, before) = self.version(&mut tx, &now, before).await?;
                history::changes(
                    &stored.scheme,
                    &now.events,
                    Side::of(&before),
                    Side::of(&assessed),
                )
            }
            None => Vec::new(),
        };
        // What is missing is a question of the living; a version that was is not to be improved.
        let next = match request.version {
            Some(_) => None,
            None => next_star(
                &stored.scheme,
                &rated.awards,
                &then.events,
                rated.valid_until,
                view.as_of,
            )
            .map_err(corrupt)?,
        };
        let mut assessment = convert::assessment(view, assessed, rated, &now.events, &stored.scheme, next);
        if let Some(rating) = &mut assessment.rating {
            rating.sources = self.freshness(&mut tx).await?;
        }
        Ok(Response::new(pb::GetAssessmentResponse {
            assessment: Some(assessment),
            token,
            changes: past_convert::changes(&uscc, changes),
        }))
    }

    /// A version as it was made: as it was written down, or, of what was written in bulk, scored again from what was
    /// known then.
    async fn version(&self, tx: &mut Tx, now: &Firm, version: Version) -> Result<(Firm, Assessment), Status> {
        let uscc = now.enterprise.uscc;
        let corrupt = |error| status::store(&StoreError::corrupt(error));
        let mut rated = version.rated;
        rated.awards = awards(tx, &uscc, &rated)
            .await
            .map_err(|error| status::store(&error))?;
        let then = Firm {
            enterprise: now.enterprise.clone(),
            events: events_at(&now.events, rated.rated_at, version.recorded_at),
            rated: Some(rated.clone()),
        };
        let stored = self
            .scheme_of(tx, &then)
            .await?
            .ok_or_else(|| status::refused(&Refusal::AssessmentUnknown(uscc)))?;
        let assessed = match version.explained {
            Some(explained) => explained.assessment(&rated, &version.lines, &stored.scheme),
            None => then
                .assessment(&stored.scheme, rated.rated_at)
                .map_err(corrupt)?
                .ok_or_else(unexpected)?,
        };
        Ok((then, assessed))
    }

    pub(super) async fn freeze(
        &self,
        request: Request<pb::CreateSnapshotRequest>,
    ) -> Result<Response<pb::CreateSnapshotResponse>, Status> {
        let (call, request) = accept(request)?;
        let refuse = |refusal: Refusal| status::refused(&refusal);
        let failed = |error| status::store(&error);
        let id = parse::snapshot_id(&request.snapshot_id)?;
        let title = parse::text("display_name", request.display_name)?;
        let districts = request.districts.iter().map(|raw| District::parse(raw));
        let districts: Vec<District> = districts.collect::<Result<_, _>>().map_err(refuse)?;
        let creator = call
            .caller
            .officer()
            .ok_or_else(|| refuse(Refusal::NotYours))?
            .clone();
        // One instant for all pages: what is recorded while they are read is not in it.
        let now = self.instant();
        let as_of = parse::past("as_of", &request.as_of, now)?;
        let (mut tx, _) = self.reading().await?;
        if !snapshots(&mut tx, vec![id.as_str().into()])
            .await
            .map_err(failed)?
            .is_empty()
        {
            return Err(refuse(Refusal::SnapshotExists(id)));
        }
        let staging = self.fresh_id()?.to_string();
        let (mut digest, mut count, mut after) = (Sha256::new(), 0_u32, String::new());
        loop {
            let page = codes_after(&mut tx, &after, STAGED).await.map_err(failed)?;
            let Some((last, _)) = page.last() else { break };
            after = last.to_string();
            let inside = |district: &str| {
                districts.is_empty() || districts.iter().any(|asked| asked.as_str() == district)
            };
            let codes = page.iter().filter(|(_, district)| inside(district));
            let codes: Vec<Value> = codes.map(|(uscc, _)| uscc.into()).collect();
            let mut staged = Vec::new();
            for firm in firms_at(&mut tx, codes, as_of, now)
                .await
                .map_err(failed)?
                .into_values()
            {
                if let Some(entry) = self.entry(&mut tx, firm, as_of).await? {
                    digest.update(entry.line());
                    count += 1;
                    staged.push(StagedEntry {
                        snapshot: id.clone(),
                        staging: staging.clone(),
                        entry,
                    });
                }
            }
            if !staged.is_empty() {
                let command = Command::StageSnapshot {
                    id: id.clone(),
                    entries: staged,
                };
                self.submit(&call, command, None).await?;
            }
        }
        drop(tx);
        let snapshot = Snapshot {
            id,
            title,
            as_of,
            districts,
            entries: count,
            digest: digest
                .finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            created_at: now,
            creator,
            staging,
        };
        let (answer, token) = self
            .submit(&call, Command::FreezeSnapshot(snapshot), None)
            .await?;
        let Answer::Snapshot(frozen) = answer else {
            return Err(unexpected());
        };
        Ok(Response::new(pb::CreateSnapshotResponse {
            snapshot: Some(past_convert::snapshot(*frozen)),
            token,
        }))
    }

    async fn entry(
        &self,
        tx: &mut Tx,
        firm: Firm,
        as_of: Timestamp,
    ) -> Result<Option<SnapshotEntry>, Status> {
        let Some(stored) = self.scheme_of(tx, &firm).await? else {
            return Ok(None);
        };
        let view = firm
            .view(Some(&stored.scheme), as_of)
            .map_err(|error| status::store(&StoreError::corrupt(error)))?;
        let Some(rating) = view.rating else {
            return Ok(None);
        };
        let profile = firm.enterprise.profile;
        Ok(SnapshotEntry::of(
            view.uscc,
            profile.name,
            view.standing,
            rating.total,
            rating.version,
        ))
    }

    pub(super) async fn snapshot(
        &self,
        request: Request<pb::GetSnapshotRequest>,
    ) -> Result<Response<pb::GetSnapshotResponse>, Status> {
        let (_, request) = accept(request)?;
        let (mut tx, _) = self.reading().await?;
        let found = named(&mut tx, "name", &request.name).await?;
        Ok(Response::new(pb::GetSnapshotResponse {
            snapshot: Some(past_convert::snapshot(found)),
        }))
    }

    pub(super) async fn all_snapshots(
        &self,
        request: Request<pb::ListSnapshotsRequest>,
    ) -> Result<Response<pb::ListSnapshotsResponse>, Status> {
        let (_, request) = accept(request)?;
        let query = ["ListSnapshots"];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after = page.after.unwrap_or_default();
        let (mut tx, _) = self.reading().await?;
        let mut found = snapshot_page(&mut tx, &after, page.size + 1)
            .await
            .map_err(|error| status::store(&error))?;
        let more = found.len() > page.size;
        found.truncate(page.size);
        let last = found.last().filter(|_| more);
        let next_page_token = last.map(|last| pages::next_token(&query, last.id.as_str()));
        Ok(Response::new(pb::ListSnapshotsResponse {
            snapshots: found.into_iter().map(past_convert::snapshot).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }

    pub(super) async fn snapshot_entries(
        &self,
        request: Request<pb::ListSnapshotEntriesRequest>,
    ) -> Result<Response<pb::ListSnapshotEntriesResponse>, Status> {
        let (_, request) = accept(request)?;
        let query = ["ListSnapshotEntries", &request.parent];
        let page = pages::page(request.page_size, &request.page_token, &query)?;
        let after = page.after.unwrap_or_default();
        let (mut tx, _) = self.reading().await?;
        let snapshot = named(&mut tx, "parent", &request.parent).await?;
        let mut found = entries(&mut tx, &snapshot, &after, page.size + 1)
            .await
            .map_err(|error| status::store(&error))?;
        let more = found.len() > page.size;
        found.truncate(page.size);
        let last = found.last().filter(|_| more);
        let next_page_token = last.map(|last| pages::next_token(&query, last.uscc.as_str()));
        Ok(Response::new(pb::ListSnapshotEntriesResponse {
            entries: found.into_iter().map(past_convert::entry).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }
}

/// A snapshot by name. A name of another shape names none.
async fn named(tx: &mut Tx, field: &'static str, raw: &str) -> Result<Snapshot, Status> {
    let unknown = || status::refused(&Refusal::SnapshotUnknown(raw.to_owned()));
    let id = names::single(field, raw, "snapshots")?;
    let id = Code::parse(id).map_err(|_| unknown())?;
    let mut found = snapshots(tx, vec![id.as_str().into()])
        .await
        .map_err(|error| status::store(&error))?;
    found.remove(&id).ok_or_else(unknown)
}

/// A version's rating as it was when it was made.
fn made(then: &Firm, assessed: &Assessment) -> RatingView {
    let at = then
        .rated
        .as_ref()
        .map_or_else(Timestamp::default, |rated| rated.rated_at);
    RatingView {
        name: Some(then.enterprise.profile.name.clone()),
        standing: assessed.standing,
        rating: then.rated.as_ref().map(Rated::fact),
        dropped: assessed.dropped,
        blocked: assessed.blocked.iter().map(Gate::text).collect(),
        ..RatingView::unknown(then.enterprise.uscc, at)
    }
}
