//! Who wins at nim: Bouton's theorem. Heaps of two stones or more decide by the nim-sum, the exclusive or of all heaps, in
//! both ways to play. Where every heap has one stone at most, each move is forced and only parity counts.

/// Stones of one heap taken.
pub const Take = struct { heap: usize, stones: u32 };

/// Whether the side to move loses against perfect play. `misere`: who takes the last stone loses.
pub fn isLost(heaps: []const u32, misere: bool) bool {
    var sum: u32 = 0;
    var largest: u32 = 0;
    for (heaps) |stones| {
        sum ^= stones;
        largest = @max(largest, stones);
    }
    // With single stones the nim-sum is their parity, and the misère player wants the other one.
    return if (misere and largest <= 1) sum == 1 else sum == 0;
}

/// Whether the side to move wins with this.
pub fn wins(heaps: []u32, take: Take, misere: bool) bool {
    heaps[take.heap] -= take.stones;
    defer heaps[take.heap] += take.stones;
    return isLost(heaps, misere);
}
