//! Does a seat's view show more than the seat was told?
//!
//! Two moments, in episodes of two seeds, at which a seat had been told exactly the same, word for word, differ for it in
//! nothing but what is hidden: other hands, secret roles, the order of a deck. What the game shows that seat then must be the
//! same too, its view and its legal moves.

use std::collections::BTreeMap;

use super::probe::{Course, Noted};
use crate::hash::Hash;

/// So many moments are remembered, and later ones compared with these.
const MOMENTS_MAX: usize = 200_000;

/// Moments that were seen: of a seat that had been told this, what it was shown.
#[derive(Default)]
pub(super) struct Hidden {
    moments: BTreeMap<(u32, Hash), Moment>,
    /// How many pairs were compared in which something really was hidden.
    pub pairs: u64,
}

struct Moment {
    seed: u64,
    shown: Noted,
    /// What an onlooker sees who sees all.
    all: Hash,
}

impl Hidden {
    /// # Errors
    /// The first moment at which a seat was shown something else than it was in another episode.
    pub fn compare(&mut self, seed: u64, course: &Course) -> Result<(), String> {
        let mut leak = Ok(());
        for glimpse in &course.glimpses {
            let moment = (glimpse.seat, glimpse.told);
            let Some(first) = self.moments.get(&moment) else {
                if self.moments.len() < MOMENTS_MAX {
                    self.moments.insert(moment, Moment { seed, shown: glimpse.shown.clone(), all: glimpse.all });
                }
                continue;
            };
            if first.all != glimpse.all {
                self.pairs += 1;
            }
            if first.shown != glimpse.shown && leak.is_ok() {
                leak = Err(format!(
                    "seat {} was told the same as with seed {}, but is shown {:?} and there {:?}",
                    glimpse.seat, first.seed, glimpse.shown.beginning, first.shown.beginning
                ));
            }
        }
        leak
    }
}
