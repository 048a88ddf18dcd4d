// Connect four on 6 rows and 7 columns, or other shapes: two seats drop stones in turn, the first to make a line wins.
//
// A move is a column's number, counted from 1. Seat 0 plays X and seat 1 plays O; who moves first is drawn unless an option
// says. A win scores 1, a draw 0.5, a loss 0.
//
// Two counts show tactics apart from results: `wins-taken` (of the turns with an immediate win, those that took it) and
// `losses-blocked` (of the turns without one where the other threatened to win at once, those that blocked).

#include "board.h"
#include "search.h"

// How many moves ahead `search` looks where no argument says.
#define DEPTH_DEFAULT 4

static const char *const marks[2] = {"X", "O"};
static const char *const lengths[] = {"Three", "Four", "Five"};

// What a seat made of its chances.
typedef struct {
    unsigned times, chances;
} chances;

static board shape;
static cells stones[2];
static unsigned mover;
// The column that was played last, or none.
static int last_column = -1;
// Which seats have read the rules.
static bool introduced[2];
static chances wins_taken[2], losses_blocked[2];

static cells occupied(void) { return stones[0] | stones[1]; }

static cells landings(void) { return board_landings(&shape, occupied()); }

static bool is_open(unsigned column) { return (landings() & board_column(&shape, column)) != 0; }

// Where a seat makes a line at once.
static cells winning_landings(unsigned seat) { return landings() & board_winning_cells(&shape, stones[seat]); }

// An option that is a whole number, or a refusal where it is out of bounds.
static bool read_size(const char *options, const char *name, unsigned min, unsigned max, unsigned otherwise, unsigned *size,
                      ludus_text *refusal) {
    long long read = ludus_integer(ludus_member(options, name), otherwise);
    if (read < min || read > max) {
        ludus_write(refusal, "`%s` goes from %u to %u, not %lld.", name, min, max, read);
        return false;
    }
    *size = (unsigned)read;
    return true;
}

static bool start(unsigned seats, const char *options, ludus_text *refusal) {
    unsigned rows, columns, in_a_row;
    if (!read_size(options, "rows", ROWS_MIN, ROWS_MAX, 6, &rows, refusal)) return false;
    if (!read_size(options, "columns", COLUMNS_MIN, COLUMNS_MAX, 7, &columns, refusal)) return false;
    if (!read_size(options, "in_a_row", IN_A_ROW_MIN, IN_A_ROW_MAX, 4, &in_a_row, refusal)) return false;
    if (in_a_row > rows && in_a_row > columns) {
        ludus_write(refusal, "`in_a_row` of %u does not fit on %u rows and %u columns.", in_a_row, rows, columns);
        return false;
    }
    board_set_up(&shape, rows, columns, in_a_row);
    const char *first = ludus_string(ludus_member(options, "first"), "random");
    mover = strcmp(first, "seat-0") == 0 ? 0 : strcmp(first, "seat-1") == 0 ? 1 : ludus_below(2);
    return true;
}

static void turn(ludus_turn *turn) {
    bool full = landings() == 0;
    // Only who moved last can have made a line.
    unsigned last = 1 - mover;
    bool won = board_has_line(&shape, stones[last]);
    if (!won && !full) {
        ludus_ask(turn, mover);
        return;
    }
    for (unsigned seat = 0; seat < 2; seat++) {
        turn->scores[seat] = won ? seat == last : 0.5;
        ludus_count_chances(turn, seat, "wins-taken", wins_taken[seat].times, wins_taken[seat].chances);
        ludus_count_chances(turn, seat, "losses-blocked", losses_blocked[seat].times, losses_blocked[seat].chances);
    }
    if (won) {
        ludus_over(turn, "%s wins with a stone in column %d", marks[last], last_column + 1);
    } else {
        ludus_over(turn, "a draw");
    }
}

// The board, drawn, with the numbers of the columns below it.
static void draw(ludus_text *text) {
    // Characters with spaces between them, and a zero byte where the last space would be.
    char line[2 * COLUMNS_MAX];
    memset(line, ' ', sizeof line);
    line[2 * shape.columns - 1] = 0;
    for (unsigned row = shape.rows; row-- > 0;) {
        for (unsigned column = 0; column < shape.columns; column++) {
            cells cell = (cells)1 << (column * (shape.rows + 1) + row);
            line[2 * column] = stones[0] & cell ? marks[0][0] : stones[1] & cell ? marks[1][0] : '.';
        }
        ludus_write(text, "%s\n", line);
    }
    for (unsigned column = 0; column < shape.columns; column++) line[2 * column] = (char)('1' + column);
    ludus_write(text, "%s", line);
}

static void ask_again(unsigned seat, ludus_text *prompt) {
    ludus_write(prompt, "Open columns:");
    for (unsigned column = 0; column < shape.columns; column++)
        if (is_open(column)) ludus_write(prompt, " %u", column + 1);
}

static void prompt(unsigned seat, ludus_text *prompt) {
    if (!introduced[seat]) {
        introduced[seat] = true;
        ludus_write(prompt,
                    "Two players in turn drop a stone into a column; it falls to the lowest free cell. %s in a line win: side "
                    "by side, upright or diagonal. You are %s. Answer with the number of a column.\n",
                    lengths[shape.in_a_row - IN_A_ROW_MIN], marks[seat]);
    }
    if (last_column >= 0) ludus_write(prompt, "%s plays %d.\n", marks[1 - seat], last_column + 1);
    draw(prompt);
    ludus_write(prompt, "\n");
    ask_again(seat, prompt);
}

static bool parse(unsigned seat, const char *text, void *move, ludus_text *reason) {
    unsigned number;
    if (!ludus_digits(ludus_plain(text), &number) || number < 1 || number > shape.columns) {
        ludus_write(reason, "A move is one number from 1 to %u.", shape.columns);
        return false;
    }
    if (!is_open(number - 1)) {
        ludus_write(reason, "Column %u is full.", number);
        return false;
    }
    *(unsigned *)move = number - 1;
    return true;
}

// Notes what a seat makes of its chances with a stone in this cell; before it is played.
static void note_chances(unsigned seat, cells landing) {
    cells wins = winning_landings(seat), threats = winning_landings(1 - seat);
    cells useful = wins != 0 ? wins : threats;
    chances *chances = wins != 0 ? &wins_taken[seat] : &losses_blocked[seat];
    chances->times += (useful & landing) != 0;
    chances->chances += useful != 0;
}

static void play(const ludus_move *moves, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unsigned seat = moves[i].seat, column = *(const unsigned *)moves[i].move;
        cells landing = landings() & board_column(&shape, column);
        note_chances(seat, landing);
        stones[seat] |= landing;
        last_column = (int)column;
        mover = 1 - seat;
    }
}

static void legal_moves(unsigned seat, ludus_legal *legal) {
    for (unsigned column = 0; column < shape.columns; column++)
        if (is_open(column)) ludus_list(legal, "%u", column + 1);
}

// The column of one of these cells, each with the same probability. There is at least one.
static unsigned draw_column(cells set) {
    unsigned skipped = ludus_below((unsigned)__builtin_popcountll(set));
    while (skipped-- > 0) set &= set - 1;
    return (unsigned)__builtin_ctzll(set) / (shape.rows + 1);
}

static bool house_move(unsigned seat, const char *player, ludus_text *move) {
    cells chosen = landings();
    if (strcmp(player, "random") == 0) {
        // Any of them.
    } else if (strcmp(player, "greedy") == 0) {
        cells wins = winning_landings(seat), threats = winning_landings(1 - seat);
        chosen = wins != 0 ? wins : threats != 0 ? threats : chosen;
    } else if (strcmp(player, "search") == 0 || strncmp(player, "search:", 7) == 0) {
        unsigned depth = DEPTH_DEFAULT;
        if (player[6] == ':' && (!ludus_digits(player + 7, &depth) || depth < 1 || depth > CELLS_MAX)) {
            ludus_write(move, "`%s` needs a depth from 1 to %d, like `search:4`.", player, CELLS_MAX);
            return false;
        }
        chosen = search_best_cells(&shape, stones[seat], stones[1 - seat], depth);
    } else {
        ludus_write(move, "There is no house player `%s`; take `random`, `greedy` or `search:4`.", player);
        return false;
    }
    ludus_write(move, "%u", draw_column(chosen) + 1);
    return true;
}

static void view(int viewer, ludus_text *view) {
    draw(view);
    if (viewer >= 0) ludus_write(view, "\nYou are %s.", marks[viewer]);
}

const ludus_rules ludus_game = {
    .name = "connect-four",
    .version = "1.0.0",
    .summary = "Connect four: drop stones into columns and make a line before the other does.",
    .seats_min = 2,
    .seats_max = 2,
    // One stone a cell.
    .steps_max = CELLS_MAX,
    .options_schema = LUDUS_JSON({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "rows": {"type": "integer", "minimum": 3, "maximum": 7, "default": 6, "description": "Rows of the board."},
            "columns": {"type": "integer", "minimum": 3, "maximum": 8, "default": 7, "description": "Columns of the board."},
            "in_a_row": {
                "type": "integer", "minimum": 3, "maximum": 5, "default": 4,
                "description": "How many stones in a row, column or diagonal win."
            },
            "first": {
                "enum": ["random", "seat-0", "seat-1"], "default": "random",
                "description": "Who moves first."
            }
        }
    }),
    .house_players = {"random", "greedy", "search"},
    .abilities = {"planning", "spatial-reasoning"},
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
