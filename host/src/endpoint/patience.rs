//! How long to wait before a call is made again.
//!
//! ```text
//! backoff = min(60 s, 0.5 s * 2^(tries - 1)) * (1/2 + luck/2)    luck from 0 to 1, drawn for each wait
//! wait    = backoff + what the server asks for in Retry-After, if anything
//! ```
//!
//! The luck keeps calls that failed together from coming back together (Brooker, "Exponential Backoff And Jitter", 2015).
//! Nothing of it reaches an episode.

use std::time::Duration;

const FIRST_S: f64 = 0.5;
const LONGEST_S: f64 = 60.0;

/// A server that asks to be left alone for longer has no more to give today.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// The wait before try number `tries + 1`; `tries` have failed. `None`: it is not worth waiting for.
pub(super) fn wait(tries: u32, asked_for: Option<Duration>, luck: f64) -> Option<Duration> {
    let backoff = (FIRST_S * 2f64.powi(tries.saturating_sub(1).min(20) as i32)).min(LONGEST_S);
    let backoff = Duration::from_secs_f64(backoff * (0.5 + luck.clamp(0.0, 1.0) / 2.0));
    match asked_for {
        Some(asked_for) if asked_for > RETRY_AFTER_MAX => None,
        Some(asked_for) => Some(asked_for + backoff),
        None => Some(backoff),
    }
}

/// The header `Retry-After`, in seconds. A date is not read: it needs the server's clock.
pub(super) fn retry_after(header: &str) -> Option<Duration> {
    let seconds = header.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)?;
    // More than can be told is longer than anybody waits.
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_luck_takes_at_most_half() {
        let seconds = |tries, luck| wait(tries, None, luck).expect("a wait").as_secs_f64();
        assert_eq!([1, 2, 3, 4].map(|tries| seconds(tries, 1.0)), [0.5, 1.0, 2.0, 4.0]);
        assert_eq!([1, 2, 3, 4].map(|tries| seconds(tries, 0.0)), [0.25, 0.5, 1.0, 2.0]);
        assert_eq!(seconds(1_000_000, 1.0), 60.0);
    }

    #[test]
    fn a_server_is_left_alone_at_least_as_long_as_it_asks_for() {
        let asked = Duration::from_secs(7);
        assert!((0..=10).all(|tenths| wait(1, Some(asked), f64::from(tenths) / 10.0).expect("a wait") >= asked));
        assert_eq!(wait(1, Some(Duration::from_secs(86_400)), 0.5), None);
    }

    #[test]
    fn seconds_are_read_and_nothing_else() {
        assert_eq!(retry_after(" 2 "), Some(Duration::from_secs(2)));
        assert_eq!(retry_after("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(retry_after("1e30"), Some(Duration::MAX));
        for header in ["", "-1", "NaN", "inf", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(retry_after(header), None, "{header}");
        }
    }
}
