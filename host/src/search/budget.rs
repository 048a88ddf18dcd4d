//! What the thinking about one move may take. Each call of the game has bounds of its own; these are for a game that stays
//! below them in every playout. Fuel and bytes are counted and no clock is asked, so the same search ends at the same place.

use std::cell::Cell;

use crate::limits::Limits;

/// As many whole episodes' fuel. A million playouts of a small game take a tenth of it.
const EPISODES: u64 = 10;

/// What worlds and bandits may hold: as many bandits as a million playouts make in a game of a few moves.
const BYTES_MAX: usize = 512 << 20;

/// What is left for one move.
pub(crate) struct Budget {
    fuel: Cell<u64>,
    bytes: Cell<usize>,
}

impl Budget {
    pub fn new(limits: &Limits) -> Budget {
        Budget { fuel: Cell::new(limits.fuel_per_episode.saturating_mul(EPISODES)), bytes: Cell::new(BYTES_MAX) }
    }

    pub fn spend_fuel(&self, fuel: u64) {
        self.fuel.set(self.fuel.get().saturating_sub(fuel));
    }

    pub fn spend_bytes(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
    }

    /// Whether it is spent, together with this fuel.
    pub fn is_spent_with(&self, fuel: u64) -> bool {
        self.fuel.get() <= fuel || self.bytes.get() == 0
    }

    pub fn is_spent(&self) -> bool {
        self.is_spent_with(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_where_fuel_or_room_is_used_up() {
        let fuel = Limits::STANDARD.fuel_per_episode * EPISODES;
        let budget = Budget::new(&Limits::STANDARD);
        budget.spend_fuel(fuel - 10);
        assert!(!budget.is_spent() && !budget.is_spent_with(9) && budget.is_spent_with(10));
        budget.spend_bytes(BYTES_MAX - 1);
        assert!(!budget.is_spent());
        budget.spend_bytes(2);
        assert!(budget.is_spent());
    }
}
