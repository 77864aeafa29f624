//! The clock as conditions read it.

use jiff::Zoned;
use jiff::civil::{DateTime, Weekday};
use jiff::{ToSpan, Unit, ZonedRound};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An hour of a day of the week, local to the host. Nothing finer reaches a condition, so a
/// decision can change only when an hour ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// 0 to 23.
    hour: u8,
    #[serde(serialize_with = "number_of", deserialize_with = "weekday_of")]
    weekday: Weekday,
}

fn number_of<S: Serializer>(weekday: &Weekday, serializer: S) -> Result<S::Ok, S::Error> {
    weekday.to_monday_one_offset().serialize(serializer)
}

fn weekday_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Weekday, D::Error> {
    let number = i8::deserialize(deserializer)?;
    Weekday::from_monday_one_offset(number).map_err(serde::de::Error::custom)
}

/// First hour of the night, local time.
const NIGHT_BEGINS_HOUR: u8 = 22;
/// First hour that is no longer night, local time.
const NIGHT_ENDS_HOUR: u8 = 6;

/// Every value of `context.time_of_day`.
pub const TIMES_OF_DAY: [&str; 3] = ["day", "night", "weekend"];
/// Every value of `context.weekday`.
pub const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

impl Moment {
    /// The moment in the zone that `time` carries.
    pub fn from_zoned(time: &Zoned) -> Moment {
        Moment::from_civil(time.datetime())
    }

    /// The moment of a wall clock.
    pub fn from_civil(time: DateTime) -> Moment {
        Moment {
            hour: u8::try_from(time.hour()).unwrap_or(0),
            weekday: time.weekday(),
        }
    }

    /// 0 to 23.
    pub fn hour(&self) -> u8 {
        self.hour
    }

    /// Lower-case English name, such as `monday`.
    pub fn weekday(&self) -> &'static str {
        WEEKDAYS[self.weekday.to_monday_zero_offset().unsigned_abs() as usize % WEEKDAYS.len()]
    }

    /// `weekend` on Saturday and Sunday; else `night` from 22:00 to 06:00; else `day`.
    pub fn time_of_day(&self) -> &'static str {
        if matches!(self.weekday, Weekday::Saturday | Weekday::Sunday) {
            "weekend"
        } else if self.hour >= NIGHT_BEGINS_HOUR || self.hour < NIGHT_ENDS_HOUR {
            "night"
        } else {
            "day"
        }
    }

    /// When the moment after the one of `time` begins: the next full hour on the wall clock.
    /// `None` at the end of representable time.
    pub fn next_boundary(time: &Zoned) -> Option<Zoned> {
        let hour = ZonedRound::new()
            .smallest(Unit::Hour)
            .mode(jiff::RoundMode::Trunc);
        time.round(hour).ok()?.checked_add(1.hour()).ok()
    }
}

#[cfg(test)]
mod tests;
