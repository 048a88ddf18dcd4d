//! Draws. In a component they come from the host, who derives them from the episode's seed; in a test from a seed given there.

/// The only source of randomness that a game has.
#[derive(Debug)]
pub struct Random(Source);

#[derive(Debug)]
enum Source {
    /// The host's import.
    Host,
    /// A counter for splitmix64.
    Seeded(u64),
}

impl Random {
    /// Only for the adapter: a game is handed its `Random`.
    pub(crate) fn host() -> Self {
        Self(Source::Host)
    }

    /// The same seed gives the same draws, on every machine. For tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(seed))
    }

    /// A uniform draw from `0..bound`.
    ///
    /// # Panics
    /// Where `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "a draw from an empty range");
        match &mut self.0 {
            Source::Host => crate::bindings::ludus::game::random::below(bound),
            Source::Seeded(state) => {
                // The high half of a 32 x 32 bit product. Its bias is under one in a million for the bounds of a game: good for tests.
                let draw = splitmix64(state) >> 32;
                ((draw * u64::from(bound)) >> 32) as u32
            }
        }
    }

    /// One of the items, each with the same probability.
    ///
    /// # Panics
    /// Where there are none.
    pub fn pick<'items, T>(&mut self, items: &'items [T]) -> &'items T {
        &items[self.below(items.len() as u32) as usize]
    }

    /// Brings the items in a uniformly random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u32 + 1) as usize);
        }
    }

    /// True with probability `numerator / denominator`.
    pub fn chance(&mut self, numerator: u32, denominator: u32) -> bool {
        self.below(denominator) < numerator
    }

    /// True with this probability, exact to one in 2^31. Always draws, so the draws after it do not depend on it.
    pub fn probability(&mut self, probability: f64) -> bool {
        const STEPS: u32 = 1 << 31;
        f64::from(self.below(STEPS)) < probability * f64::from(STEPS)
    }
}

/// Sebastiano Vigna's splitmix64.
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_its_published_first_numbers() {
        // Vigna's reference code with seed 1234567.
        let mut state = 1_234_567;
        let first = [(); 3].map(|()| splitmix64(&mut state));
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn draws_fill_their_range_evenly() {
        let mut random = Random::seeded(1);
        let mut seen = [0u32; 6];
        for _ in 0..60_000 {
            seen[random.below(6) as usize] += 1;
        }
        // Six standard deviations of a binomial count.
        assert!(seen.iter().all(|&count| count.abs_diff(10_000) < 548), "{seen:?}");
    }

    #[test]
    fn a_shuffle_reaches_every_order_evenly() {
        let mut random = Random::seeded(2);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            random.shuffle(&mut items);
            *seen.entry(items).or_insert(0u32) += 1;
        }
        assert_eq!(seen.len(), 24);
        assert!(seen.values().all(|&count| count.abs_diff(1_000) < 186), "{seen:?}");
    }

    #[test]
    fn certain_and_impossible_events_are_just_that() {
        let mut random = Random::seeded(3);
        assert!((0..1000).all(|_| random.probability(1.0) && random.chance(1, 1)));
        assert!((0..1000).all(|_| !random.probability(0.0) && !random.chance(0, 1)));
    }
}
