// A game for tests of the SDK: all seats bid 0 to 9 at the same time, round after round. See `auction.rs`.

#include <ludus.h>

static unsigned table_seats, rounds, round_now, sums[4], deck[10], padding;
static char echo[4096];

static bool start(unsigned seats, const char *options, ludus_text *refusal) {
    table_seats = seats;
    rounds = (unsigned)ludus_integer(ludus_member(options, "rounds"), 2);
    padding = (unsigned)ludus_integer(ludus_member(options, "padding"), 0);
    const char *names = ludus_member(options, "names");
    ludus_text text = {0};
    ludus_write(&text, "%s|", ludus_string(ludus_member(options, "word"), "none"));
    for (size_t i = 0; ludus_item(names, i) != NULL; i++) ludus_write(&text, "%s,", ludus_string(ludus_item(names, i), ""));
    const char *inner = ludus_member(options, "inner");
    ludus_write(&text, "|%s|%lld|%d", ludus_boolean(ludus_member(options, "loud"), false) ? "true" : "false",
                ludus_integer(ludus_member(inner, "depth"), -1), (int)(100 * ludus_number(ludus_member(options, "share"), 0.5)));
    strncpy(echo, text.data, sizeof echo - 1);
    for (unsigned i = 0; i < 10; i++) deck[i] = i;
    ludus_shuffle(deck, 10, sizeof deck[0]);
    if (rounds == 13) {
        ludus_write(refusal, "`rounds` of 13 bring bad luck.");
        return false;
    }
    return true;
}

static void turn(ludus_turn *turn) {
    for (unsigned seat = 0; seat < table_seats; seat++) {
        if (round_now < rounds) ludus_ask(turn, seat);
        turn->scores[seat] = sums[seat] / (9.0 * rounds);
        ludus_count_chances(turn, seat, "sum", sums[seat], 9 * rounds);
    }
    if (round_now == rounds) ludus_over(turn, "%u rounds", rounds);
}

static void prompt(unsigned seat, ludus_text *prompt) {
    ludus_write(prompt, "Seat %u, round %u.", seat, round_now);
    for (unsigned i = 0; i < padding; i++) ludus_write(prompt, "x");
}

static void ask_again(unsigned seat, ludus_text *prompt) { ludus_write(prompt, "Seat %u, again.", seat); }

static bool parse(unsigned seat, const char *text, void *move, ludus_text *reason) {
    unsigned bid;
    if (!ludus_digits(ludus_plain(text), &bid) || bid > 9) {
        ludus_write(reason, "%zu bytes are no bid.", strlen(text));
        return false;
    }
    *(unsigned char *)move = (unsigned char)bid;
    return true;
}

static void play(const ludus_move *moves, size_t count) {
    for (size_t i = 0; i < count; i++) sums[moves[i].seat] += *(const unsigned char *)moves[i].move;
    round_now++;
}

static unsigned recurse(unsigned depth) {
    volatile char frame[256];
    frame[depth % 256] = (char)depth;
    // Ends only after 2 to the 32 calls.
    return depth == 0 ? 0 : recurse(depth + 1) + (unsigned char)frame[depth % 256];
}

static bool house_move(unsigned seat, const char *player, ludus_text *move) {
    if (strcmp(player, "hungry") == 0)
        for (size_t taken = 0; taken < 1 << 20; taken++) *(volatile char *)ludus_allocate(64 << 10) = 1;
    if (strcmp(player, "deep") == 0) ludus_write(move, "%u", recurse(1));
    if (strcmp(player, "fair") == 0) {
        ludus_write(move, "%d %d %u", ludus_chance(1, 3), ludus_probability(0.25), ludus_choose(deck, 10));
        return true;
    }
    ludus_write(move, "no");
    return false;
}

static void view(int viewer, ludus_text *view) {
    ludus_write(view, "%d|%s|", viewer, echo);
    for (unsigned i = 0; i < 10; i++) ludus_write(view, "%u", deck[i]);
    for (unsigned seat = 0; seat < table_seats; seat++) ludus_write(view, " %u", sums[seat]);
}

const ludus_rules ludus_game = {
    .name = "auction",
    .version = "1.0.0",
    .summary = "For tests.",
    .seats_min = 2,
    .seats_max = 4,
    .steps_max = 100,
    .options_schema = LUDUS_JSON({"type": "object"}),
    .house_players = {"hungry", "deep", "fair"},
    .move_bytes = 1,
    .start = start,
    .turn = turn,
    .prompt = prompt,
    .ask_again = ask_again,
    .parse = parse,
    .play = play,
    .house_move = house_move,
    .view = view,
};
