// Ludus for C: all that a game needs, in one header.
//
// A game is rules and words, nothing else: it has no clock, no files and no randomness but `ludus_below`. An author
// includes this header and defines `ludus_game`, which holds what the game says of itself and the functions of its rules:
//
//     const ludus_rules ludus_game = {.name = "race", …, .start = start, .turn = turn, …};
//
// The rest happens here: options are read, moves of seats that move at the same time are held until all are there, a seat
// whose move was refused is asked again, and the host is answered.
//
// - One instance plays one episode, so a game keeps its state in static variables. They begin as zero.
// - What a function has to say it writes to a `ludus_text`, as with printf. Texts are UTF-8.
// - What `ludus_write` and `ludus_allocate` take lives until the present call returns, and need not be freed. What must
//   live longer belongs into static variables, or comes from `malloc`. Where memory runs out, the game stops with a fault.
// - printf goes to what people are shown when the game stops with a fault; it makes the component larger.
//
// This file is compiled with every game. The second half is how it works, and no part of what a game sees.

#ifndef LUDUS_H
#define LUDUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The most seats at a table.
#define LUDUS_SEATS_MAX 64
// The most house players, and also abilities, of a game.
#define LUDUS_NAMES_MAX 64

// Writes JSON as C source, without quotes to escape: LUDUS_JSON({"type": "object"}).
#define LUDUS_JSON(...) #__VA_ARGS__

// A text that grows. `data` ends with a zero byte once something was written.
typedef struct {
    char *data;
    size_t size, capacity;
} ludus_text;

// Writes more to a text, as printf does.
void ludus_write(ludus_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Memory that lives until the present call returns. Never NULL.
void *ludus_allocate(size_t bytes);

// The legal moves of a seat.
typedef struct {
    ludus_text *moves;
    size_t count, capacity;
} ludus_legal;

// Lists one more legal move.
void ludus_list(ludus_legal *legal, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A move that `parse` took. `move` is what it wrote.
typedef struct {
    unsigned seat;
    const void *move;
} ludus_move;

// How often a seat did a thing out of the chances that it had.
typedef struct {
    unsigned seat;
    const char *name;
    unsigned times, chances;
} ludus_count;

// Who moves now, or how it ended. A fresh one asks nobody, and every score is 0.
typedef struct {
    unsigned asked[LUDUS_SEATS_MAX], asked_count;
    bool over;
    // One a seat, 0 for the worst result and 1 for the best. Read only once the game is over.
    double scores[LUDUS_SEATS_MAX];
    ludus_count *counts;
    size_t count_count, count_capacity;
    ludus_text summary;
} ludus_turn;

// Asks a seat to move. Seats that move at the same time are asked in rising order.
void ludus_ask(ludus_turn *turn, unsigned seat);
// Ends the game, with one line for people. The scores are set beside it.
void ludus_over(ludus_turn *turn, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Counts for a seat; `name` is in kebab-case and lives on, as a literal does. The same names in every episode.
void ludus_count_chances(ludus_turn *turn, unsigned seat, const char *name, unsigned times, unsigned chances);

// A game. Functions that return a bool write what they have to say to the text, and return true where all is well.
typedef struct {
    const char *name;     // kebab-case, as people type it
    const char *version;  // of the rules, semantic
    const char *summary;  // one line for people
    unsigned seats_min, seats_max;
    // No episode takes more calls; those that refuse a move are not counted.
    unsigned steps_max;
    // JSON Schema of the options, of which each has a default. The host checks options before `start` reads them.
    const char *options_schema;
    // Players that the game itself supplies, and the abilities that it trains. An argument is not listed: `search` here is
    // `search` or `search:3` in `house_move`.
    const char *house_players[LUDUS_NAMES_MAX], *abilities[LUDUS_NAMES_MAX];
    // sizeof what `parse` writes.
    size_t move_bytes;

    // Deals. `options` is a JSON object, see `ludus_member`. Refuses with a sentence that names the option that will not do.
    bool (*start)(unsigned seats, const char *options, ludus_text *refusal);
    // Says who moves now, or how it ended. Called after `start` and after each `play`; changes nothing.
    void (*turn)(ludus_turn *turn);
    // All that this seat newly gets to know: the rules in its first request, then what happened, the position, and what is
    // asked. Called once for each decision of a seat.
    void (*prompt)(unsigned seat, ludus_text *prompt);
    // What a seat reads after its move was refused; the host shows the reason before it.
    void (*ask_again)(unsigned seat, ludus_text *prompt);
    // Reads a move into `move`, of `move_bytes` bytes. Refuses with a sentence for the player. Changes nothing else.
    bool (*parse)(unsigned seat, const char *text, void *move, ludus_text *reason);
    // Plays one legal move of each seat that was asked, in seat order.
    void (*play)(const ludus_move *moves, size_t count);
    // Lists every legal move of a seat that is asked now. NULL where any text may be a move.
    void (*legal_moves)(unsigned seat, ludus_legal *legal);
    // Writes the move that a house player would make now, or refuses a player that is not listed or has a bad argument.
    bool (*house_move)(unsigned seat, const char *player, ludus_text *move);
    // The position for people: as a seat sees it, or with viewer -1 as an onlooker who sees all. Changes nothing.
    void (*view)(int viewer, ludus_text *view);
} ludus_rules;

// The game; its author defines it.
extern const ludus_rules ludus_game;

// Draws come from the episode's seed. None may be made in `legal_moves` and `view`. (rand() draws from here too.)
// A uniform draw from 0 to bound - 1. The bound is at least 1.
unsigned ludus_below(unsigned bound);
// True with this probability.
bool ludus_probability(double probability);
// True with probability numerator / denominator.
bool ludus_chance(unsigned numerator, unsigned denominator);
// Brings `count` items of `bytes` bytes each in a uniformly random order.
void ludus_shuffle(void *items, size_t count, size_t bytes);
// One of the items of an array, each with the same probability.
#define ludus_choose(items, count) ((items)[ludus_below(count)])

// Texts of players. Copies without white space around it; plain also without a final full stop, and in lower case.
char *ludus_trim(const char *text);
char *ludus_plain(const char *text);
// Reads a text of decimal digits and nothing else. False where it is none, or too large.
bool ludus_digits(const char *text, unsigned *number);

// Options. A value is a pointer into the JSON text, or NULL where there is none; then the default is returned. A value of
// another type makes the host refuse the options, with a sentence that names the one that was looked for last.
// The member of an object, or NULL.
const char *ludus_member(const char *object, const char *name);
// The item of an array, counted from 0, or NULL.
const char *ludus_item(const char *array, size_t index);
long long ludus_integer(const char *value, long long otherwise);
double ludus_number(const char *value, double otherwise);
bool ludus_boolean(const char *value, bool otherwise);
const char *ludus_string(const char *value, const char *otherwise);

#endif

#ifdef LUDUS_IMPLEMENTATION

#include <stdarg.h>

// The host's import.
__attribute__((import_module("ludus:game/random@0.1.0"), import_name("below"))) uint32_t ludus_host_below(uint32_t bound);

#define LUDUS_EXPORT(name) __attribute__((export_name("ludus:game/game@0.1.0#" name)))

// The way out where this file, the game or the host breaks the contract: a fault, never a wrong answer.
#define LUDUS_REQUIRE(condition) ((condition) ? (void)0 : __builtin_trap())

// ---- Memory: taken piece by piece, given back all at once

#define LUDUS_BLOCK_BYTES (8 << 10)

typedef struct ludus_block {
    struct ludus_block *next;
    max_align_t bytes[];
} ludus_block;

static struct {
    // Blocks beyond the first, which is static.
    ludus_block *blocks;
    char *free;
    size_t left;
    // The last call has returned: its memory is taken back when the next one begins.
    bool stale;
} ludus_memory = {.stale = true};

static max_align_t ludus_first_block[LUDUS_BLOCK_BYTES / sizeof(max_align_t)];

// A call begins: with the host's first argument that needs memory, or with the function itself.
static void ludus_enter(void) {
    if (!ludus_memory.stale) return;
    while (ludus_memory.blocks != NULL) {
        ludus_block *block = ludus_memory.blocks;
        ludus_memory.blocks = block->next;
        free(block);
    }
    ludus_memory.free = (char *)ludus_first_block;
    ludus_memory.left = sizeof ludus_first_block;
    ludus_memory.stale = false;
}

// A call returns: what it took is still to be read by the host.
#define LUDUS_LEAVE(result) (ludus_memory.stale = true, (result))

void *ludus_allocate(size_t bytes) {
    size_t align = _Alignof(max_align_t);
    LUDUS_REQUIRE(bytes < SIZE_MAX / 2);
    bytes = (bytes + align - 1) & ~(align - 1);
    if (bytes > ludus_memory.left) {
        size_t fresh = bytes > LUDUS_BLOCK_BYTES ? bytes : LUDUS_BLOCK_BYTES;
        ludus_block *block = malloc(sizeof *block + fresh);
        LUDUS_REQUIRE(block != NULL);
        block->next = ludus_memory.blocks;
        ludus_memory.blocks = block;
        ludus_memory.free = (char *)block->bytes;
        ludus_memory.left = fresh;
    }
    void *taken = ludus_memory.free;
    ludus_memory.free += bytes;
    ludus_memory.left -= bytes;
    return taken;
}

// Where the host puts arguments.
__attribute__((export_name("cabi_realloc"))) void *ludus_reallocate(void *old, size_t old_bytes, size_t align, size_t bytes) {
    LUDUS_REQUIRE(align <= _Alignof(max_align_t));
    ludus_enter();
    void *taken = ludus_allocate(bytes);
    if (old_bytes > 0) memcpy(taken, old, old_bytes < bytes ? old_bytes : bytes);
    return taken;
}

// Room for one more item after `count`, each of so many bytes.
static void *ludus_grow(void *items, size_t count, size_t *capacity, size_t bytes) {
    if (count < *capacity) return items;
    *capacity = 2 * *capacity + 16;
    void *larger = ludus_allocate(*capacity * bytes);
    if (count > 0) memcpy(larger, items, count * bytes);
    return larger;
}

// ---- Texts

static void ludus_write_arguments(ludus_text *text, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    size_t room = text->capacity - text->size;
    int written = vsnprintf(room > 0 ? text->data + text->size : NULL, room, format, arguments);
    LUDUS_REQUIRE(written >= 0);
    if ((size_t)written >= room) {
        size_t capacity = 2 * text->capacity + (size_t)written + 64;
        char *data = ludus_allocate(capacity);
        if (text->size > 0) memcpy(data, text->data, text->size);
        text->data = data;
        text->capacity = capacity;
        vsnprintf(data + text->size, capacity - text->size, format, again);
    }
    text->size += (size_t)written;
    va_end(again);
}

#define LUDUS_WRITE(text, format)                      \
    do {                                               \
        va_list arguments;                             \
        va_start(arguments, format);                   \
        ludus_write_arguments(text, format, arguments); \
        va_end(arguments);                             \
    } while (0)

void ludus_write(ludus_text *text, const char *format, ...) { LUDUS_WRITE(text, format); }

void ludus_list(ludus_legal *legal, const char *format, ...) {
    legal->moves = ludus_grow(legal->moves, legal->count, &legal->capacity, sizeof *legal->moves);
    ludus_text *move = &legal->moves[legal->count++];
    *move = (ludus_text){0};
    LUDUS_WRITE(move, format);
}

static char *ludus_copy(const char *data, size_t size) {
    char *copy = ludus_allocate(size + 1);
    if (size > 0) memcpy(copy, data, size);
    copy[size] = 0;
    return copy;
}

static bool ludus_is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

char *ludus_trim(const char *text) {
    while (ludus_is_space(*text)) text++;
    size_t size = strlen(text);
    while (size > 0 && ludus_is_space(text[size - 1])) size--;
    return ludus_copy(text, size);
}

char *ludus_plain(const char *text) {
    char *plain = ludus_trim(text);
    size_t size = strlen(plain);
    if (size > 0 && plain[size - 1] == '.') plain[size - 1] = 0;
    plain = ludus_trim(plain);
    for (char *c = plain; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c += 'a' - 'A';
    return plain;
}

bool ludus_digits(const char *text, unsigned *number) {
    uint64_t value = 0;
    if (*text == 0) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        value = 10 * value + (uint64_t)(*text - '0');
        if (value > UINT32_MAX) return false;
    }
    *number = (unsigned)value;
    return true;
}

// ---- Draws

unsigned ludus_below(unsigned bound) { return ludus_host_below(bound); }

bool ludus_probability(double probability) { return ludus_below(1u << 31) < probability * (1u << 31); }

bool ludus_chance(unsigned numerator, unsigned denominator) { return ludus_below(denominator) < numerator; }

// Fisher and Yates.
void ludus_shuffle(void *items, size_t count, size_t bytes) {
    char *item = items;
    char *held = ludus_allocate(bytes);
    for (size_t last = count; last-- > 1;) {
        size_t other = ludus_below((unsigned)last + 1);
        memcpy(held, item + last * bytes, bytes);
        memcpy(item + last * bytes, item + other * bytes, bytes);
        memcpy(item + other * bytes, held, bytes);
    }
}

// The C library's own generator would deal the same game in every episode.
int rand(void) { return (int)ludus_below(1u << 31); }
void srand(unsigned seed) { (void)seed; }

// ---- Options: JSON that the host wrote, so it is well-formed; a reader that loses its way traps

static struct {
    // The member that was looked for last, and the first value that was not of the type that was asked.
    const char *member;
    ludus_text refusal;
} ludus_options;

static const char *ludus_skip_space(const char *json) {
    while (ludus_is_space(*json)) json++;
    return json;
}

// What comes after a value, white space skipped too.
static const char *ludus_skip_value(const char *json) {
    unsigned depth = 0;
    do {
        LUDUS_REQUIRE(*json != 0);
        if (*json == '"') {
            for (json++; *json != '"'; json++) {
                if (*json == '\\') json++;
                LUDUS_REQUIRE(*json != 0);
            }
            json++;
        } else if (*json == '{' || *json == '[') {
            depth++, json++;
        } else if (*json == '}' || *json == ']') {
            LUDUS_REQUIRE(depth > 0);
            depth--, json++;
        } else if (*json == ',' || *json == ':' || ludus_is_space(*json)) {
            json++;
        } else {
            while (*json && !strchr(",:{}[]\" \t\r\n", *json)) json++;
        }
    } while (depth > 0);
    return ludus_skip_space(json);
}

const char *ludus_member(const char *object, const char *name) {
    ludus_options.member = name;
    if (object == NULL || *object != '{') return NULL;
    const char *json = ludus_skip_space(object + 1);
    while (*json != '}') {
        const char *key = json;
        json = ludus_skip_value(json);
        LUDUS_REQUIRE(*key == '"' && *json == ':');
        json = ludus_skip_space(json + 1);
        if (strcmp(ludus_string(key, ""), name) == 0) return json;
        json = ludus_skip_value(json);
        if (*json == ',') json = ludus_skip_space(json + 1);
    }
    return NULL;
}

const char *ludus_item(const char *array, size_t index) {
    if (array == NULL || *array != '[') return NULL;
    const char *json = ludus_skip_space(array + 1);
    for (; *json != ']'; index--) {
        if (index == 0) return json;
        json = ludus_skip_value(json);
        if (*json == ',') json = ludus_skip_space(json + 1);
    }
    return NULL;
}

static void ludus_refuse_option(const char *value, const char *wanted) {
    if (ludus_options.refusal.size > 0) return;
    int bytes = (int)(ludus_skip_value(value) - value);
    const char *member = ludus_options.member != NULL ? ludus_options.member : "options";
    ludus_write(&ludus_options.refusal, "`%s` must be %s, not %.*s.", member, wanted, bytes, value);
}

long long ludus_integer(const char *value, long long otherwise) {
    if (value == NULL) return otherwise;
    bool negative = *value == '-';
    const char *digit = value + negative;
    uint64_t size = 0;
    // 18 digits fit into any 64 bits.
    for (; *digit >= '0' && *digit <= '9' && digit - value < 18; digit++) size = 10 * size + (uint64_t)(*digit - '0');
    if (digit == value + negative || (*digit && !strchr(",}] \t\r\n", *digit))) {
        ludus_refuse_option(value, "a whole number");
        return otherwise;
    }
    return negative ? -(long long)size : (long long)size;
}

double ludus_number(const char *value, double otherwise) {
    if (value == NULL) return otherwise;
    if (*value == '-' || (*value >= '0' && *value <= '9')) return strtod(value, NULL);
    ludus_refuse_option(value, "a number");
    return otherwise;
}

bool ludus_boolean(const char *value, bool otherwise) {
    if (value == NULL) return otherwise;
    if (*value == 't') return true;
    if (*value == 'f') return false;
    ludus_refuse_option(value, "true or false");
    return otherwise;
}

static unsigned ludus_hexadecimal(const char *digits) {
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 32) - 'a' + 10);
        LUDUS_REQUIRE(digit < 16);
        value = 16 * value + digit;
    }
    return value;
}

const char *ludus_string(const char *value, const char *otherwise) {
    if (value == NULL) return otherwise;
    if (*value != '"') {
        ludus_refuse_option(value, "a text");
        return otherwise;
    }
    // An escape is never shorter than the bytes that it stands for.
    char *text = ludus_allocate((size_t)(ludus_skip_value(value) - value));
    char *end = text;
    for (const char *json = value + 1; *json != '"'; json++) {
        if (*json != '\\') {
            *end++ = *json;
            continue;
        }
        static const char escapes[] = "b\bf\fn\nr\rt\t";
        const char *escape = strchr(escapes, *++json);
        if (*json != 'u') {
            *end++ = escape != NULL ? escape[1] : *json;
            continue;
        }
        uint32_t code = ludus_hexadecimal(json + 1);
        json += 4;
        if (code >= 0xd800 && code < 0xdc00 && json[1] == '\\' && json[2] == 'u') {
            code = 0x10000 + ((code - 0xd800) << 10) + (ludus_hexadecimal(json + 3) - 0xdc00);
            json += 6;
        }
        if (code == 0) code = '?';
        int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
        *end++ = (char)(lead[more] | (code >> (6 * more)));
        while (more-- > 0) *end++ = (char)(0x80 | ((code >> (6 * more)) & 0x3f));
    }
    *end = 0;
    return text;
}

// ---- The table: what the canonical ABI lays down in memory is what these structs are on wasm32

typedef struct {
    const char *data;
    size_t size;
} ludus_abi_string;

typedef struct {
    const void *items;
    size_t count;
} ludus_abi_list;

// A move, a request and a rejection alike.
typedef struct {
    uint32_t seat;
    ludus_abi_string text;
} ludus_abi_words;

typedef struct {
    uint32_t seat;
    ludus_abi_string name;
    uint32_t times, chances;
} ludus_abi_count;

typedef struct {
    enum { LUDUS_DECIDE, LUDUS_OVER } tag;
    // Of requests, or of scores.
    ludus_abi_list list;
    ludus_abi_list counts;
    ludus_abi_string summary;
} ludus_abi_turn;

static struct {
    unsigned seats;
    // The seats of this turn, and those of them whose move is not there yet.
    unsigned asked[LUDUS_SEATS_MAX], asked_count;
    unsigned waiting[LUDUS_SEATS_MAX], waiting_count;
    // The moves that are there, at their seat's place.
    char *taken;
} ludus_table;

static ludus_abi_string ludus_lower(ludus_text text) { return (ludus_abi_string){text.data, text.size}; }

static ludus_abi_string ludus_lower_name(const char *name) { return (ludus_abi_string){name, strlen(name)}; }

static ludus_abi_list ludus_lower_names(const char *const *names) {
    ludus_abi_string *list = ludus_allocate(LUDUS_NAMES_MAX * sizeof *list);
    size_t count = 0;
    for (; count < LUDUS_NAMES_MAX && names[count] != NULL; count++) list[count] = ludus_lower_name(names[count]);
    return (ludus_abi_list){list, count};
}

// The host's text as C has them. A zero byte within, which would end it too early, becomes a question mark.
static const char *ludus_lift(const char *data, size_t size) {
    char *text = ludus_copy(data, size);
    for (size_t i = 0; i < size; i++)
        if (text[i] == 0) text[i] = '?';
    return text;
}

// Asks the seats that are waited for.
static ludus_abi_turn ludus_requests(void (*prompt)(unsigned seat, ludus_text *prompt)) {
    ludus_abi_words *requests = ludus_allocate(ludus_table.waiting_count * sizeof *requests);
    for (unsigned i = 0; i < ludus_table.waiting_count; i++) {
        ludus_text text = {0};
        prompt(ludus_table.waiting[i], &text);
        requests[i] = (ludus_abi_words){ludus_table.waiting[i], ludus_lower(text)};
    }
    return (ludus_abi_turn){.tag = LUDUS_DECIDE, .list = {requests, ludus_table.waiting_count}};
}

static ludus_abi_turn ludus_next_turn(void) {
    // Its scores are still to be read by the host, so it does not lie on the stack.
    ludus_turn *turn = ludus_allocate(sizeof *turn);
    memset(turn, 0, sizeof *turn);
    ludus_game.turn(turn);
    if (!turn->over) {
        LUDUS_REQUIRE(turn->asked_count > 0);
        ludus_table.asked_count = ludus_table.waiting_count = turn->asked_count;
        memcpy(ludus_table.asked, turn->asked, sizeof turn->asked);
        memcpy(ludus_table.waiting, turn->asked, sizeof turn->asked);
        return ludus_requests(ludus_game.prompt);
    }
    ludus_table.asked_count = ludus_table.waiting_count = 0;
    ludus_abi_count *counts = ludus_allocate(turn->count_count * sizeof *counts);
    for (size_t i = 0; i < turn->count_count; i++) {
        ludus_count *count = &turn->counts[i];
        counts[i] = (ludus_abi_count){count->seat, ludus_lower_name(count->name), count->times, count->chances};
    }
    return (ludus_abi_turn){
        .tag = LUDUS_OVER,
        .list = {turn->scores, ludus_table.seats},
        .counts = {counts, turn->count_count},
        .summary = ludus_lower(turn->summary),
    };
}

void ludus_ask(ludus_turn *turn, unsigned seat) {
    unsigned count = turn->asked_count;
    LUDUS_REQUIRE(seat < ludus_table.seats && (count == 0 || turn->asked[count - 1] < seat));
    turn->asked[turn->asked_count++] = seat;
}

void ludus_over(ludus_turn *turn, const char *format, ...) {
    turn->over = true;
    LUDUS_WRITE(&turn->summary, format);
}

void ludus_count_chances(ludus_turn *turn, unsigned seat, const char *name, unsigned times, unsigned chances) {
    turn->counts = ludus_grow(turn->counts, turn->count_count, &turn->count_capacity, sizeof *turn->counts);
    turn->counts[turn->count_count++] = (ludus_count){seat, name, times, chances};
}

// ---- What the host calls

LUDUS_EXPORT("describe") const void *ludus_describe(void) {
    static struct {
        ludus_abi_string name, version, summary;
        uint32_t seats_min, seats_max, steps_max;
        ludus_abi_string options_schema;
        ludus_abi_list house_players, abilities;
    } manifest;
    ludus_enter();
    manifest.name = ludus_lower_name(ludus_game.name);
    manifest.version = ludus_lower_name(ludus_game.version);
    manifest.summary = ludus_lower_name(ludus_game.summary);
    manifest.seats_min = ludus_game.seats_min;
    manifest.seats_max = ludus_game.seats_max;
    manifest.steps_max = ludus_game.steps_max;
    manifest.options_schema = ludus_lower_name(ludus_game.options_schema);
    manifest.house_players = ludus_lower_names(ludus_game.house_players);
    manifest.abilities = ludus_lower_names(ludus_game.abilities);
    return LUDUS_LEAVE(&manifest);
}

LUDUS_EXPORT("start") const void *ludus_start(uint32_t seats, const char *options, size_t options_bytes) {
    static struct {
        uint32_t is_refusal;
        union {
            ludus_abi_turn turn;
            ludus_abi_string refusal;
        };
    } result;
    ludus_enter();
    LUDUS_REQUIRE(seats >= ludus_game.seats_min && seats <= ludus_game.seats_max && seats <= LUDUS_SEATS_MAX);
    ludus_table.seats = seats;
    ludus_table.taken = calloc(seats, ludus_game.move_bytes);
    LUDUS_REQUIRE(ludus_table.taken != NULL);
    ludus_text refusal = {0};
    result.is_refusal = !ludus_game.start(seats, ludus_skip_space(ludus_lift(options, options_bytes)), &refusal);
    if (ludus_options.refusal.size > 0) {
        result.is_refusal = true;
        refusal = ludus_options.refusal;
    }
    if (result.is_refusal) {
        result.refusal = ludus_lower(refusal);
    } else {
        result.turn = ludus_next_turn();
    }
    return LUDUS_LEAVE(&result);
}

LUDUS_EXPORT("step") const void *ludus_step(const ludus_abi_words *moves, size_t count) {
    static struct {
        ludus_abi_list rejections;
        ludus_abi_turn turn;
    } progress;
    ludus_enter();
    LUDUS_REQUIRE(count > 0 && count == ludus_table.waiting_count);
    ludus_abi_words *rejections = ludus_allocate(count * sizeof *rejections);
    size_t refused = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned seat = moves[i].seat;
        LUDUS_REQUIRE(seat == ludus_table.waiting[i]);
        ludus_text reason = {0};
        void *taken = ludus_table.taken + seat * ludus_game.move_bytes;
        if (!ludus_game.parse(seat, ludus_lift(moves[i].text.data, moves[i].text.size), taken, &reason))
            rejections[refused++] = (ludus_abi_words){seat, ludus_lower(reason)};
    }
    progress.rejections = (ludus_abi_list){rejections, refused};
    if (refused > 0) {
        for (size_t i = 0; i < refused; i++) ludus_table.waiting[i] = rejections[i].seat;
        ludus_table.waiting_count = refused;
        progress.turn = ludus_requests(ludus_game.ask_again);
    } else {
        ludus_move *played = ludus_allocate(ludus_table.asked_count * sizeof *played);
        for (unsigned i = 0; i < ludus_table.asked_count; i++) {
            unsigned seat = ludus_table.asked[i];
            played[i] = (ludus_move){seat, ludus_table.taken + seat * ludus_game.move_bytes};
        }
        ludus_game.play(played, ludus_table.asked_count);
        progress.turn = ludus_next_turn();
    }
    return LUDUS_LEAVE(&progress);
}

LUDUS_EXPORT("legal-moves") const void *ludus_legal_moves(uint32_t seat) {
    static struct {
        uint32_t is_some;
        ludus_abi_list moves;
    } result;
    ludus_enter();
    result.is_some = ludus_game.legal_moves != NULL;
    if (result.is_some) {
        ludus_legal legal = {0};
        ludus_game.legal_moves(seat, &legal);
        ludus_abi_string *moves = ludus_allocate(legal.count * sizeof *moves);
        for (size_t i = 0; i < legal.count; i++) moves[i] = ludus_lower(legal.moves[i]);
        result.moves = (ludus_abi_list){moves, legal.count};
    }
    return LUDUS_LEAVE(&result);
}

LUDUS_EXPORT("house-move") const void *ludus_house_move(uint32_t seat, const char *player, size_t player_bytes) {
    static struct {
        uint32_t is_refusal;
        ludus_abi_string text;
    } result;
    ludus_enter();
    ludus_text text = {0};
    result.is_refusal = !ludus_game.house_move(seat, ludus_lift(player, player_bytes), &text);
    result.text = ludus_lower(text);
    return LUDUS_LEAVE(&result);
}

LUDUS_EXPORT("view") const void *ludus_view(uint32_t is_some, uint32_t viewer) {
    static ludus_abi_string result;
    ludus_enter();
    ludus_text text = {0};
    ludus_game.view(is_some ? (int)viewer : -1, &text);
    result = ludus_lower(text);
    return LUDUS_LEAVE(&result);
}

#endif
