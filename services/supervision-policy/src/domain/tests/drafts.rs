//! The steps of a draft, without a database.

use std::collections::BTreeMap;
use std::time::Duration;

use greenstar_kernel::{Code, Department, Officer, Revision, Timestamp};

use crate::domain::draft::{
    Actor, Checked, Done, Draft, DraftState, Manuscript, Publication, Rollback, Seen, Step, Workshop,
};
use crate::domain::draft_refusal::Refusal;
use crate::domain::version::{Issued, Line};

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn code(raw: &str) -> Code {
    Code::parse(raw).unwrap()
}

fn finance() -> Department {
    Department::parse("finance").unwrap()
}

fn actor(officer: &str) -> Actor {
    Actor {
        department: finance(),
        officer: Officer(officer.to_owned()),
    }
}

fn draft(state: DraftState) -> Draft {
    Draft {
        id: code("d"),
        policy: code("finance-default"),
        department: finance(),
        state,
        author: Officer("finance".to_owned()),
        approver: None,
        note: String::new(),
        source_hash: "h".to_owned(),
        etag: Revision(7),
        created_at: NOW,
        updated_at: NOW,
        published: None,
    }
}

/// One version is in force; the policy log has published up to 5.
fn workshop(state: DraftState) -> Workshop {
    let first = Issued {
        version: 1,
        department: finance(),
        effective_at: NOW,
    };
    let lines = BTreeMap::from([(code("finance-default"), Line::new(vec![first]))]);
    Workshop::new(vec![draft(state)], lines, Revision(5))
}

fn seen() -> Seen {
    Seen {
        id: code("d"),
        etag: "7".to_owned(),
    }
}

fn checked(through: u64) -> Option<Checked> {
    Some(Checked {
        source: "text".to_owned(),
        through: Revision(through),
    })
}

fn publish(checked: Option<Checked>) -> Step {
    Step::Publish(Publication {
        seen: seen(),
        effective_at: None,
        checked,
    })
}

#[test]
fn what_was_checked_among_fewer_policies_than_stand_is_checked_again() {
    let take =
        |workshop: &mut Workshop, step: &Step| workshop.take(step, &actor("finance"), NOW, Revision(9));
    let mut workshop = workshop(DraftState::Approved);
    let again = Err(Refusal::Unchecked { newest: Revision(5) });
    assert_eq!(take(&mut workshop, &publish(None)), again);
    assert_eq!(take(&mut workshop, &publish(checked(4))), again);
    let Ok(Done::Version(version)) = take(&mut workshop, &publish(checked(5))) else {
        panic!("it was checked");
    };
    assert_eq!((version.version, version.source.as_str()), (2, "text"));
    // Whoever comes next in the same batch was not checked with it.
    let rollback = Step::Rollback(Rollback {
        policy: code("finance-default"),
        version: 1,
        expected: None,
        reason: "why".to_owned(),
        checked: checked(8),
    });
    let again = Err(Refusal::Unchecked { newest: Revision(9) });
    assert_eq!(take(&mut workshop, &rollback), again);
    let changes = workshop.changes();
    assert_eq!((changes.drafts.len(), changes.published.len()), (1, 1));
}

#[test]
fn a_refused_step_changes_nothing() {
    let text = Manuscript {
        policy: code("finance-other"),
        department: finance(),
        source: String::new(),
        hash: String::new(),
    };
    let stale = Seen {
        etag: "6".to_owned(),
        ..seen()
    };
    let steps = [
        (DraftState::Draft, Step::Approve(seen())),
        (DraftState::Validated, Step::Approve(seen())),
        (DraftState::Draft, Step::Withdraw(stale.clone())),
        (DraftState::Published, Step::Withdraw(seen())),
        (DraftState::Withdrawn, Step::Validated(seen())),
        (DraftState::Validated, publish(checked(5))),
        (
            DraftState::Draft,
            Step::Update {
                seen: seen(),
                text,
                note: None,
            },
        ),
    ];
    for (state, step) in steps {
        let mut workshop = workshop(state);
        let refused = workshop.take(&step, &actor("finance"), NOW, Revision(9));
        assert!(refused.is_err(), "{step:?}");
        let changes = workshop.changes();
        assert!(
            changes.drafts.is_empty() && changes.published.is_empty(),
            "{step:?}"
        );
    }
}

#[test]
fn every_change_has_an_etag_of_its_own_and_validating_what_is_approved_changes_nothing() {
    let mut workshop = workshop(DraftState::Draft);
    let mut etag = seen();
    type Make = fn(Seen) -> Step;
    let steps: [(Make, &str); 3] = [
        (Step::Validated, "finance"),
        (Step::Validated, "finance"),
        (Step::Approve, "finance/2"),
    ];
    for (revision, (step, officer)) in (10..).zip(steps) {
        let now = NOW.plus(Duration::from_secs(revision));
        let done = workshop.take(&step(etag.clone()), &actor(officer), now, Revision(revision));
        let Ok(Done::Draft { draft, version }) = done else {
            panic!("{done:?}");
        };
        assert_eq!(
            (draft.etag, draft.updated_at, version),
            (Revision(revision), now, 2)
        );
        etag.etag = draft.etag.to_string();
    }
    let done = workshop.take(&Step::Validated(etag), &actor("finance"), NOW, Revision(20));
    let Ok(Done::Draft { draft, .. }) = done else {
        panic!("{done:?}");
    };
    assert_eq!((draft.state, draft.etag), (DraftState::Approved, Revision(12)));
}
