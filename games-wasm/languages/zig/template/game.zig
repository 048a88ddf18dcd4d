//! Race to a total: two players add 1, 2 or 3 in turn, and whoever reaches the target wins.

const std = @import("std");
const ludus = @import("ludus");
const Writer = ludus.Writer;

const Race = @This();

target: u32,
total: u32 = 0,
mover: u32,
/// Which seats have read the rules.
introduced: [2]bool = .{ false, false },

pub const about: ludus.About = .{
    .name = "{{name}}",
    .version = "1.0.0",
    .summary = "Race to a total: add 1, 2 or 3 in turn, and whoever reaches it wins.",
    .seats_min = 2,
    .seats_max = 2,
    // Each move adds at least 1 to a total of at most 100.
    .steps_max = 100,
    .options_schema =
    \\{"type":"object","additionalProperties":false,"properties":{
    \\"target":{"type":"integer","minimum":4,"maximum":100,"default":21,"description":"The total to reach."}}}
    ,
    .house_players = &.{ "random", "optimal" },
    .abilities = &.{ "planning", "arithmetic" },
};

pub const Options = struct { target: u32 = 21 };

/// What is added.
pub const Move = u32;

pub fn start(_: u32, options: Options, _: *Writer) !Race {
    return .{ .target = options.target, .mover = ludus.below(2) };
}

pub fn turn(race: *const Race) !ludus.Turn {
    if (race.total < race.target) return ludus.ask(&.{race.mover});
    const winner = 1 - race.mover;
    var scores: [2]f64 = .{ 0, 0 };
    scores[winner] = 1;
    return ludus.over(&scores, &.{}, "seat {d} reaches {d}", .{ winner, race.target });
}

pub fn prompt(race: *Race, seat: u32, out: *Writer) !void {
    if (!race.introduced[seat]) {
        race.introduced[seat] = true;
        const rules = "Two players take turns adding 1, 2 or 3 to a total that begins at 0. Whoever reaches {d} wins.\n";
        try out.print(rules, .{race.target});
    }
    try race.askAgain(seat, out);
}

pub fn askAgain(race: *const Race, _: u32, out: *Writer) !void {
    try out.print("Total: {d}. Add 1, 2 or 3.", .{race.total});
}

pub fn parse(race: *const Race, _: u32, text: []const u8, reason: *Writer) !Move {
    const trimmed = ludus.trim(text);
    if (trimmed.len != 1 or trimmed[0] < '1' or trimmed[0] > '3') return ludus.refuse(reason, "A move is 1, 2 or 3.", .{});
    const added = trimmed[0] - '0';
    if (race.total + added > race.target) return ludus.refuse(reason, "{d} would pass {d}.", .{ added, race.target });
    return added;
}

pub fn play(race: *Race, moves: []const ludus.Played(Move)) !void {
    for (moves) |played| {
        race.total += played.move;
        race.mover = 1 - played.seat;
    }
}

/// The largest number that does not pass the target; 1 to it are the legal moves.
fn largest(race: *const Race) u32 {
    return @min(3, race.target - race.total);
}

pub fn legalMoves(race: *const Race, _: u32, legal: *ludus.Legal) !void {
    for (1..race.largest() + 1) |added| try legal.add("{d}", .{added});
}

pub fn houseMove(race: *const Race, _: u32, player: []const u8, out: *Writer) !void {
    const optimal = std.mem.eql(u8, player, "optimal");
    if (!optimal and !std.mem.eql(u8, player, "random")) return ludus.refuse(out, "There is no house player {s}.", .{player});
    // Whoever leaves a multiple of four wins; from one, no move is better than another.
    const winning = (race.target - race.total) % 4;
    try out.print("{d}", .{if (optimal and winning != 0) winning else 1 + ludus.below(race.largest())});
}

pub fn view(race: *const Race, _: ?u32, out: *Writer) !void {
    try out.print("Total: {d} of {d}.", .{ race.total, race.target });
}
