//! Time that only sleeping moves.

/// 2000-01-01T00:00:00Z in seconds since 1970: the date at which every episode begins.
const DATE_AT_START_S: u64 = 946_684_800;

const NS_PER_S: u64 = 1_000_000_000;

/// What it shows when an instance is made. Go's run time refuses a clock that shows 0.
const NS_AT_START: u64 = NS_PER_S;

/// Nanoseconds since a moment before the instance was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    now_ns: u64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::at(NS_AT_START)
    }
}

impl Clock {
    pub fn at(now_ns: u64) -> Clock {
        Clock { now_ns }
    }

    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Moves on to a moment, unless it has passed.
    pub fn sleep_until(&mut self, at_ns: u64) {
        self.now_ns = self.now_ns.max(at_ns);
    }

    /// Seconds since 1970, and nanoseconds.
    pub fn date(&self) -> (u64, u32) {
        let passed_ns = self.now_ns.saturating_sub(NS_AT_START);
        (DATE_AT_START_S + passed_ns / NS_PER_S, (passed_ns % NS_PER_S) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sleeping_moves_the_clock_and_never_back() {
        let mut clock = Clock::default();
        assert_eq!(clock.date(), (946_684_800, 0));
        assert!(clock.now_ns() > 0);
        clock.sleep_until(clock.now_ns() + 3_600 * NS_PER_S + 5);
        clock.sleep_until(7);
        assert_eq!((clock.now_ns(), clock.date()), (NS_AT_START + 3_600 * NS_PER_S + 5, (946_684_800 + 3_600, 5)));
    }
}
