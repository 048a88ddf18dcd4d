#include "board.h"

static cells cell(const board *board, unsigned column, unsigned row) {
    return (cells)1 << (column * (board->rows + 1) + row);
}

// Notes all lines in one direction.
static void add_lines(board *board, int right, int up) {
    int rows = (int)board->rows, columns = (int)board->columns, length = (int)board->in_a_row;
    for (int column = 0; column + right * (length - 1) < columns; column++) {
        for (int row = 0; row < rows; row++) {
            int last = row + up * (length - 1);
            if (last < 0 || last >= rows) continue;
            cells line = 0;
            for (int i = 0; i < length; i++) line |= cell(board, (unsigned)(column + right * i), (unsigned)(row + up * i));
            board->lines[board->line_count++] = line;
        }
    }
}

void board_set_up(board *board, unsigned rows, unsigned columns, unsigned in_a_row) {
    *board = (struct board){.rows = rows, .columns = columns, .in_a_row = in_a_row};
    for (unsigned column = 0; column < columns; column++) {
        board->bottom |= cell(board, column, 0);
        board->all |= board_column(board, column);
        unsigned away = (column + 1) / 2, middle = (columns - 1) / 2;
        board->order[column] = column % 2 == 0 ? middle - away : middle + away;
    }
    add_lines(board, 1, 0);
    add_lines(board, 0, 1);
    add_lines(board, 1, 1);
    add_lines(board, 1, -1);
}

cells board_column(const board *board, unsigned column) {
    return (((cells)1 << board->rows) - 1) << (column * (board->rows + 1));
}

cells board_landings(const board *board, cells occupied) {
    // The sum carries through the stones of each column to the lowest free bit; in a full column that is no cell.
    return (occupied + board->bottom) & board->all;
}

// How far apart the bits of a line lie in each direction: upwards, and to the right downwards, level and upwards.
#define DIRECTIONS 4
static unsigned apart(const board *board, unsigned direction) { return direction == 0 ? 1 : board->rows - 1 + direction; }

bool board_has_line(const board *board, cells stones) {
    for (unsigned direction = 0; direction < DIRECTIONS; direction++) {
        unsigned step = apart(board, direction);
        cells run = stones;
        for (unsigned i = 1; i < board->in_a_row; i++) run &= stones >> (i * step);
        if (run != 0) return true;
    }
    return false;
}

cells board_winning_cells(const board *board, cells stones) {
    cells found = 0;
    for (unsigned direction = 0; direction < DIRECTIONS; direction++) {
        unsigned step = apart(board, direction), length = board->in_a_row;
        // The cells with at least so many stones right before them, and right behind them.
        cells before[IN_A_ROW_MAX] = {board->all}, behind[IN_A_ROW_MAX] = {board->all};
        for (unsigned i = 1; i < length; i++) {
            before[i] = before[i - 1] & stones << (i * step);
            behind[i] = behind[i - 1] & stones >> (i * step);
        }
        for (unsigned i = 0; i < length; i++) found |= before[i] & behind[length - 1 - i];
    }
    return found;
}

bool board_is_open(const board *board, cells own, cells other) {
    for (unsigned i = 0; i < board->line_count; i++)
        if ((board->lines[i] & own) == 0 || (board->lines[i] & other) == 0) return true;
    return false;
}

int board_advantage(const board *board, cells own, cells other) {
    int advantage = 0;
    for (unsigned i = 0; i < board->line_count; i++) {
        cells line = board->lines[i];
        if ((line & other) == 0) advantage += 1 << (2 * __builtin_popcountll(line & own));
        if ((line & own) == 0) advantage -= 1 << (2 * __builtin_popcountll(line & other));
    }
    return advantage;
}
