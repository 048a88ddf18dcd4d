//! Ludus for Zig: all that a game needs, in one file.
//!
//! A game is rules and words, nothing else: it has no clock, no files and no randomness but `below`. It is one type, the
//! file `game.zig`, whose fields are the state of one episode (one instance plays one episode):
//!
//! ```text
//! about: About                                        what the game says of itself
//! Options                                             a struct with a default for each field, read from JSON
//! Move                                                a move as the rules know it
//! start(seats: u32, options: Options, refusal: *Writer) !Game
//!                    deals, or refuses with a sentence that names the option that will not do
//! turn(*const Game) !Turn                             `ask` or `over`; called after `start` and after each `play`
//! prompt(*Game, seat: u32, out: *Writer) !void        all that this seat newly gets to know: the rules in its first request,
//!                    then what happened, the position, and what is asked. Called once for each decision of a seat
//! askAgain(*const Game, seat: u32, out: *Writer) !void
//!                    what a seat reads after its move was refused; the host shows the reason before it
//! parse(*const Game, seat: u32, text: []const u8, reason: *Writer) !Move
//!                    reads a move, or refuses it with a sentence for the player
//! play(*Game, moves: []const Played(Move)) !void      plays one legal move of each seat that was asked, in seat order
//! legalMoves(*const Game, seat: u32, legal: *Legal) !void
//!                    lists every legal move of a seat that is asked now; left out where any text may be a move
//! houseMove(*const Game, seat: u32, player: []const u8, out: *Writer) !void
//!                    writes a house player's move, or refuses a player that is not listed or has a bad argument
//! view(*const Game, viewer: ?u32, out: *Writer) !void the position for people, as a seat or an onlooker (null) sees it
//! ```
//!
//! To refuse is `return refuse(out, "A move is 1, 2 or 3.", .{})`. Every other error, and every panic, is a fault: the game
//! stops. The rest happens here: options are read, moves of seats that move at the same time are held until all are there,
//! a seat whose move was refused is asked again, and the host is answered.
//!
//! This file is the root of the program. Its second half is how it works, and no part of what a game sees.

const std = @import("std");
const Game = @import("game");
pub const Writer = std.Io.Writer;

/// What a game says of itself.
pub const About = struct {
    /// Kebab-case, as people type it.
    name: []const u8,
    /// Semantic version of the rules.
    version: []const u8,
    /// One line for people.
    summary: []const u8,
    seats_min: u32,
    seats_max: u32,
    /// No episode takes more calls; those that refuse a move are not counted.
    steps_max: u32,
    /// JSON Schema of `Options`. The host checks options before `start` gets them.
    options_schema: []const u8,
    /// Players that the game itself supplies. An argument is not listed: `search` here is `search` or `search:3` in `houseMove`.
    house_players: []const []const u8 = &.{},
    /// The abilities that it trains: `planning`, `social-reasoning`.
    abilities: []const []const u8 = &.{},
};

/// Who moves now, or how it ended.
pub const Turn = union(enum) {
    /// These seats move, all at the same time; in rising order, never empty.
    decide: []const u32,
    over: Outcome,
};

pub const Outcome = struct {
    /// One a seat, 0 for the worst result and 1 for the best.
    scores: []const f64,
    counts: []const Count,
    /// One line for people.
    summary: []const u8,
};

/// How often a seat did a thing out of the chances that it had. `name` is in kebab-case; the same names in every episode.
pub const Count = struct { seat: u32, name: []const u8, times: u32, chances: u32 };

/// A move that `parse` took.
pub fn Played(comptime Move: type) type {
    return struct { seat: u32, move: Move };
}

/// Asks these seats to move.
pub fn ask(seats: []const u32) !Turn {
    return .{ .decide = try arena.dupe(u32, seats) };
}

/// Ends the game, with one line for people.
pub fn over(scores: []const f64, counts: []const Count, comptime summary: []const u8, values: anytype) !Turn {
    return .{ .over = .{
        .scores = try arena.dupe(f64, scores),
        .counts = try arena.dupe(Count, counts),
        .summary = try std.fmt.allocPrint(arena, summary, values),
    } };
}

pub const Refused = error{Refused};

/// Writes why, and refuses: options, a move, or a house player.
pub fn refuse(out: *Writer, comptime reason: []const u8, values: anytype) (Refused || Writer.Error) {
    try out.print(reason, values);
    return error.Refused;
}

/// The legal moves of a seat.
pub const Legal = struct {
    moves: std.ArrayList(String) = .empty,

    pub fn add(legal: *Legal, comptime move: []const u8, values: anytype) !void {
        try legal.moves.append(arena, .of(try std.fmt.allocPrint(arena, move, values)));
    }
};

// Draws come from the episode's seed. None may be made in `legalMoves` and `view`.

/// A uniform draw from 0 to `bound` - 1. The bound is at least 1.
pub fn below(bound: u32) u32 {
    return host.below(bound);
}

/// One of the items, each with the same probability.
pub fn choose(comptime Item: type, items: []const Item) Item {
    return items[below(@intCast(items.len))];
}

/// Brings the items in a uniformly random order (Fisher and Yates).
pub fn shuffle(comptime Item: type, items: []Item) void {
    var last = items.len;
    while (last > 1) : (last -= 1) std.mem.swap(Item, &items[last - 1], &items[below(@intCast(last))]);
}

/// True with probability `numerator` / `denominator`.
pub fn chance(numerator: u32, denominator: u32) bool {
    return below(denominator) < numerator;
}

/// True with this probability. Always draws.
pub fn probability(p: f64) bool {
    return @as(f64, @floatFromInt(below(1 << 31))) < p * (1 << 31);
}

/// A player's text without white space around it.
pub fn trim(text: []const u8) []const u8 {
    return std.mem.trim(u8, text, &std.ascii.whitespace);
}

/// A player's text without what does not matter: white space around it, a final full stop, upper case.
pub fn plain(text: []const u8) ![]const u8 {
    const trimmed = trim(text);
    const ended = if (std.mem.endsWith(u8, trimmed, ".")) trim(trimmed[0 .. trimmed.len - 1]) else trimmed;
    return std.ascii.allocLowerString(arena, ended);
}

/// A number of decimal digits and nothing else, or null.
pub fn digits(text: []const u8) ?u32 {
    for (text) |digit| if (!std.ascii.isDigit(digit)) return null;
    return std.fmt.parseInt(u32, text, 10) catch null;
}

/// Memory that lives until the present call returns, and need not be freed.
pub const arena: std.mem.Allocator = call_memory.allocator();
/// Memory that lives as long as the episode; options lie there.
pub const allocator: std.mem.Allocator = std.heap.wasm_allocator;

// ---- Memory of calls: a small buffer, and what does not fit into it

var call_buffer: [8 << 10]u8 align(16) = undefined;
var overflow: std.heap.ArenaAllocator = .init(allocator);
var call_memory: std.heap.BufferFirstAllocator = .init(&call_buffer, overflow.allocator());
/// The last call has returned: its memory is taken back when the next one begins.
var stale = false;

/// A call begins: with the host's first argument that needs memory, or with the function itself.
fn enter() void {
    if (!stale) return;
    stale = false;
    call_memory.fixed_buffer_allocator.reset();
    _ = overflow.reset(.free_all);
}

/// A call returns: what it took is still to be read by the host.
fn leave(comptime Result: type, result: Result) *const Result {
    const place = struct {
        var held: Result = undefined;
    };
    place.held = result;
    stale = true;
    return &place.held;
}

/// Faults stop the instance, and the host says where: a text of ours would only make the component larger.
pub const panic = std.debug.no_panic;

/// Where the host puts arguments.
fn reallocate(old: ?[*]u8, old_bytes: usize, alignment: usize, bytes: usize) callconv(.c) [*]u8 {
    enter();
    const taken = arena.rawAlloc(@max(bytes, 1), .fromByteUnits(alignment), @returnAddress()) orelse @panic("no memory");
    if (old) |from| @memcpy(taken[0..@min(old_bytes, bytes)], from[0..@min(old_bytes, bytes)]);
    return taken;
}

// ---- What the canonical ABI lays down in memory is what these structs are on wasm32

/// Where what is empty lies: Zig may give an empty slice any address, and the host wants one in memory.
const nowhere: u64 = 0;

const String = extern struct {
    bytes: [*]const u8,
    len: usize,

    fn of(text: []const u8) String {
        return .{ .bytes = if (text.len == 0) @ptrCast(&nowhere) else text.ptr, .len = text.len };
    }

    fn slice(string: String) []const u8 {
        return string.bytes[0..string.len];
    }

    fn list(texts: []const []const u8) !List {
        const strings = try arena.alloc(String, texts.len);
        for (strings, texts) |*string, text| string.* = .of(text);
        return .of(String, strings);
    }
};

const List = extern struct {
    items: *const anyopaque,
    len: usize,

    fn of(comptime Item: type, items: []const Item) List {
        return .{ .items = if (items.len == 0) &nowhere else items.ptr, .len = items.len };
    }
};

/// A move, a request and a rejection alike.
const Words = extern struct { seat: u32, text: String };

const LoweredCount = extern struct { seat: u32, name: String, times: u32, chances: u32 };

const LoweredTurn = extern struct {
    tag: enum(u32) { decide, over },
    /// Of requests, or of scores.
    list: List,
    counts: List = .of(u8, &.{}),
    summary: String = .of(""),
};

/// A string, or why there is none.
const Answer = extern struct { tag: enum(u32) { taken, refused }, text: String };

// ---- The table

const host = struct {
    extern "ludus:game/random@0.1.0" fn below(bound: u32) u32;
};

const seats_max = Game.about.seats_max;

var game: Game = undefined;
/// The seats of this turn, and those of them whose move is not there yet.
var asked: []const u32 = &.{};
var waiting: []const u32 = &.{};
var asked_seats: [seats_max]u32 = undefined;
var waiting_seats: [seats_max]u32 = undefined;
/// The moves that are there, at their seat's place.
var taken_moves: [seats_max]Game.Move = undefined;
var seat_count: u32 = 0;

/// Asks the seats that are waited for.
fn requests(comptime prompt: anytype) !LoweredTurn {
    const words = try arena.alloc(Words, waiting.len);
    for (words, waiting) |*request, seat| {
        var text: Writer.Allocating = .init(arena);
        try prompt(&game, seat, &text.writer);
        request.* = .{ .seat = seat, .text = .of(text.written()) };
    }
    return .{ .tag = .decide, .list = .of(Words, words) };
}

fn nextTurn() !LoweredTurn {
    switch (try game.turn()) {
        .decide => |seats| {
            if (seats.len == 0) return error.NobodyIsAsked;
            for (seats[1..], seats[0 .. seats.len - 1]) |seat, before| if (seat <= before) return error.SeatsNotInOrder;
            if (seats[seats.len - 1] >= seat_count) return error.NoSuchSeat;
            @memcpy(asked_seats[0..seats.len], seats);
            @memcpy(waiting_seats[0..seats.len], seats);
            asked = asked_seats[0..seats.len];
            waiting = waiting_seats[0..seats.len];
            return requests(Game.prompt);
        },
        .over => |outcome| {
            waiting = &.{};
            const counts = try arena.alloc(LoweredCount, outcome.counts.len);
            for (counts, outcome.counts) |*lowered, count| lowered.* = .{
                .seat = count.seat,
                .name = .of(count.name),
                .times = count.times,
                .chances = count.chances,
            };
            return .{
                .tag = .over,
                .list = .of(f64, outcome.scores),
                .counts = .of(LoweredCount, counts),
                .summary = .of(outcome.summary),
            };
        },
    }
}

/// A fault, unless the game refused.
fn isRefusal(problem: anyerror) !void {
    if (problem != error.Refused) return problem;
}

// ---- What the host calls

const Manifest = extern struct {
    name: String,
    version: String,
    summary: String,
    seats_min: u32,
    seats_max: u32,
    steps_max: u32,
    options_schema: String,
    house_players: List,
    abilities: List,
};

fn describe() !Manifest {
    const about = Game.about;
    return .{
        .name = .of(about.name),
        .version = .of(about.version),
        .summary = .of(about.summary),
        .seats_min = about.seats_min,
        .seats_max = about.seats_max,
        .steps_max = about.steps_max,
        .options_schema = .of(about.options_schema),
        .house_players = try String.list(about.house_players),
        .abilities = try String.list(about.abilities),
    };
}

const Started = extern struct {
    tag: enum(u32) { dealt, refused },
    is: extern union { dealt: LoweredTurn, refused: String },
};

fn start(seats: u32, options: String) !Started {
    const about = Game.about;
    if (seats < about.seats_min or seats > about.seats_max) return error.SeatsNotOffered;
    seat_count = seats;
    var refusal: Writer.Allocating = .init(arena);
    game = deal(seats, options, &refusal.writer) catch |problem| {
        try isRefusal(problem);
        return .{ .tag = .refused, .is = .{ .refused = .of(refusal.written()) } };
    };
    return .{ .tag = .dealt, .is = .{ .dealt = try nextTurn() } };
}

fn deal(seats: u32, json: String, refusal: *Writer) !Game {
    const options = std.json.parseFromSliceLeaky(Game.Options, allocator, json.slice(), .{ .allocate = .alloc_always }) catch |problem|
        return refuse(refusal, "The options are not understood: {s}.", .{@errorName(problem)});
    return Game.start(seats, options, refusal);
}

const Progress = extern struct { rejections: List, turn: LoweredTurn };

fn step(moves: []const Words) !Progress {
    if (moves.len == 0 or moves.len != waiting.len) return error.NotTheMovesAskedFor;
    const rejections = try arena.alloc(Words, moves.len);
    var refused: usize = 0;
    for (moves, waiting) |move, seat| {
        if (move.seat != seat) return error.NotTheMovesAskedFor;
        var reason: Writer.Allocating = .init(arena);
        taken_moves[seat] = game.parse(seat, move.text.slice(), &reason.writer) catch |problem| {
            try isRefusal(problem);
            rejections[refused] = .{ .seat = seat, .text = .of(reason.written()) };
            refused += 1;
            continue;
        };
    }
    for (rejections[0..refused], 0..) |rejection, index| waiting_seats[index] = rejection.seat;
    waiting = waiting_seats[0..refused];
    if (refused == 0) {
        const played = try arena.alloc(Played(Game.Move), asked.len);
        for (played, asked) |*each, seat| each.* = .{ .seat = seat, .move = taken_moves[seat] };
        try game.play(played);
    }
    return .{
        .rejections = .of(Words, rejections[0..refused]),
        .turn = if (refused == 0) try nextTurn() else try requests(Game.askAgain),
    };
}

const LegalMoves = extern struct { tag: enum(u32) { any, listed }, moves: List };

fn legalMoves(seat: u32) !LegalMoves {
    if (!@hasDecl(Game, "legalMoves")) return .{ .tag = .any, .moves = .of(u8, &.{}) };
    var legal: Legal = .{};
    try game.legalMoves(seat, &legal);
    return .{ .tag = .listed, .moves = .of(String, legal.moves.items) };
}

fn houseMove(seat: u32, player: String) !Answer {
    var out: Writer.Allocating = .init(arena);
    game.houseMove(seat, player.slice(), &out.writer) catch |problem| {
        try isRefusal(problem);
        return .{ .tag = .refused, .text = .of(out.written()) };
    };
    return .{ .tag = .taken, .text = .of(out.written()) };
}

fn view(viewer: ?u32) !String {
    var out: Writer.Allocating = .init(arena);
    try game.view(viewer, &out.writer);
    return .of(out.written());
}

/// The functions of the contract as the canonical ABI has them. An error of the game is a fault here.
const exported = struct {
    fn describe_() callconv(.c) *const Manifest {
        enter();
        return leave(Manifest, describe() catch @panic("describe"));
    }
    fn start_(seats: u32, options: [*]const u8, options_bytes: usize) callconv(.c) *const Started {
        enter();
        return leave(Started, start(seats, .of(options[0..options_bytes])) catch @panic("start"));
    }
    fn step_(moves: [*]const Words, moves_count: usize) callconv(.c) *const Progress {
        enter();
        return leave(Progress, step(moves[0..moves_count]) catch @panic("step"));
    }
    fn legalMoves_(seat: u32) callconv(.c) *const LegalMoves {
        enter();
        return leave(LegalMoves, legalMoves(seat) catch @panic("legal-moves"));
    }
    fn houseMove_(seat: u32, player: [*]const u8, player_bytes: usize) callconv(.c) *const Answer {
        enter();
        return leave(Answer, houseMove(seat, .of(player[0..player_bytes])) catch @panic("house-move"));
    }
    fn view_(is_some: u32, seat: u32) callconv(.c) *const String {
        enter();
        return leave(String, view(if (is_some == 0) null else seat) catch @panic("view"));
    }
};

comptime {
    @export(&reallocate, .{ .name = "cabi_realloc" });
    const prefix = "ludus:game/game@0.1.0#";
    @export(&exported.describe_, .{ .name = prefix ++ "describe" });
    @export(&exported.start_, .{ .name = prefix ++ "start" });
    @export(&exported.step_, .{ .name = prefix ++ "step" });
    @export(&exported.legalMoves_, .{ .name = prefix ++ "legal-moves" });
    @export(&exported.houseMove_, .{ .name = prefix ++ "house-move" });
    @export(&exported.view_, .{ .name = prefix ++ "view" });
}
