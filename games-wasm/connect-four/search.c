#include "search.h"

// The value of a win; one less for each move that it takes. Far above any advantage in open lines.
#define WIN 1000000

static unsigned positions_left;

// What is known of a position: that its value is exactly this, at least or at most.
typedef struct {
    uint64_t position;
    int value;
    unsigned char depth;
    enum { UNKNOWN, EXACTLY, AT_LEAST, AT_MOST } is;
} known;

// A position's place is its hash; the last one that came there stays.
#define KNOWN_BITS 13
static known *table;

static known *place(uint64_t position) {
    // Fibonacci hashing: the highest bits of a product with 2 to the 64 over the golden ratio.
    return &table[(position * 0x9e3779b97f4a7c15u) >> (64 - KNOWN_BITS)];
}

static bool is_one_or_none(cells set) { return (set & (set - 1)) == 0; }

static int value(const board *board, cells own, cells other, unsigned depth, int alpha, int beta);

// As `value`, by trying these cells.
static int best_value(const board *board, cells own, cells other, cells landings, unsigned depth, int alpha, int beta) {
    int best = -2 * WIN;
    for (unsigned i = 0; i < board->columns && best < beta; i++) {
        cells landing = landings & board_column(board, board->order[i]);
        if (landing == 0) continue;
        int lower = alpha > best ? alpha : best;
        int found = -value(board, other, own | landing, depth - 1, -beta, -lower);
        if (found > best) best = found;
    }
    return best;
}

// The value for the side to move, exact between alpha and beta, else a bound on the right side of them. Means nothing once no
// positions are left.
static int value(const board *board, cells own, cells other, unsigned depth, int alpha, int beta) {
    if (positions_left == 0) return 0;
    positions_left--;
    cells occupied = own | other, landings = board_landings(board, occupied);
    // The more cells are free, the sooner a win.
    int sooner = __builtin_popcountll(board->all & ~occupied);
    if ((landings & board_winning_cells(board, own)) != 0) return WIN + sooner;
    cells threats = landings & board_winning_cells(board, other);
    // One is blocked, the other wins a move later.
    if (!is_one_or_none(threats)) return -WIN - (sooner - 1);
    if (landings == 0 || !board_is_open(board, own, other)) return 0;
    // The one block costs no depth: forced moves are read to their end.
    if (threats != 0) return best_value(board, own, other, threats, depth + 1, alpha, beta);
    if (depth == 0) return board_advantage(board, own, other);

    // The bit above the stones of each column says how high it is, so no two positions have the same number.
    uint64_t position = own + (occupied + board->bottom);
    known *entry = place(position);
    if (entry->is != UNKNOWN && entry->position == position && entry->depth >= depth) {
        bool decides = entry->is == EXACTLY || (entry->is == AT_LEAST ? entry->value >= beta : entry->value <= alpha);
        if (decides) return entry->value;
    }
    int best = best_value(board, own, other, landings, depth, alpha, beta);
    if (positions_left > 0) {
        *entry = (known){.position = position, .value = best, .depth = (unsigned char)depth};
        entry->is = best >= beta ? AT_LEAST : best > alpha ? EXACTLY : AT_MOST;
    }
    return best;
}

// Finds the equally best cells at this depth. False where the positions run out; then `best` is as it was.
static bool look(const board *board, cells own, cells other, unsigned depth, cells *best) {
    cells landings = board_landings(board, own | other), equal = 0;
    int most = -2 * WIN;
    for (unsigned i = 0; i < board->columns; i++) {
        cells landing = landings & board_column(board, board->order[i]);
        if (landing == 0) continue;
        // A window that is open by one below the best value tells cells as good as the best from worse ones.
        int worth = -value(board, other, own | landing, depth - 1, -2 * WIN, 1 - most);
        if (worth > most) {
            most = worth;
            equal = 0;
        }
        if (worth == most) equal |= landing;
    }
    if (positions_left == 0) return false;
    *best = equal;
    return true;
}

cells search_best_cells(const board *board, cells own, cells other, unsigned depth) {
    cells wins = board_landings(board, own | other) & board_winning_cells(board, own);
    if (wins != 0) return wins;
    unsigned cells_left = (unsigned)__builtin_popcountll(board->all & ~(own | other));
    if (depth > cells_left) depth = cells_left;
    // Empty each time, so that an answer does not depend on what was asked before.
    table = ludus_allocate(sizeof *table << KNOWN_BITS);
    memset(table, 0, sizeof *table << KNOWN_BITS);

    cells best = board_landings(board, own | other);
    positions_left = POSITIONS_MAX;
    if (look(board, own, other, depth, &best)) return best;
    positions_left = POSITIONS_MAX;
    for (unsigned looked = 1; looked < depth && look(board, own, other, looked, &best); looked++) continue;
    return best;
}
