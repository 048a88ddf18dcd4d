//! The one clock of the program. Nothing that it says gets into a record: it labels what stands beside one, and gives
//! people who name no seed a new one.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01 UTC.
pub fn now_s() -> u64 {
    since_epoch().as_secs()
}

/// A seed that was probably not used before. Short enough to type.
pub fn fresh_seed() -> u64 {
    (since_epoch().as_nanos() as u64 / 1000) % 1_000_000_000
}

#[expect(clippy::disallowed_methods, reason = "a label beside the record, and the seed of a person who names none")]
fn since_epoch() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Measures how long something took.
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "how fast it went is shown to people, and when an episode is stored decides nothing"
    )]
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub fn elapsed_s(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// A time in UTC as people write it: `2026-01-31 23:59`.
pub fn written(seconds_since_epoch: u64) -> String {
    let (days, seconds) = (seconds_since_epoch / 86_400, seconds_since_epoch % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", seconds / 3600, seconds / 60 % 60)
}

/// The date so many days after 1970-01-01, counted in years that begin in March, so that leap days come last.
fn date(days: u64) -> (u64, u64, u64) {
    let since_march_0000 = days + 719_468;
    let (era, day_of_era) = (since_march_0000 / 146_097, since_march_0000 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let month = if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_799, "2000-02-29 23:59"),
            (1_767_225_599, "2025-12-31 23:59"),
            (4_107_542_400, "2100-03-01 00:00"),
        ] {
            assert_eq!(written(seconds), expected);
        }
    }
}
