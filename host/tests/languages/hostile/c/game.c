// Matching pennies, twice, and the misdeed that the option `deed` names: see `hostile.rs`.

#include <ludus.h>
#include <time.h>
#include <unistd.h>

static char deed[32];
static unsigned rounds, matches, played_before, picked[2];

static bool does(const char *name) { return strcmp(deed, name) == 0; }

// An address from nowhere, which the compiler cannot see through.
static char *at(size_t address) {
    volatile size_t hidden = address;
    return (char *)hidden;
}

// Takes a place on the stack that is in memory.
__attribute__((noinline)) static unsigned deep_in_memory(volatile unsigned *above) {
    volatile unsigned here = *above + 1;
    return here == 0 ? 0 : deep_in_memory(&here) + here;
}

// Takes a place on WebAssembly's own stack only.
__attribute__((noinline)) static unsigned deep(unsigned level) {
    return level == ~0u ? 0 : (3 * deep(level + 1)) ^ level;
}

static unsigned checksum_of_memory(void) {
    unsigned sum = 0;
    for (size_t i = 0; i < __builtin_wasm_memory_size(0) << 16; i++) sum = 31 * sum + *(volatile unsigned char *)at(i);
    return sum;
}

static bool start(unsigned seats, const char *options, ludus_text *refusal) {
    strncpy(deed, ludus_string(ludus_member(options, "deed"), ""), sizeof deed - 1);
    if (does("loops")) for (;;) {}
    return true;
}

static void turn(ludus_turn *turn) {
    if (rounds < 2 || does("never-ends")) {
        ludus_ask(turn, 0);
        ludus_ask(turn, does("asks-seat-99") ? 99 : 1);
        return;
    }
    turn->scores[0] = matches / 2.0;
    turn->scores[1] = 1 - turn->scores[0];
    if (does("scores-nan")) turn->scores[0] = 0.0 / (rounds - 2);
    if (does("scores-too-much")) turn->scores[0] = 1.5;
    ludus_over(turn, "%u matches", matches);
}

static void prompt(unsigned seat, ludus_text *prompt) {
    ludus_write(prompt, "Round %u: heads or tails?", rounds);
    if (does("breaks-utf-8")) ludus_write(prompt, "\xc3");
    if (does("talks-10-mb")) ludus_write(prompt, "%10000000s", "");
    if (does("tells-its-memory")) ludus_write(prompt, " %x %x", *(unsigned *)malloc(1 << 20), checksum_of_memory());
    if (does("counts-episodes")) ludus_write(prompt, " %u played before", played_before++);
    if (does("asks-the-library")) {
        long long before = time(NULL);
        srand((unsigned)before + sleep(3600));
        ludus_write(prompt, " %d at %lld, then %lld", rand(), before, (long long)time(NULL));
    }
    if (does("looks-around")) {
        FILE *file = fopen("/etc/passwd", "r"), *own = fopen("moves.txt", "w");
        ludus_write(prompt, " %d %d %d", getenv("HOME") != NULL, file != NULL, own != NULL);
    }
}

static void ask_again(unsigned seat, ludus_text *prompt) { ludus_write(prompt, "Heads or tails?"); }

static bool parse(unsigned seat, const char *text, void *move, ludus_text *reason) {
    *(unsigned *)move = strcmp(ludus_plain(text), "heads") == 0;
    return true;
}

static void misbehave(unsigned amount) {
    if (does("recurses")) picked[0] = deep(amount);
    if (does("recurses-in-memory")) picked[0] = deep_in_memory(&amount);
    if (does("allocates-for-ever")) for (;;) memset(at((size_t)malloc(1 << 20)), 0xff, 1 << 20);
    if (does("writes-where-malloc-failed")) *(unsigned *)malloc(SIZE_MAX - amount) = 1;
    if (does("writes-past-an-array")) picked[amount] = 1;
    if (does("writes-over-everything")) memset(at(1), 0xff, (__builtin_wasm_memory_size(0) << 16) - 1);
    if (does("reads-past-its-memory")) picked[0] = *(volatile char *)at(SIZE_MAX - amount);
    if (does("frees-twice")) {
        void *volatile block = malloc(100);
        free(block);
        free(block);
    }
    if (does("calls-a-number")) ((void (*)(void))at(amount))();
    if (does("prints-for-ever")) for (;;) puts("again");
    if (does("aborts")) abort();
    if (does("exits")) exit(0);
}

static void play(const ludus_move *moves, size_t count) {
    for (size_t i = 0; i < count; i++) picked[moves[i].seat] = *(const unsigned *)moves[i].move;
    matches += picked[0] == picked[1];
    rounds++;
    misbehave(12345);
}

static void legal_moves(unsigned seat, ludus_legal *legal) {
    ludus_list(legal, "heads");
    ludus_list(legal, "tails");
    if (does("lists-too-many")) for (unsigned i = 0; i < 5000; i++) ludus_list(legal, "%u", i);
}

static bool house_move(unsigned seat, const char *player, ludus_text *move) {
    ludus_write(move, ludus_below(2) == 0 ? "tails" : "heads");
    return !does("has-no-player");
}

static void view(int viewer, ludus_text *view) {
    ludus_write(view, "%u of %u", matches, rounds);
    if (does("draws-in-a-view")) ludus_write(view, "%d", rand());
}

// The host calls these when it has read what was returned.
__attribute__((export_name("cabi_post_ludus:game/game@0.1.0#view"))) void after_view(const void *result) {
    if (does("loops-after-a-view")) for (;;) {}
}

__attribute__((export_name("cabi_post_ludus:game/game@0.1.0#step"))) void after_step(const void *result) {
    if (does("draws-after-a-step")) rand();
}

const ludus_rules ludus_game = {
    .name = "hostile",
    .version = "1.0.0",
    .summary = "Matching pennies, or worse.",
    .seats_min = 2,
    .seats_max = 2,
    .steps_max = 20,
    .options_schema = LUDUS_JSON({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "deed": {"default": "none", "description": "What it does.", "enum": [
                "none", "loops", "recurses", "recurses-in-memory", "allocates-for-ever", "writes-where-malloc-failed",
                "writes-past-an-array", "writes-over-everything", "reads-past-its-memory", "frees-twice",
                "calls-a-number", "prints-for-ever", "aborts", "exits", "scores-nan", "scores-too-much", "asks-seat-99",
                "never-ends", "breaks-utf-8", "talks-10-mb", "lists-too-many", "has-no-player", "draws-in-a-view",
                "loops-after-a-view", "draws-after-a-step", "tells-its-memory", "counts-episodes", "asks-the-library",
                "looks-around"
            ]}
        }
    }),
    .house_players = {"random"},
    .abilities = {"mind-reading"},
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
