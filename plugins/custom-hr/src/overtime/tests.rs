use super::*;

fn rules(daily: Option<u32>, weekly: Option<u32>, doubletime: Option<u32>) -> Overtime {
    Overtime {
        daily_after: daily.map(|hours| Span(hours * 60)),
        weekly_after: weekly.map(|hours| Span(hours * 60)),
        daily_doubletime_after: doubletime.map(|hours| Span(hours * 60)),
    }
}

#[test]
fn minutes_are_split_by_day_and_week() {
    let (none, d, w, dw, dwd) = (
        rules(None, None, None),
        rules(Some(8), None, None),
        rules(None, Some(40), None),
        rules(Some(8), Some(40), None),
        rules(Some(8), Some(40), Some(12)),
    );
    // rules, worked, of the day before, regular of the week before: regular, overtime, doubletime
    for (rules, worked, day, week, expected) in [
        (&none, 1440, 0, 6000, (1440, 0, 0)),
        (&d, 480, 0, 0, (480, 0, 0)),
        (&d, 481, 0, 0, (480, 1, 0)),
        (&d, 120, 420, 0, (60, 60, 0)),
        (&d, 120, 480, 0, (0, 120, 0)),
        (&d, 120, 600, 0, (0, 120, 0)),
        (&w, 480, 0, 1920, (480, 0, 0)),
        (&w, 600, 0, 1920, (480, 120, 0)),
        (&w, 60, 0, 2400, (0, 60, 0)),
        (&w, 60, 0, 9999, (0, 60, 0)),
        (&dw, 600, 0, 2300, (100, 500, 0)),
        (&dw, 600, 0, 0, (480, 120, 0)),
        (&dw, 300, 300, 2370, (30, 270, 0)),
        (&dwd, 780, 0, 0, (480, 240, 60)),
        (&dwd, 60, 720, 0, (0, 0, 60)),
        (&dwd, 120, 660, 2400, (0, 60, 60)),
        (&dwd, 780, 0, 2400, (0, 720, 60)),
        (&dwd, 0, 0, 0, (0, 0, 0)),
        // Doubletime that begins before overtime does.
        (&rules(Some(10), None, Some(8)), 600, 0, 0, (480, 0, 120)),
    ] {
        let split = rules.split(worked, day, week);
        let is = (split.regular, split.overtime, split.doubletime);
        assert_eq!(is, expected, "{worked} minutes after {day} and {week}");
        assert_eq!(split.worked(), worked);
    }
}

#[test]
fn a_week_of_long_days_pays_each_extra_minute_once() {
    let rules = rules(Some(8), Some(40), None);
    let (mut regular, mut overtime) = (0, 0);
    for _ in 0..6 {
        let split = rules.split(9 * 60, 0, regular);
        regular += split.regular;
        overtime += split.overtime;
    }
    assert_eq!((regular, overtime), (40 * 60, 14 * 60));
}
