//! What is missing for the next star, in the contract's words.

use greenstar_kernel::{LocalizedText, Uscc};
use greenstar_proto::rating::v1 as pb;

use super::convert::{event_name, rank, text, time};
use crate::domain::next_star::{NextStar, Raise, Room};
use crate::domain::scheme::Scheme;
use crate::domain::score::{Gate, Grant};

pub(super) fn said(uscc: &Uscc, next: NextStar, scheme: &Scheme) -> pb::NextStar {
    let waits = next.waits.into_iter().map(|wait| pb::StarWait {
        text: Some(text(wait.text)),
        event: event_name(uscc, &wait.event),
        end_time: wait.until.map(time),
    });
    pb::NextStar {
        star: rank(next.star),
        gates: next.gates.iter().map(Gate::text).map(text).collect(),
        raises: next
            .raises
            .into_iter()
            .map(|raised| raise(raised, scheme))
            .collect(),
        enough: next.enough,
        rooms: next.rooms.into_iter().map(|left| room(left, scheme)).collect(),
        waits: waits.collect(),
        by_itself_time: next.by_itself.map(time),
    }
}

fn title(item: &greenstar_kernel::Code, scheme: &Scheme) -> LocalizedText {
    let known = scheme.item(item).map(|item| item.name.clone());
    known.unwrap_or_else(|| LocalizedText::new(item.to_string(), item.to_string()))
}

fn raise(raise: Raise, scheme: &Scheme) -> pb::ItemRaise {
    let Raise {
        item,
        from,
        to,
        grant,
    } = raise;
    let condition = match grant {
        Grant::Conditions(conditions) => conditions.into_iter().next(),
        Grant::Points(_) => None,
    };
    let title = title(&item, scheme);
    let said = LocalizedText::new(
        format!("{item} {}由 {from} 分提高到 {to} 分", title.zh),
        format!("{item} {}: {to} points instead of {from}", title.en),
    );
    pb::ItemRaise {
        item: item.to_string(),
        title: Some(text(title)),
        from: from.to_string(),
        to: to.to_string(),
        condition: condition.map_or_else(String::new, |condition| condition.to_string()),
        text: Some(text(said)),
    }
}

fn room(room: Room, scheme: &Scheme) -> pb::ItemRoom {
    pb::ItemRoom {
        title: Some(text(title(&room.item, scheme))),
        item: room.item.to_string(),
        points: room.points.to_string(),
        max: room.max.to_string(),
        usable: room.usable.to_string(),
    }
}
