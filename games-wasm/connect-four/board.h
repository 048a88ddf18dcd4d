// The board: which cells there are, where a stone falls, and what a line is. Whose stones lie where is the caller's.

#ifndef BOARD_H
#define BOARD_H

#include <ludus.h>

#define ROWS_MIN 3
#define ROWS_MAX 7
#define COLUMNS_MIN 3
#define COLUMNS_MAX 8
#define IN_A_ROW_MIN 3
#define IN_A_ROW_MAX 5
#define CELLS_MAX (ROWS_MAX * COLUMNS_MAX)

// A set of cells, one bit each, column by column from the left and each from the bottom up. Above each column lies one bit
// that is never set, so that no line runs from the top of a column into the bottom of the next.
typedef uint64_t cells;

typedef struct board {
    unsigned rows, columns, in_a_row;
    // All cells, and the lowest of each column.
    cells all, bottom;
    // The columns from the middle outwards: stones in the middle are part of more lines.
    unsigned order[COLUMNS_MAX];
    // Every line that wins. Four directions begin in each cell at most.
    cells lines[4 * CELLS_MAX];
    unsigned line_count;
} board;

// The shape is within the bounds above.
void board_set_up(board *board, unsigned rows, unsigned columns, unsigned in_a_row);

// The cells of one column, counted from 0.
cells board_column(const board *board, unsigned column);

// Where the next stone of each column falls: none in a column that is full.
cells board_landings(const board *board, cells occupied);

// Whether these stones hold a line.
bool board_has_line(const board *board, cells stones);

// The cells where one more stone makes a line, taken or not.
cells board_winning_cells(const board *board, cells stones);

// Whether somebody can still make a line.
bool board_is_open(const board *board, cells own, cells other);

// How much better one side stands than the other: each line that the other cannot fill any more is worth four times as much
// with each stone in it.
int board_advantage(const board *board, cells own, cells other);

#endif
