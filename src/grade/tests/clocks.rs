use std::time::Duration;

use super::world::at;
use crate::grade::clocks::{Clocks, GRACE, Moment, Ruling, Timeline};
use crate::grade::names::Truth;

fn line(known: f64, moments: &[(f64, bool)]) -> Timeline {
    let moments = moments.iter().map(|(seconds, holds)| Moment {
        at: at(*seconds),
        truth: if *holds { Truth::Yes } else { Truth::No("no".to_owned()) },
    });
    Timeline { moments: moments.collect(), known: Some(at(known)) }
}

/// The stretch ends at second 0.
fn clocks(within: f64, hold_for: f64) -> Clocks {
    Clocks { start: at(0.0), within: Duration::from_secs_f64(within), hold_for: Duration::from_secs_f64(hold_for) }
}

#[test]
fn it_passes_as_soon_as_it_is_known_to_have_begun_in_time() {
    let late = line(3.0, &[(0.0, false), (2.5, true)]);
    assert_eq!(clocks(10.0, 0.0).rule(&late, at(3.0)), Ruling::Pass(1));
    assert_eq!(clocks(2.0, 0.0).rule(&late, at(3.0)), Ruling::Fail { moment: Some(0), held: None });
    // It held, but was over before anybody was asked to confirm the present.
    let over = line(1.0, &[(0.0, false), (0.2, true), (0.4, false)]);
    assert_eq!(clocks(10.0, 0.0).rule(&over, at(1.0)), Ruling::Pass(1));
}

#[test]
fn before_the_deadline_and_unknown_it_stays_open() {
    let open = line(1.0, &[(0.0, false)]);
    assert_eq!(clocks(10.0, 0.0).rule(&open, at(1.0)), Ruling::Open { until: at(10.0) });
    let unconfirmed = line(9.9, &[(0.0, false)]);
    assert!(matches!(clocks(10.0, 0.0).rule(&unconfirmed, at(10.5)), Ruling::Open { .. }));
    let past = at(10.0) + GRACE + Duration::from_millis(1);
    assert_eq!(clocks(10.0, 0.0).rule(&unconfirmed, past), Ruling::Silent(Duration::from_millis(100)));
    assert_eq!(
        clocks(10.0, 0.0).rule(&line(10.0, &[(0.0, false)]), at(10.5)),
        Ruling::Fail { moment: Some(0), held: None }
    );
}

#[test]
fn for_counts_from_the_moment_it_began_and_not_from_the_end_of_the_stretch() {
    let began = line(4.0, &[(0.0, false), (3.0, true)]);
    assert_eq!(clocks(10.0, 2.0).rule(&began, at(4.0)), Ruling::Open { until: at(5.0) });
    let held = line(5.0, &[(0.0, false), (3.0, true)]);
    assert_eq!(clocks(10.0, 2.0).rule(&held, at(5.0)), Ruling::Pass(1));
}

#[test]
fn a_break_starts_for_anew_while_within_allows_it() {
    let broken = [(0.0, true), (1.0, false), (2.0, true)];
    assert_eq!(clocks(10.0, 1.5).rule(&line(3.0, &broken), at(3.0)), Ruling::Open { until: at(3.5) });
    assert_eq!(clocks(10.0, 1.5).rule(&line(3.6, &broken), at(3.6)), Ruling::Pass(2));
    // The second time began too late.
    let expected = Ruling::Fail { moment: Some(1), held: Some(Duration::from_secs(1)) };
    assert_eq!(clocks(1.5, 1.5).rule(&line(3.6, &broken), at(3.6)), expected);
    // Long enough the first time, whatever came later.
    assert_eq!(clocks(10.0, 0.5).rule(&line(3.0, &broken), at(3.0)), Ruling::Pass(0));
}

#[test]
fn it_may_go_on_holding_past_the_deadline() {
    let began = line(12.0, &[(0.0, false), (9.9, true)]);
    assert_eq!(clocks(10.0, 2.0).rule(&began, at(12.0)), Ruling::Pass(1));
}

#[test]
fn what_cannot_be_judged_at_the_deadline_is_not_failed() {
    let mut unknown = line(10.0, &[(0.0, false), (5.0, true)]);
    unknown.moments[1].truth = Truth::Unknown("undecodable".to_owned());
    assert_eq!(clocks(10.0, 0.0).rule(&unknown, at(10.0)), Ruling::CannotJudge("undecodable".to_owned()));
    unknown.moments.push(Moment { at: at(6.0), truth: Truth::Yes });
    assert_eq!(clocks(10.0, 0.0).rule(&unknown, at(10.0)), Ruling::Pass(2));
}
