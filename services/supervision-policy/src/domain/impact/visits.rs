//! How often a regime sends somebody out.

use super::super::catalogue::{Catalogue, MeasureClass};
use super::answers::Answer;

/// Planned routine visits on site that a regime makes expect, in thousandths a year: the share that the yearly draw
/// takes, as far as the cap allows. Without a share everybody is drawn; without a cap only the draw binds; who is
/// exempt is not visited by plan. Visits after triggers are not planned and not in it.
pub fn routine_visits(exempt: bool, cap_per_year: Option<i64>, sampling_per_mille: Option<i64>) -> i64 {
    const ONE: i64 = 1_000;
    if exempt {
        return 0;
    }
    let drawn = sampling_per_mille.unwrap_or(ONE);
    cap_per_year.map_or(drawn, |cap| drawn.min(cap.saturating_mul(ONE)))
}

/// The same of an answer to an inspection regime, by the codes that regimes are read by.
pub(super) fn visits_of(answer: &Answer, catalogue: &Catalogue) -> i64 {
    let (mut exempt, mut cap, mut sampling) = (false, None, None);
    for (measure, value) in &answer.measures {
        let Some(entry) = catalogue.measures().get(*measure) else {
            continue;
        };
        match entry.code.as_str() {
            "routine-inspection-exemption" => exempt = entry.class == MeasureClass::Favour,
            "on-site-cap" => cap = *value,
            "sampling-ratio" => sampling = *value,
            _ => {}
        }
    }
    routine_visits(exempt, cap, sampling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_needs_a_draw_and_room_below_the_cap() {
        assert_eq!(routine_visits(false, Some(1), Some(200)), 200);
        assert_eq!(routine_visits(false, Some(4), Some(1_000)), 1_000);
        assert_eq!(routine_visits(false, Some(0), Some(200)), 0);
        assert_eq!(routine_visits(false, None, Some(50)), 50);
        assert_eq!(routine_visits(false, Some(2), None), 1_000);
        assert_eq!(routine_visits(true, Some(2), Some(1_000)), 0);
    }
}
