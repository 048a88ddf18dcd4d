// Race to a total: two players add 1, 2 or 3 in turn, and whoever reaches the target wins.

#include <ludus.h>

static unsigned target, total, mover;
// Which seats have read the rules.
static bool introduced[2];

static bool start(unsigned seats, const char *options, ludus_text *refusal) {
    target = (unsigned)ludus_integer(ludus_member(options, "target"), 21);
    mover = ludus_below(2);
    return true;
}

static void turn(ludus_turn *turn) {
    if (total < target) {
        ludus_ask(turn, mover);
        return;
    }
    unsigned winner = 1 - mover;
    turn->scores[winner] = 1;
    ludus_over(turn, "seat %u reaches %u", winner, target);
}

static void ask_again(unsigned seat, ludus_text *prompt) {
    ludus_write(prompt, "Total: %u. Add 1, 2 or 3.", total);
}

static void prompt(unsigned seat, ludus_text *prompt) {
    if (!introduced[seat]) {
        introduced[seat] = true;
        ludus_write(prompt, "Two players take turns adding 1, 2 or 3 to a total that begins at 0. Whoever reaches %u wins.\n",
                    target);
    }
    ask_again(seat, prompt);
}

static bool parse(unsigned seat, const char *text, void *move, ludus_text *reason) {
    unsigned *added = move;
    const char *trimmed = ludus_trim(text);
    if (strlen(trimmed) != 1 || !ludus_digits(trimmed, added) || *added < 1 || *added > 3) {
        ludus_write(reason, "A move is 1, 2 or 3.");
        return false;
    }
    if (total + *added > target) {
        ludus_write(reason, "%u would pass %u.", *added, target);
        return false;
    }
    return true;
}

static void play(const ludus_move *moves, size_t count) {
    for (size_t i = 0; i < count; i++) {
        total += *(const unsigned *)moves[i].move;
        mover = 1 - moves[i].seat;
    }
}

// The largest number that does not pass the target; 1 to it are the legal moves.
static unsigned largest(void) { return target - total < 3 ? target - total : 3; }

static void legal_moves(unsigned seat, ludus_legal *legal) {
    for (unsigned added = 1; added <= largest(); added++) ludus_list(legal, "%u", added);
}

static bool house_move(unsigned seat, const char *player, ludus_text *move) {
    bool optimal = strcmp(player, "optimal") == 0;
    if (!optimal && strcmp(player, "random") != 0) {
        ludus_write(move, "There is no house player %s.", player);
        return false;
    }
    // Whoever leaves a multiple of four wins; from one, no move is better than another.
    unsigned added = (target - total) % 4;
    if (!optimal || added == 0) added = 1 + ludus_below(largest());
    ludus_write(move, "%u", added);
    return true;
}

static void view(int viewer, ludus_text *view) {
    ludus_write(view, "Total: %u of %u.", total, target);
}

const ludus_rules ludus_game = {
    .name = "{{name}}",
    .version = "1.0.0",
    .summary = "Race to a total: add 1, 2 or 3 in turn, and whoever reaches it wins.",
    .seats_min = 2,
    .seats_max = 2,
    // Each move adds at least 1 to a total of at most 100.
    .steps_max = 100,
    .options_schema = LUDUS_JSON({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "target": {"type": "integer", "minimum": 4, "maximum": 100, "default": 21, "description": "The total to reach."}
        }
    }),
    .house_players = {"random", "optimal"},
    .abilities = {"planning", "arithmetic"},
    .move_bytes = sizeof(unsigned),
    .start = start,
    .turn = turn,
    .prompt = prompt,
    .ask_again = ask_again,
    .parse = parse,
    .play = play,
    .legal_moves = legal_moves,
    .house_move = house_move,
    .view = view,
};
