use jiff::civil::date;

use super::*;

#[test]
fn times_of_day_meet_at_their_hours() {
    // 2026-11-16 is a Monday.
    let table = [
        (16, 0, "night", "monday"),
        (16, 5, "night", "monday"),
        (16, 6, "day", "monday"),
        (16, 21, "day", "monday"),
        (16, 22, "night", "monday"),
        (20, 23, "night", "friday"),
        (21, 0, "weekend", "saturday"),
        (22, 23, "weekend", "sunday"),
        (23, 0, "night", "monday"),
    ];
    for (day, hour, time_of_day, weekday) in table {
        let moment = Moment::from_civil(date(2026, 11, day).at(hour, 59, 59, 0));
        assert_eq!(
            (moment.time_of_day(), moment.weekday()),
            (time_of_day, weekday)
        );
        assert_eq!(i8::try_from(moment.hour()).expect("small"), hour);
        assert!(TIMES_OF_DAY.contains(&time_of_day) && WEEKDAYS.contains(&weekday));
    }
}

#[test]
fn a_boundary_is_the_next_full_hour_of_the_wall_clock() {
    let table = [
        (
            "2026-11-16T10:00:00+00:00[UTC]",
            "2026-11-16T11:00:00+00:00[UTC]",
        ),
        (
            "2026-11-16T10:59:59.9+00:00[UTC]",
            "2026-11-16T11:00:00+00:00[UTC]",
        ),
        (
            "2026-11-16T23:30:00+00:00[UTC]",
            "2026-11-17T00:00:00+00:00[UTC]",
        ),
        (
            "2026-11-16T10:15:00+05:30[Asia/Kolkata]",
            "2026-11-16T11:00:00+05:30[Asia/Kolkata]",
        ),
        // The clock goes from 02:00 to 03:00, and back from 03:00 to 02:00.
        (
            "2026-03-29T01:30:00+01:00[Europe/Berlin]",
            "2026-03-29T03:00:00+02:00[Europe/Berlin]",
        ),
        (
            "2026-10-25T02:30:00+02:00[Europe/Berlin]",
            "2026-10-25T02:00:00+01:00[Europe/Berlin]",
        ),
    ];
    for (now, next) in table {
        let now: Zoned = now.parse().expect("a time");
        let found = Moment::next_boundary(&now).expect("time goes on");
        assert_eq!(found.to_string(), next);
    }
}
