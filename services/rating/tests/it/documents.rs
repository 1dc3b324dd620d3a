//! What the sanctions log says of a document acts on its events: in whatever order things are recorded, told and
//! repeated, the same events count.

use std::collections::BTreeMap;
use std::sync::Arc;

use greenstar_kernel::{Caller, Code, Department, Epoch, LocalizedText, Officer, Points, Revision};
use greenstar_kernel::{Standing, Timestamp, Uscc};
use greenstar_rating::domain::command::{
    Answer, Command, Followed, Frame, NewEvent, Notice, Order, StoredScheme, World, decide,
};
use greenstar_rating::domain::enterprise::{District, Enterprise, PolluterClass, Profile, Sector, Site};
use greenstar_rating::domain::error::Refusal;
use greenstar_rating::domain::event::Evidence;
use greenstar_rating::domain::firm::{Firm, Rated};
use greenstar_rating::domain::flagged::{FlagState, Told};
use greenstar_rating::domain::scheme::Scheme;
use proptest::prelude::*;

use crate::facts::{FILE, code, document, event, five_star, never, noon};

const NOW: &str = "2026-06-01";
/// Long ago enough for a repair of what is ordinary.
const DAY: &str = "2026-02-01";
const OTHER: &str = "91110115MAX000023D";

pub(crate) fn uscc() -> Uscc {
    "91110115MAX000015J".parse().unwrap()
}

fn at() -> Timestamp {
    noon(NOW)
}

/// An enterprise with five stars and two sites.
pub(crate) fn world() -> World {
    let scheme = Scheme::parse(FILE).unwrap();
    let site = |number: &str| Site::new(&uscc(), number, LocalizedText::new("厂", "Plant"), "", "").unwrap();
    let mut firm = Firm::new(Enterprise {
        uscc: uscc(),
        profile: Profile {
            name: LocalizedText::new("甲", "A"),
            district: District::parse("110115").unwrap(),
            sector: Sector::parse("C2319").unwrap(),
            polluter_class: PolluterClass::Key,
            sites: vec![site("001"), site("002")],
        },
        etag: 1,
    });
    firm.rated = Some(Rated {
        version: 0,
        round: code("spring"),
        scheme: scheme.key.clone(),
        awards: five_star(),
        valid_until: never(),
        rated_at: at(),
        standing: Standing::NotRated,
        total: Points::ZERO,
        categories: Vec::new(),
        next: None,
        suspended: None,
        limit: None,
        objections: std::collections::BTreeSet::new(),
    });
    firm.rate(&scheme, at()).unwrap();
    let mut world = World::default();
    world.schemes.push(Arc::new(StoredScheme {
        scheme,
        source: FILE.to_owned(),
        created_at: at(),
        author: None,
    }));
    world.firms.insert(uscc(), firm);
    world
}

pub(crate) fn by(name: &str) -> Caller {
    Caller::Department {
        department: Department::parse("rating").unwrap(),
        officer: Officer(name.to_owned()),
        roles: Vec::new(),
    }
}

fn order(world: &mut World, who: &str, command: Command) -> Result<(Answer, Vec<Notice>), Refusal> {
    let order = Order {
        by: by(who),
        at: at(),
        command,
    };
    decide(world, &order)
}

/// Records an event of a document that bears its number.
fn record(world: &mut World, kind: &str, number: &str, site: Option<&str>) -> Result<Code, Refusal> {
    let model = event(kind, number, DAY);
    let id = code(&format!("{kind}-{number}-{}", site.unwrap_or("all")));
    let new = NewEvent {
        uscc: uscc(),
        id: id.clone(),
        kind: model.kind,
        document: model.document,
        evidence: Evidence { ..model.evidence },
        site: site.map(str::to_owned),
        rectification_required: false,
    };
    order(world, "rating", Command::RecordEvent(new)).map(|_| id)
}

fn told(revision: u64, flag: &str, number: &str, site: Option<&str>, state: FlagState) -> Told {
    Told {
        revision: Revision(revision),
        uscc: uscc(),
        flag: code(flag),
        document: document(number, DAY),
        site: site.map(str::to_owned),
        state,
        ends_at: None,
    }
}

fn frame_of(epoch: &str, after: u64, told: Vec<Told>) -> Frame {
    let to = told.last().map_or(Revision(after + 1), |told| told.revision);
    Frame {
        epoch: Epoch::parse(epoch).unwrap(),
        after: Revision(after),
        to,
        head: to,
        told,
    }
}

const EPOCH: &str = "0198c3a0-0000-7000-8000-000000000001";
const RESTORED: &str = "0198c3a0-0000-7000-8000-000000000002";

/// The next frame, from where the world stands.
fn tell(world: &mut World, flag: &str, number: &str, site: Option<&str>, state: FlagState) -> Followed {
    let after = world.cursor.as_ref().map_or(0, |cursor| cursor.at.revision.0);
    let frame = frame_of(EPOCH, after, vec![told(after + 1, flag, number, site, state)]);
    follow(world, frame)
}

fn follow(world: &mut World, frame: Frame) -> Followed {
    match order(world, "rating", Command::Follow(frame)).unwrap().0 {
        Answer::Followed(followed) => followed,
        other => panic!("{other:?}"),
    }
}

fn firm(world: &World) -> &Firm {
    &world.firms[&uscc()]
}

fn star(world: &World) -> Option<u8> {
    firm(world).standing().star().map(greenstar_kernel::Star::get)
}

#[test]
fn a_repair_of_the_document_gives_the_star_back_and_says_what_caused_it() {
    let mut world = world();
    let id = record(&mut world, "fine_ordinary", "12", None).unwrap();
    assert_eq!(star(&world), Some(4));
    tell(&mut world, "f", "12", None, FlagState::InForce);
    assert_eq!(star(&world), Some(4));
    let followed = tell(&mut world, "f", "12", None, FlagState::Repaired);
    assert_eq!(
        (followed.applied, followed.kept),
        (Revision(2), Vec::<String>::new())
    );
    assert_eq!(star(&world), Some(5));
    assert_eq!(firm(&world).event(&id).unwrap().cause, Some(Revision(2)));
    let version = world.changes.versions.last().unwrap();
    assert_eq!(
        (version.cause.as_str(), version.rated.version),
        ("sanctions:2", 3)
    );
}

#[test]
fn what_no_repair_ends_stays_and_is_named_and_an_annulment_ends_it() {
    let mut world = world();
    let crime = record(&mut world, "V01", "7", None).unwrap();
    record(&mut world, "fine_ordinary", "7", None).unwrap();
    let followed = tell(&mut world, "f", "7", None, FlagState::Repaired);
    assert_eq!(followed.kept, [format!("enterprises/{}/events/{crime}", uscc())]);
    assert_eq!(firm(&world).standing(), Standing::Vetoed);
    tell(&mut world, "f", "7", None, FlagState::Revoked);
    assert_eq!(star(&world), Some(5));
    assert!(
        !firm(&world)
            .events
            .iter()
            .any(greenstar_rating::domain::event::Event::open)
    );
}

#[test]
fn an_annulled_event_counts_as_if_it_had_never_been_recorded() {
    let mut world = world();
    let clean = firm(&world).fact(world.schemes.iter().map(|stored| &stored.scheme));
    // With the third of a year the newest is a repeat; without the first it is none.
    for number in ["1", "2", "3"] {
        record(&mut world, "complaint_verified_minor", number, None).unwrap();
    }
    let before = firm(&world).rated.as_ref().unwrap().total;
    tell(&mut world, "f", "1", None, FlagState::Revoked);
    let rated = firm(&world).rated.as_ref().unwrap();
    assert_eq!(
        rated.total - before,
        "3".parse().unwrap(),
        "1 of its own and 2 of the repeat"
    );
    for number in ["2", "3"] {
        tell(
            &mut world,
            &format!("f{number}"),
            number,
            None,
            FlagState::Revoked,
        );
    }
    let fact = firm(&world).fact(world.schemes.iter().map(|stored| &stored.scheme));
    assert_eq!(
        (fact.standing, &fact.recent_events),
        (clean.standing, &clean.recent_events)
    );
    assert_eq!(fact.rating.unwrap().next, clean.rating.unwrap().next);
    // It can be recorded once more if the document is flagged anew, and only then.
    let again = |world: &mut World| {
        let mut new = world.firms[&uscc()].events[0].clone();
        new.id = code("again");
        let new = NewEvent {
            uscc: uscc(),
            id: new.id,
            kind: new.kind,
            document: new.document,
            evidence: new.evidence,
            site: new.site,
            rectification_required: false,
        };
        order(world, "rating", Command::RecordEvent(new))
    };
    let event = firm(&world).events[0].id.clone();
    assert_eq!(again(&mut world).unwrap_err(), Refusal::EventExists { event });
    tell(&mut world, "anew", "1", None, FlagState::InForce);
    again(&mut world).unwrap();
    assert_eq!(
        firm(&world)
            .fact(world.schemes.iter().map(|stored| &stored.scheme))
            .recent_events
            .len(),
        1
    );
}

#[test]
fn an_event_stays_while_another_flag_stands_on_its_document() {
    let mut world = world();
    record(&mut world, "fine_ordinary", "12", None).unwrap();
    for flag in ["a", "b"] {
        tell(&mut world, flag, "12", None, FlagState::InForce);
    }
    tell(&mut world, "a", "12", None, FlagState::Revoked);
    assert_eq!(star(&world), Some(4), "the document holds under the other flag");
    tell(&mut world, "b", "12", None, FlagState::Suspended);
    assert_eq!(star(&world), Some(4), "an appeal is open, nothing is decided");
    assert!(firm(&world).objection_open());
    tell(&mut world, "b", "12", None, FlagState::Over);
    assert!(!firm(&world).objection_open());
    assert_eq!(star(&world), Some(4), "a lapse says nothing of the document");
}

#[test]
fn a_flag_of_one_site_acts_on_that_site_and_on_events_without_one() {
    for (flag_site, ended) in [
        (None, ["all", "001", "002"].as_slice()),
        (Some("001"), &["all", "001"]),
        (Some("003"), &["all"]),
    ] {
        let mut world = world();
        for site in [None, Some("001"), Some("002")] {
            record(&mut world, "fine_ordinary", "12", site).unwrap();
        }
        tell(&mut world, "f", "12", flag_site, FlagState::Repaired);
        let struck: Vec<&str> = firm(&world)
            .events
            .iter()
            .filter(|event| event.is_struck())
            .map(|event| event.site.as_deref().unwrap_or("all"))
            .collect();
        assert_eq!(struck, ended, "{flag_site:?}");
    }
}

#[test]
fn an_officer_cannot_repair_what_a_flag_stands_on() {
    let mut world = world();
    let id = record(&mut world, "fine_ordinary", "12", Some("001")).unwrap();
    let repair = |world: &mut World| {
        let command = Command::RepairEvent {
            uscc: uscc(),
            event: id.clone(),
            reason: "准予修复".to_owned(),
        };
        order(world, "rating/2", command).map(drop)
    };
    for (site, state) in [(None, FlagState::InForce), (Some("001"), FlagState::Suspended)] {
        tell(&mut world, "f", "12", site, state);
        let flag = format!("enterprises/{}/flags/f", uscc());
        assert_eq!(
            repair(&mut world).unwrap_err(),
            Refusal::RepairByDocument { flag }
        );
    }
    tell(&mut world, "f", "12", Some("002"), FlagState::InForce);
    tell(&mut world, "g", "13", None, FlagState::InForce);
    // Its term is over, though nobody has written that down yet.
    let after = world.cursor.as_ref().unwrap().at.revision.0;
    let mut over = told(after + 1, "h", "12", None, FlagState::InForce);
    over.ends_at = Some(at());
    follow(&mut world, frame_of(EPOCH, after, vec![over]));
    repair(&mut world).unwrap();
    assert_eq!(star(&world), Some(5));
}

#[test]
fn a_frame_that_was_taken_or_does_not_follow_changes_nothing() {
    let mut world = world();
    record(&mut world, "fine_ordinary", "12", None).unwrap();
    tell(&mut world, "f", "12", None, FlagState::InForce);
    let repaired = || frame_of(EPOCH, 1, vec![told(2, "f", "12", None, FlagState::Repaired)]);
    let gap = frame_of(EPOCH, 5, vec![told(6, "f", "12", None, FlagState::Repaired)]);
    assert_eq!(follow(&mut world, gap).applied, Revision(1));
    let foreign = frame_of(RESTORED, 1, vec![told(2, "f", "12", None, FlagState::Repaired)]);
    assert_eq!(follow(&mut world, foreign).applied, Revision::ZERO);
    assert_eq!(star(&world), Some(4));

    assert_eq!(follow(&mut world, repaired()).applied, Revision(2));
    let (firm_then, versions) = (firm(&world).clone(), world.changes.versions.len());
    assert_eq!(follow(&mut world, repaired()).applied, Revision(2));
    // A sibling's frame that begins earlier and ends later: only what is new counts.
    let longer = frame_of(
        EPOCH,
        1,
        vec![
            told(2, "f", "12", None, FlagState::Repaired),
            told(3, "g", "99", None, FlagState::InForce),
        ],
    );
    assert_eq!(follow(&mut world, longer).applied, Revision(3));
    assert_eq!(
        (firm(&world), world.changes.versions.len()),
        (&firm_then, versions)
    );
}

#[test]
fn a_restored_log_is_taken_from_its_start_and_what_it_lost_is_forgotten_and_not_repaired() {
    let mut world = world();
    record(&mut world, "fine_ordinary", "12", None).unwrap();
    record(&mut world, "warning", "13", None).unwrap();
    tell(&mut world, "kept", "12", None, FlagState::InForce);
    tell(&mut world, "lost", "13", None, FlagState::Suspended);
    let points = firm(&world).rated.as_ref().unwrap().total;
    assert!(firm(&world).objection_open());

    let mut first = frame_of(RESTORED, 0, vec![told(1, "kept", "12", None, FlagState::InForce)]);
    first.head = Revision(3);
    follow(&mut world, first);
    let known = |world: &World| world.documents[&uscc()].flags.len();
    assert_eq!(known(&world), 2, "kept until the new log is caught up with");
    let mut rest = frame_of(RESTORED, 1, Vec::new());
    rest.to = Revision(3);
    follow(&mut world, rest);
    assert_eq!(known(&world), 1);
    assert_eq!(
        firm(&world).rated.as_ref().unwrap().total,
        points,
        "nothing was repaired"
    );
    assert!(!firm(&world).objection_open());
    let at = &world.cursor.as_ref().unwrap().at;
    assert_eq!((at.epoch.as_str(), at.revision), (RESTORED, Revision(3)));
}

#[test]
fn a_document_of_another_enterprise_is_another_document() {
    let mut world = world();
    record(&mut world, "fine_ordinary", "12", None).unwrap();
    let mut elsewhere = told(1, "f", "12", None, FlagState::Repaired);
    elsewhere.uscc = OTHER.parse().unwrap();
    follow(&mut world, frame_of(EPOCH, 0, vec![elsewhere]));
    assert_eq!(star(&world), Some(4));
    assert_eq!(
        world.documents.len(),
        1,
        "kept for the day on which somebody registers it"
    );
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Act {
    Record(&'static str, &'static str, Option<&'static str>),
    Tell(&'static str, &'static str, Option<&'static str>, FlagState),
}

const RECORDS: [Act; 8] = [
    Act::Record("fine_ordinary", "1", None),
    Act::Record("V14", "1", Some("001")),
    Act::Record("warning", "1", Some("002")),
    Act::Record("complaint_verified_minor", "2", None),
    Act::Record("complaint_verified_minor", "3", Some("001")),
    Act::Record("complaint_verified_minor", "4", None),
    Act::Record("V01", "5", None),
    Act::Record("correction_order", "5", Some("002")),
];
const FLAGS: [(&str, &str, Option<&str>); 6] = [
    ("a", "1", None),
    ("b", "1", Some("001")),
    ("c", "2", None),
    ("d", "3", Some("001")),
    ("e", "4", Some("002")),
    ("f", "5", None),
];

/// Ways of a flag that is in force, as the sanctions service lets it go.
const WAYS: [&[FlagState]; 9] = {
    use FlagState::{InForce, Over, Repaired, Revoked, Suspended};
    [
        &[],
        &[Suspended],
        &[Suspended, InForce, Repaired],
        &[Suspended, Revoked],
        &[Repaired],
        &[Repaired, Revoked],
        &[Over],
        &[Over, Revoked],
        &[Revoked],
    ]
};

/// Each flag goes its way, one step of one of them after another.
fn moves() -> impl Strategy<Value = Vec<(usize, FlagState)>> {
    let ways = prop::collection::vec(0..WAYS.len(), FLAGS.len());
    let turns = prop::collection::vec(0..FLAGS.len(), 18);
    (ways, turns).prop_map(|(ways, turns)| {
        let mut left: Vec<_> = ways.into_iter().map(|way| WAYS[way].iter()).collect();
        let steps = turns
            .into_iter()
            .filter_map(|flag| Some((flag, *left[flag].next()?)));
        steps.collect()
    })
}

/// All flags come into force; then they move, and events are recorded in between.
fn history(moves: &[(usize, FlagState)], places: &[usize]) -> World {
    let mut world = world();
    for (flag, number, site) in FLAGS {
        tell(&mut world, flag, number, site, FlagState::InForce);
    }
    let mut acts: Vec<Act> = moves
        .iter()
        .map(|(flag, state)| {
            let (flag, number, site) = FLAGS[*flag];
            Act::Tell(flag, number, site, *state)
        })
        .collect();
    for (record, place) in RECORDS.iter().zip(places) {
        acts.insert(place % (acts.len() + 1), record.clone());
    }
    for act in acts {
        match act {
            Act::Record(kind, number, site) => {
                record(&mut world, kind, number, site).unwrap();
            }
            Act::Tell(flag, number, site, state) => {
                tell(&mut world, flag, number, site, state);
            }
        }
    }
    world
}

/// What counts: of each event how it stands, and the score.
type Outcome = (BTreeMap<String, (bool, bool, bool)>, Standing, Points, bool);

fn outcome(world: &World) -> Outcome {
    let firm = firm(world);
    let events = firm.events.iter().map(|event| {
        let revoked = event.revoked_at.is_some();
        let repaired = event.repaired_at.is_some() && !revoked;
        (event.id.to_string(), (repaired, revoked, event.under_appeal))
    });
    let view = firm.view(Some(&world.schemes[0].scheme), at()).unwrap();
    let total = view.rating.unwrap().total;
    (events.collect(), view.standing, total, view.objection_open)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_order_of_events_and_endings_does_not_matter(
        moves in moves(),
        one in prop::collection::vec(0_usize..20, RECORDS.len()),
        other in prop::collection::vec(0_usize..20, RECORDS.len()),
    ) {
        prop_assert_eq!(outcome(&history(&moves, &one)), outcome(&history(&moves, &other)));
    }

    #[test]
    fn frames_may_be_cut_anywhere_and_repeated(
        moves in moves(),
        cuts in prop::collection::vec(any::<bool>(), 18),
    ) {
        let all: Vec<Told> = moves
            .iter()
            .zip(1..)
            .map(|((flag, state), revision)| {
                let (flag, number, site) = FLAGS[*flag];
                told(revision, flag, number, site, *state)
            })
            .collect();
        let recorded = || {
            let mut world = world();
            for act in &RECORDS {
                if let Act::Record(kind, number, site) = act {
                    record(&mut world, kind, number, site.as_deref()).unwrap();
                }
            }
            world
        };
        let mut whole = recorded();
        let mut cut = recorded();
        if !all.is_empty() {
            follow(&mut whole, frame_of(EPOCH, 0, all.clone()));
        }
        let (mut after, mut part) = (0, Vec::new());
        for (told, cut_here) in all.iter().zip(&cuts) {
            part.push(told.clone());
            if *cut_here || told.revision.0 == all.len() as u64 {
                for _ in 0..2 {
                    follow(&mut cut, frame_of(EPOCH, after, part.clone()));
                }
                after = told.revision.0;
                part.clear();
            }
        }
        prop_assert_eq!(outcome(&whole), outcome(&cut));
        prop_assert_eq!(whole.documents, cut.documents);
        prop_assert_eq!(whole.cursor, cut.cursor);
        prop_assert_eq!(whole.changes.versions.len(), cut.changes.versions.len());
    }
}
