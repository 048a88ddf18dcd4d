//! Whether other processes want the processors that a run computes on: its threads wait for each other many times a token, so
//! one that has to share its core makes all of them slower.

use std::fs;

/// Looks at the processors from time to time.
#[derive(Default)]
pub struct Others {
    before: Option<Ticks>,
}

/// The time that processors spent since the machine began, of all of them, in the kernel's clock ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ticks {
    all: u64,
    idle: u64,
    own: u64,
}

impl Others {
    /// How much of the processors other processes had since the last look, from 0 to 1, where they left none of them idle. None
    /// where some were, the system does not say, or this is the first look.
    pub fn look(&mut self) -> Option<f64> {
        let now = Ticks::now()?;
        let before = self.before.replace(now)?;
        now.share_of_others(before)
    }
}

impl Ticks {
    fn now() -> Option<Ticks> {
        let read = |path: &str| fs::read_to_string(path).ok();
        Ticks::of(&read("/proc/stat")?, &read("/proc/self/stat")?)
    }

    /// From `/proc/stat`, whose first line has the times of user, nice, system, idle, waiting for a disk, interrupts of two
    /// kinds, and what a host took away; and from `/proc/PID/stat`, whose 14th and 15th numbers are those of user and system.
    fn of(machine: &str, process: &str) -> Option<Ticks> {
        let line = machine.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<u64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
        // The name of the program stands in brackets and may have any characters.
        let (_, behind_name) = process.rsplit_once(')')?;
        let mut own = behind_name.split_whitespace().skip(11).map_while(|word| word.parse::<u64>().ok());
        let own = own.next()? + own.next()?;
        Some(Ticks { all: times.iter().sum(), idle: times.get(3)? + times.get(4)?, own })
    }

    fn share_of_others(self, before: Ticks) -> Option<f64> {
        let since = |part: fn(Ticks) -> u64| part(self).saturating_sub(part(before)) as f64;
        let (all, idle, own) = (since(|ticks| ticks.all), since(|ticks| ticks.idle), since(|ticks| ticks.own));
        let is_full = all > 0.0 && idle / all < 0.05;
        is_full.then(|| ((all - idle - own) / all).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROCESS: &str = "12 (ludus) train) R 1 2 3 4 5 6 7 8 9 10 300 40 0 0 20 0";

    #[test]
    fn times_are_read_as_the_kernel_writes_them() {
        let ticks = Ticks::of("cpu  400 20 80 1000 50 3 7 40 9 9\ncpu0 1 2 3\n", PROCESS);
        assert_eq!(ticks, Some(Ticks { all: 1600, idle: 1050, own: 340 }));
        assert_eq!(Ticks::of("", PROCESS), None);
        assert_eq!(Ticks::of("cpu  1 2 3 4 5 6 7 8\n", "12 (x) R 1"), None);
    }

    #[test]
    fn others_count_only_where_they_leave_no_processor_idle() {
        let before = Ticks { all: 1000, idle: 500, own: 100 };
        let later = |idle: u64, own: u64| Ticks { all: 1200, idle: 500 + idle, own: 100 + own };
        assert_eq!(later(0, 120).share_of_others(before), Some(0.4));
        assert_eq!(later(0, 200).share_of_others(before), Some(0.0));
        assert_eq!(later(40, 120).share_of_others(before), None);
        assert_eq!(before.share_of_others(before), None);
    }

    #[test]
    fn this_machine_says_how_busy_it_is() {
        assert!(Ticks::now().is_some());
        assert_eq!(Others::default().look(), None);
    }
}
