use greenstar_kernel::{Epoch, Revision};
use proptest::prelude::*;

use super::*;
use crate::domain::facts::Facts;
use crate::view::flags::tests as flagged;
use crate::view::policies::tests::{NOW, edition};
use crate::view::ratings::tests as rated;
use crate::view::{RatingRow, Unreadable, View};

fn at(epoch: &str, revision: u64) -> Position {
    Position {
        epoch: Epoch::parse(epoch).unwrap(),
        revision: Revision(revision),
    }
}

/// What one revision of either log says.
type Change = (Vec<RatingRow>, Vec<FlagRow>);

fn take(view: &View, at_rating: Position, at_sanctions: Position, (rated, flagged): Change) {
    let mut snapshot = view.begin_ratings();
    rated.iter().for_each(|row| snapshot.put(row));
    view.replace_ratings(at_rating, snapshot);
    view.replace_flags(at_sanctions, vec![edition("one", NOW)], flagged, NOW);
}

fn apply(view: &View, to: u64, (rated, flagged): &Change) {
    view.apply_ratings(rated, Revision(to));
    view.apply_flags(flagged.clone(), Revision(to), NOW);
}

/// A new view from what is on the disk.
fn start(folder: &Path) -> View {
    let view = View::new();
    let saved = view.saved(folder).unwrap();
    let (rating, ratings) = saved.rating;
    view.replace_ratings(rating, ratings);
    view.replace_flags(saved.sanctions, Vec::new(), saved.flags, NOW);
    view
}

fn told(view: &View, uscc: &Uscc) -> Result<Facts, Unreadable> {
    let (ratings, flags) = (view.ratings.read(), view.flags.read());
    let flags = flags.as_ref().unwrap().get(uscc)?;
    ratings.as_ref().unwrap().facts(uscc, flags)
}

fn firms() -> Vec<Uscc> {
    let flagged = flagged::FIRMS.iter().map(|firm| firm.parse().unwrap());
    (0..14).map(rated::uscc).chain(flagged).collect()
}

fn change() -> impl Strategy<Value = Change> {
    let ratings = prop::collection::vec((0u32..12, rated::facts()), 0..5);
    let ratings = ratings.prop_map(|rows| {
        let row = |(number, facts)| (rated::uscc(number), Ok(facts));
        rows.into_iter().map(row).collect()
    });
    let flags = prop::collection::vec(flagged::row(), 0..5);
    let readable = flags.prop_map(|mut rows| {
        rows.retain(|row| row.flag.is_ok());
        rows
    });
    (ratings, readable)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_view_from_the_disk_and_the_tail_is_the_view_from_a_fresh_snapshot(
        first in change(),
        tail in prop::collection::vec(change(), 0..8),
        kept in 0usize..8,
        folded in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let before = View::new();
        take(&before, at("r", 5), at("s", 5), first.clone());
        let kept = kept.min(tail.len());
        for (to, change) in (6..).zip(tail.iter().take(kept)) {
            apply(&before, to, change);
        }
        if folded {
            before.ratings.fold();
        }
        before.save(folder.path()).unwrap().unwrap();

        let started = start(folder.path());
        let cursor = 5 + kept as u64;
        prop_assert_eq!(started.applied(greenstar_kernel::Log::Rating), Some(at("r", cursor)));
        prop_assert_eq!(started.applied(greenstar_kernel::Log::Sanctions), Some(at("s", cursor)));
        // A row may be newer than its position, so frames come again that are in the file already.
        for (to, change) in (6..).zip(&tail).skip(kept.saturating_sub(1)) {
            apply(&started, to, change);
        }
        let fresh = View::new();
        let (mut rows, mut flags) = first;
        for (rated, flagged) in tail {
            rows.extend(rated);
            flags.extend(flagged);
        }
        take(&fresh, at("r", 99), at("s", 99), (rows, flags));
        for firm in firms() {
            prop_assert_eq!(told(&started, &firm), told(&fresh, &firm));
        }
    }
}

fn a_view() -> View {
    let view = View::new();
    let facts = |number| Facts {
        known: true,
        sector: Some("C2710".parse().unwrap()),
        ..{
            let mut facts = Facts::unknown();
            facts.rating.version = number;
            facts
        }
    };
    let rows = (0..20).map(|number| (rated::uscc(number), Ok(facts(number))));
    let flag = flagged::flag("enterprises/91110115MAX000015J/flags/1", 7);
    let flags = vec![FlagRow {
        uscc: flagged::FIRMS[0].parse().unwrap(),
        name: flag.name.clone(),
        flag: Ok(Some(flag)),
    }];
    take(&view, at("r", 5), at("s", 6), (rows.collect(), flags));
    view
}

#[test]
fn a_file_that_is_damaged_anywhere_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    a_view().save(folder.path()).unwrap().unwrap();
    let path = folder.path().join(NAME);
    let whole = std::fs::read(&path).unwrap();
    let view = View::new();
    assert!(view.saved(folder.path()).is_ok());
    for place in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        assert!(View::new().saved(folder.path()).is_err(), "byte {place}");
        std::fs::write(&path, &whole[..place]).unwrap();
        assert!(View::new().saved(folder.path()).is_err(), "cut at {place}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    std::fs::write(&path, longer).unwrap();
    assert!(View::new().saved(folder.path()).is_err(), "a byte too many");
    std::fs::write(&path, whole).unwrap();
    assert!(View::new().saved(folder.path()).is_ok());
}

#[test]
fn a_file_of_others_or_of_another_format_or_program_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(View::new().saved(folder.path()), Err(Unusable::None)));
    a_view().save(folder.path()).unwrap().unwrap();
    let path = folder.path().join(NAME);
    let whole = std::fs::read(&path).unwrap();
    let mut newer = whole.clone();
    newer[MAGIC.len()] = 9;
    std::fs::write(&path, newer).unwrap();
    assert!(matches!(
        View::new().saved(folder.path()),
        Err(Unusable::OtherFormat(9))
    ));
    std::fs::write(&path, b"a letter to the mayor").unwrap();
    assert!(matches!(View::new().saved(folder.path()), Err(Unusable::Foreign)));
    let version = program();
    let at = whole
        .windows(version.len())
        .position(|window| window == version.as_bytes());
    let mut other = whole;
    other[at.unwrap()] = b'9';
    std::fs::write(&path, other).unwrap();
    assert!(matches!(
        View::new().saved(folder.path()),
        Err(Unusable::OtherProgram(_))
    ));
}

#[test]
fn a_copy_that_breaks_off_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    a_view().save(folder.path()).unwrap().unwrap();
    let content = Content {
        rating: at("r", 9),
        sanctions: at("s", 9),
        texts: Vec::new(),
        causes: Vec::new(),
        editions: Vec::new(),
    };
    let full = write(
        folder.path(),
        &content,
        |_| Err(io::ErrorKind::StorageFull.into()),
    );
    assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
    let started = start(folder.path());
    assert_eq!(started.applied(greenstar_kernel::Log::Rating), Some(at("r", 5)));
}

#[test]
fn p10_a_copy_that_is_known_to_be_wrong_is_gone_until_the_view_was_taken_anew() {
    use crate::view::Followed;

    let folder = tempfile::tempdir().unwrap();
    let view = a_view();
    view.save(folder.path()).unwrap().unwrap();
    // Found at the same positions, and while the next copy is about to be written.
    view.differs(Followed::Rating);
    view.forget_saved(folder.path()).unwrap();
    assert_eq!(view.save(folder.path()).unwrap(), None, "it is still wrong");
    assert!(matches!(View::new().saved(folder.path()), Err(Unusable::None)));
    view.forget_saved(folder.path()).unwrap();

    let replacements = view.replacements(Followed::Rating);
    view.replace_ratings(at("r", 5), view.begin_ratings());
    assert_eq!(view.replacements(Followed::Rating), replacements + 1);
    view.save(folder.path()).unwrap().unwrap();
    let started = start(folder.path());
    assert_eq!(
        told(&started, &rated::uscc(3)).map(|facts| facts.known),
        Ok(false)
    );
}

#[test]
fn two_builds_of_one_version_with_different_contracts_are_different_programs() {
    let mut contract = greenstar_proto::FILE_DESCRIPTOR_SET.to_vec();
    assert_eq!(program_of(&contract), program());
    contract.pop();
    assert_ne!(program_of(&contract), program());
}

#[test]
fn p10_what_this_program_cannot_read_is_not_kept_for_one_that_can() {
    let folder = tempfile::tempdir().unwrap();
    let view = a_view();
    view.apply_ratings(&[(rated::uscc(3), Err(Unreadable))], Revision(6));
    assert_eq!(view.save(folder.path()).unwrap(), None);
    let view = a_view();
    let unread = FlagRow {
        uscc: rated::uscc(3),
        name: "enterprises/x/flags/2".into(),
        flag: Err(Unreadable),
    };
    view.apply_flags(vec![unread], Revision(7), NOW);
    assert_eq!(view.save(folder.path()).unwrap(), None);
    assert!(matches!(View::new().saved(folder.path()), Err(Unusable::None)));
    assert_eq!(
        View::new().save(folder.path()).unwrap(),
        None,
        "nothing is known yet"
    );
}

#[test]
fn p10_a_view_from_the_disk_is_of_no_age_until_every_source_was_heard() {
    let folder = tempfile::tempdir().unwrap();
    a_view().save(folder.path()).unwrap().unwrap();
    let view = start(folder.path());
    view.set_clock(std::time::Duration::ZERO, NOW);
    assert_eq!(view.age(std::time::Duration::ZERO, NOW), None);
    assert!(!view.is_caught_up());
}
