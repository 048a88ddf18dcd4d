//! Nim: two seats take stones from heaps in turn, as many as they like from one heap.
//!
//! Who takes the last stone of all wins; in the misère game, who takes it loses. The heaps are drawn, or given by an option.
//! A move is two numbers, a heap and how many stones: `2 3` takes 3 stones from heap 2. The winner scores 1, the other 0.
//!
//! One count shows how often theory was followed: `winning-moves` (of the turns in which some move won against perfect
//! play, those in which such a move was made).

const std = @import("std");
const ludus = @import("ludus");
const theory = @import("theory.zig");
const Writer = ludus.Writer;

const Nim = @This();

const heaps_max = 8;
const stones_max = 30;

heaps: []u32,
misere: bool,
mover: u32,
last: ?theory.Take = null,
/// Which seats have read the rules.
introduced: [2]bool = .{ false, false },
/// Turns of each seat in which it could win, and those of them in which its move won.
chances: [2]u32 = .{ 0, 0 },
winning_moves: [2]u32 = .{ 0, 0 },

pub const about: ludus.About = .{
    .name = "nim",
    .version = "1.0.0",
    .summary = "Nim: take stones from one heap at a time; the last stone wins, or loses in the misère game.",
    .seats_min = 2,
    .seats_max = 2,
    // Each move takes a stone.
    .steps_max = heaps_max * stones_max,
    .options_schema =
    \\{"type": "object", "additionalProperties": false, "properties": {
    \\"heaps": {"type": "array", "maxItems": 8, "items": {"type": "integer", "minimum": 1, "maximum": 30}, "default": [],
    \\ "description": "The stones of each heap. Where there are none, heaps are drawn."},
    \\"heap_count": {"type": "integer", "minimum": 1, "maximum": 8, "default": 3,
    \\ "description": "How many heaps are drawn."},
    \\"heap_max": {"type": "integer", "minimum": 1, "maximum": 30, "default": 7,
    \\ "description": "The most stones of a heap that is drawn; at least one."},
    \\"misere": {"type": "boolean", "default": false, "description": "Who takes the last stone loses."},
    \\"first": {"enum": ["random", "seat-0", "seat-1"], "default": "random", "description": "Who moves first."}}}
    ,
    .house_players = &.{ "random", "optimal" },
    .abilities = &.{ "planning", "arithmetic" },
};

pub const Options = struct {
    heaps: []u32 = &.{},
    heap_count: u32 = 3,
    heap_max: u32 = 7,
    misere: bool = false,
    first: enum { random, @"seat-0", @"seat-1" } = .random,
};

pub const Move = theory.Take;

pub fn start(_: u32, options: Options, _: *Writer) !Nim {
    var heaps = options.heaps;
    if (heaps.len == 0) {
        heaps = try ludus.allocator.alloc(u32, options.heap_count);
        for (heaps) |*stones| stones.* = 1 + ludus.below(options.heap_max);
    }
    const mover = switch (options.first) {
        .random => ludus.below(2),
        .@"seat-0" => 0,
        .@"seat-1" => 1,
    };
    return .{ .heaps = heaps, .misere = options.misere, .mover = mover };
}

pub fn turn(nim: *const Nim) !ludus.Turn {
    if (nim.stonesLeft() > 0) return ludus.ask(&.{nim.mover});
    const taker = 1 - nim.mover;
    const winner = if (nim.misere) nim.mover else taker;
    var scores: [2]f64 = .{ 0, 0 };
    scores[winner] = 1;
    var counts: [2]ludus.Count = undefined;
    for (&counts, 0..) |*count, seat| count.* = .{
        .seat = @intCast(seat),
        .name = "winning-moves",
        .times = nim.winning_moves[seat],
        .chances = nim.chances[seat],
    };
    const result = if (nim.misere) "loses" else "wins";
    return ludus.over(&scores, &counts, "seat {d} takes the last stone and {s}", .{ taker, result });
}

pub fn prompt(nim: *Nim, seat: u32, out: *Writer) !void {
    if (!nim.introduced[seat]) {
        nim.introduced[seat] = true;
        const result = if (nim.misere) "loses" else "wins";
        try out.print("Two players in turn take stones from one heap, at least one. Whoever takes the last stone of all {s}. " ++
            "Answer with two numbers, the heap and how many stones: 2 1 takes 1 stone from heap 2.\n", .{result});
    }
    if (nim.last) |take| try out.print("The other takes {d} from heap {d}.\n", .{ take.stones, take.heap + 1 });
    try nim.askAgain(seat, out);
}

pub fn askAgain(nim: *const Nim, _: u32, out: *Writer) !void {
    try nim.writeHeaps(out);
    try out.writeAll("\nWhich heap, and how many stones?");
}

pub fn parse(nim: *const Nim, _: u32, text: []const u8, reason: *Writer) !Move {
    const form = "A move is two numbers, the heap and how many stones, such as 2 1.";
    var words = std.mem.tokenizeAny(u8, try ludus.plain(text), &std.ascii.whitespace);
    const heap = ludus.digits(words.next() orelse "") orelse return ludus.refuse(reason, form, .{});
    const stones = ludus.digits(words.next() orelse "") orelse return ludus.refuse(reason, form, .{});
    if (words.next() != null) return ludus.refuse(reason, form, .{});
    if (heap < 1 or heap > nim.heaps.len) return ludus.refuse(reason, "Heaps are numbered from 1 to {d}.", .{nim.heaps.len});
    const there = nim.heaps[heap - 1];
    if (there == 0) return ludus.refuse(reason, "Heap {d} is empty.", .{heap});
    if (stones < 1 or stones > there) return ludus.refuse(reason, "From heap {d} one takes 1 to {d}.", .{ heap, there });
    return .{ .heap = heap - 1, .stones = stones };
}

pub fn play(nim: *Nim, moves: []const ludus.Played(Move)) !void {
    for (moves) |played| {
        if (!theory.isLost(nim.heaps, nim.misere)) {
            nim.chances[played.seat] += 1;
            nim.winning_moves[played.seat] += @intFromBool(theory.wins(nim.heaps, played.move, nim.misere));
        }
        nim.heaps[played.move.heap] -= played.move.stones;
        nim.last = played.move;
        nim.mover = 1 - played.seat;
    }
}

pub fn legalMoves(nim: *const Nim, _: u32, legal: *ludus.Legal) !void {
    for (0..nim.stonesLeft()) |number| {
        const take = nim.nthMove(number);
        try legal.add("{d} {d}", .{ take.heap + 1, take.stones });
    }
}

pub fn houseMove(nim: *const Nim, _: u32, player: []const u8, out: *Writer) !void {
    const optimal = std.mem.eql(u8, player, "optimal");
    if (!optimal and !std.mem.eql(u8, player, "random"))
        return ludus.refuse(out, "There is no house player `{s}`; take `random` or `optimal`.", .{player});
    // Where no move wins, any is as good.
    var moves: std.ArrayList(theory.Take) = .empty;
    for (0..nim.stonesLeft()) |number| {
        const take = nim.nthMove(number);
        if (!optimal or theory.isLost(nim.heaps, nim.misere) or theory.wins(nim.heaps, take, nim.misere))
            try moves.append(ludus.arena, take);
    }
    const take = ludus.choose(theory.Take, moves.items);
    try out.print("{d} {d}", .{ take.heap + 1, take.stones });
}

pub fn view(nim: *const Nim, _: ?u32, out: *Writer) !void {
    try nim.writeHeaps(out);
}

fn writeHeaps(nim: *const Nim, out: *Writer) !void {
    for (nim.heaps, 1..) |stones, number| {
        if (number > 1) try out.writeByte('\n');
        try out.print("Heap {d}: {d}", .{ number, stones });
    }
}

fn stonesLeft(nim: *const Nim) usize {
    var sum: usize = 0;
    for (nim.heaps) |stones| sum += stones;
    return sum;
}

/// The legal moves are as many as there are stones: from each heap, one stone to all of them.
fn nthMove(nim: *const Nim, number: usize) theory.Take {
    var before: usize = 0;
    for (nim.heaps, 0..) |stones, heap| {
        if (number < before + stones) return .{ .heap = heap, .stones = @intCast(number - before + 1) };
        before += stones;
    }
    unreachable;
}
