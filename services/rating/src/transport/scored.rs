//! What a command did to a rating, as its caller may see it.

use std::sync::Arc;

use greenstar_kernel::Uscc;
use greenstar_proto::rating::v1 as pb;
use greenstar_rpc::Call;
use greenstar_store::StoreError;
use greenstar_telemetry::attributes;
use tonic::Status;
use tracing::Span;

use super::{Desk, convert, status, unexpected};
use crate::domain::command::{Answer, Command, StoredScheme};
use crate::domain::event::Event;
use crate::domain::firm::RatingView;
use crate::domain::visibility;
use crate::store::RequestId;

/// What answers about events are shown by.
pub(super) type Context = (Vec<Arc<StoredScheme>>, Vec<pb::SourceFreshness>);

impl Desk {
    /// A command that scores again; answers the event and the rating from then on.
    pub(super) async fn scored(
        &self,
        call: &Call,
        uscc: &Uscc,
        command: Command,
        repeat: Option<RequestId>,
    ) -> Result<(pb::Event, pb::Rating, String), Status> {
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        let (answer, token) = self.submit(call, command, repeat).await?;
        let Answer::Event(changed) = answer else {
            return Err(unexpected());
        };
        let (event, view) = *changed;
        let context = self.context().await?;
        let (shown, rating) = self.shown(&context, call, uscc, event, view)?;
        Ok((shown, rating, token))
    }

    /// A command that changes nothing but whether the rating is set aside.
    pub(super) async fn held(
        &self,
        call: &Call,
        uscc: &Uscc,
        command: Command,
        repeat: Option<RequestId>,
    ) -> Result<(pb::Rating, String), Status> {
        Span::current().record(attributes::ENTERPRISE, uscc.as_str());
        let (answer, token) = self.submit(call, command, repeat).await?;
        let Answer::Rating(view) = answer else {
            return Err(unexpected());
        };
        let explained = visibility::assessment(&call.caller, uscc).is_ok();
        let mut rating = convert::rating(*view, explained);
        let (mut tx, _) = self.reading().await?;
        rating.sources = self.freshness(&mut tx).await?;
        Ok((rating, token))
    }

    /// What every answer about an event is shown by: the schemes, and how fresh the sources are.
    pub(super) async fn context(&self) -> Result<Context, Status> {
        let (mut tx, _) = self.reading().await?;
        let schemes = self.schemes.all(&mut tx).await;
        let schemes = schemes.map_err(|error| status::store(&error))?;
        let sources = self.freshness(&mut tx).await?;
        Ok((schemes, sources))
    }

    /// An event and the rating right after it, as the caller may see them.
    pub(super) fn shown(
        &self,
        (schemes, sources): &Context,
        call: &Call,
        uscc: &Uscc,
        event: Event,
        view: RatingView,
    ) -> Result<(pb::Event, pb::Rating), Status> {
        let rated = view.rating.as_ref().map(|rating| &rating.scheme);
        let shown = schemes
            .iter()
            .rev()
            .filter(|stored| rated.is_none_or(|key| stored.scheme.key == *key))
            .find_map(|stored| convert::event(uscc, event.clone(), &stored.scheme, view.as_of));
        let shown = shown.ok_or_else(|| {
            status::store(&StoreError::corrupt(format!(
                "no scheme knows event {}",
                event.kind
            )))
        })?;
        let explained = visibility::assessment(&call.caller, uscc).is_ok();
        let mut rating = convert::rating(view, explained);
        rating.sources.clone_from(sources);
        Ok((shown, rating))
    }
}
