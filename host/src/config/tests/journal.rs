//! `journal`, `on-unrepeated`, `record-reads`.

use super::*;

const ROUTE: &str = "[plugins.p]\ncomponent='builtin:http'\n[[routes]]\nname='r'\non={type='a'}\n[[routes.steps]]\nname='a'\nuses='p.x'\n";

#[test]
fn a_step_says_what_is_kept_of_its_requests() {
    let policy = |keys: &str| valid(&format!("{ROUTE}{keys}")).config.routes[0].steps[0].journal;
    assert_eq!(policy(""), JournalPolicy { kept: true, on_unrepeated: OnUnrepeated::Show, record_reads: None });
    assert_eq!(policy("on-unrepeated='stop'").on_unrepeated, OnUnrepeated::Stop);
    assert_eq!(policy("record-reads='7d'").record_reads, Some(Duration::from_secs(7 * 86_400)));
    assert!(!policy("journal=false\non-doubt='resend'\non-unrepeated='show'").kept);
}

#[test]
fn what_needs_the_journal_is_refused_without_it() {
    let cases: &[(&str, &[&str])] = &[
        ("journal='no'", &["9:9 `journal` must be true or false, but this is a string"]),
        ("on-unrepeated='die'", &["9:15 `on-unrepeated` can't be \"die\""]),
        ("record-reads=7", &["9:14 `record-reads` is a duration and needs a unit"]),
        ("record-reads='0s'", &["9:14 `record-reads` is 0s, but must be from 1s to 36525d"]),
        ("journal=false\non-unrepeated='stop'", &["10:15 `on-unrepeated = \"stop\"` needs the journal, which this step has switched off"]),
    ];
    for (keys, expected) in cases {
        assert_eq!(mistakes(&format!("{ROUTE}{keys}")), *expected, "{keys}");
    }
    let held = mistakes(&format!("{ROUTE}journal=false\non-doubt='hold'"));
    let refused = "10:10 `on-doubt = \"hold\"` needs the journal, which this step has switched off";
    assert!(held.iter().any(|line| line == refused), "{held:?}");
}

#[test]
fn a_route_that_undoes_journals_all_its_steps() {
    let route = |last: &str| format!("{ROUTE}journal=false\n[[routes.steps]]\nname='b'\nuses='p.x'\n{last}");
    let why = "9:9 `journal = false` leaves an undo nothing to go by, and a step of this route has `on-failure = \"undo\"`";
    assert_eq!(mistakes(&route("on-failure='undo'")), [why]);
    valid(&route("on-failure='continue'"));
    valid(&route("on-failure='undo'").replace("journal=false", "journal=true"));
}
