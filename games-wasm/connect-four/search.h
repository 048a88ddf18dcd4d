// The best columns of a position, as far as a search sees.
//
// The search is negamax with alpha-beta, and remembers positions that it has seen. Where the depth asked for takes more than
// POSITIONS_MAX positions it begins anew and deepens by one move at a time as far as so many more positions allow. Where it
// reaches the end of every line of play its answer is exact, as it does on 4 by 4 cells; else it judges by open lines.

#ifndef SEARCH_H
#define SEARCH_H

#include "board.h"

// Each position costs up to about 6,000 units of fuel, on the largest board.
#define POSITIONS_MAX 30000

// The cells that are equally best to drop a stone into. At least one column is open, and nobody has a line.
cells search_best_cells(const board *board, cells own, cells other, unsigned depth);

#endif
