//! A game for tests of the SDK: all seats bid 0 to 9 at the same time, round after round. See `auction.rs`.

const std = @import("std");
const ludus = @import("ludus");
const Writer = ludus.Writer;

const Auction = @This();

seats: u32,
options: Options,
round: u32 = 0,
sums: [4]u32 = @splat(0),
deck: [10]u32 = .{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 },

pub const about: ludus.About = .{
    .name = "auction",
    .version = "1.0.0",
    .summary = "For tests.",
    .seats_min = 2,
    .seats_max = 4,
    .steps_max = 100,
    .options_schema = "{\"type\": \"object\"}",
    .house_players = &.{ "hungry", "deep", "fair" },
};

pub const Options = struct {
    rounds: u32 = 2,
    padding: u32 = 0,
    word: []const u8 = "none",
    names: []const []const u8 = &.{},
    loud: bool = false,
    inner: struct { depth: i64 = -1, list: []const u32 = &.{} } = .{},
    share: f64 = 0.5,
};

pub const Move = u8;

pub fn start(seats: u32, options: Options, refusal: *Writer) !Auction {
    if (options.rounds == 13) return ludus.refuse(refusal, "`rounds` of 13 bring bad luck.", .{});
    var auction: Auction = .{ .seats = seats, .options = options };
    ludus.shuffle(u32, &auction.deck);
    return auction;
}

pub fn turn(auction: *const Auction) !ludus.Turn {
    if (auction.round < auction.options.rounds) {
        const everybody = [_]u32{ 0, 1, 2, 3 };
        return ludus.ask(everybody[0..auction.seats]);
    }
    const most = 9 * auction.options.rounds;
    var scores: [4]f64 = undefined;
    var counts: [4]ludus.Count = undefined;
    for (&scores, &counts, auction.sums, 0..) |*score, *count, sum, seat| {
        score.* = @as(f64, @floatFromInt(sum)) / @as(f64, @floatFromInt(most));
        count.* = .{ .seat = @intCast(seat), .name = "sum", .times = sum, .chances = most };
    }
    return ludus.over(scores[0..auction.seats], counts[0..auction.seats], "{d} rounds", .{auction.options.rounds});
}

pub fn prompt(auction: *Auction, seat: u32, out: *Writer) !void {
    try out.print("Seat {d}, round {d}.", .{ seat, auction.round });
    try out.splatByteAll('x', auction.options.padding);
}

pub fn askAgain(_: *const Auction, seat: u32, out: *Writer) !void {
    try out.print("Seat {d}, again.", .{seat});
}

pub fn parse(_: *const Auction, _: u32, text: []const u8, reason: *Writer) !Move {
    const bid = ludus.digits(try ludus.plain(text)) orelse 10;
    if (bid > 9) return ludus.refuse(reason, "{d} bytes are no bid.", .{text.len});
    return @intCast(bid);
}

pub fn play(auction: *Auction, moves: []const ludus.Played(Move)) !void {
    for (moves) |played| auction.sums[played.seat] += played.move;
    auction.round += 1;
}

fn recurse(depth: u32) u32 {
    var frame: [256]u8 = @splat(0);
    const place: *volatile u8 = &frame[depth % 256];
    place.* = @truncate(depth);
    return recurse(depth +% 1) +% place.*;
}

pub fn houseMove(auction: *const Auction, _: u32, player: []const u8, out: *Writer) !void {
    if (std.mem.eql(u8, player, "hungry")) {
        for (0..1 << 20) |_| @as(*volatile u8, &(try ludus.arena.alloc(u8, 64 << 10))[0]).* = 1;
    }
    if (std.mem.eql(u8, player, "deep")) return out.print("{d}", .{recurse(1)});
    if (std.mem.eql(u8, player, "fair")) {
        const fair: [2]u8 = .{ @intFromBool(ludus.chance(1, 3)), @intFromBool(ludus.probability(0.25)) };
        return out.print("{d} {d} {d}", .{ fair[0], fair[1], ludus.choose(u32, &auction.deck) });
    }
    return ludus.refuse(out, "no", .{});
}

pub fn view(auction: *const Auction, viewer: ?u32, out: *Writer) !void {
    const options = auction.options;
    try out.print("{d}|{s}|", .{ if (viewer) |seat| @as(i64, seat) else -1, options.word });
    for (options.names) |name| try out.print("{s},", .{name});
    try out.print("|{}|{d}|{d}|", .{ options.loud, options.inner.depth, @as(i64, @trunc(100 * options.share)) });
    for (auction.deck) |card| try out.print("{d}", .{card});
    for (auction.sums[0..auction.seats]) |sum| try out.print(" {d}", .{sum});
}
