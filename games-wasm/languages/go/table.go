package ludus

import "slices"

// The game of this component.
var exported player

// What the host plays, whatever the game's moves are.
type player interface {
	about() Manifest
	start(seats int, options string) (asked, error)
	step(moves []Moved[string]) ([]rejection, asked)
	legalMoves(seat int) []string
	houseMove(seat int, player string) (string, error)
	view(viewer int) string
}

// A seat that is asked, and what it reads.
type request struct {
	seat   int
	prompt string
}

// A seat whose move was not taken, and why.
type rejection struct {
	seat   int
	reason string
}

// Who is asked, or how it ended.
type asked struct {
	requests []request
	over     *Outcome
}

// The protocol between host and game: the moves of seats that move at the same time are kept until all are there, and
// only the seats of refused ones are asked again.
type table[Move any] struct {
	manifest Manifest
	deal     func(seats int, options Options, random Random) (Game[Move], error)
	game     Game[Move]
	waiting  []int
	// By the order in which they were taken.
	taken []Moved[Move]
}

func (table *table[Move]) about() Manifest { return table.manifest }

func (table *table[Move]) start(seats int, options string) (asked, error) {
	game, err := table.deal(seats, readOptions(options), Random{})
	if err != nil {
		return asked{}, err
	}
	table.game = game
	return table.next(), nil
}

func (table *table[Move]) step(moves []Moved[string]) ([]rejection, asked) {
	if len(moves) == 0 || len(moves) != len(table.waiting) {
		panic("moves are needed of the seats that are asked")
	}
	var rejections []rejection
	var again []int
	for index, given := range moves {
		if given.Seat != table.waiting[index] {
			panic("moves are needed of the seats that are asked, in rising order")
		}
		move, err := table.game.Parse(given.Seat, given.Move)
		if err != nil {
			rejections = append(rejections, rejection{given.Seat, err.Error()})
			again = append(again, given.Seat)
			continue
		}
		table.taken = append(table.taken, Moved[Move]{given.Seat, move})
	}
	table.waiting = again
	if len(again) == 0 {
		taken := table.taken
		table.taken = nil
		slices.SortFunc(taken, func(one, other Moved[Move]) int { return one.Seat - other.Seat })
		table.game.Play(taken, Random{})
		return nil, table.next()
	}
	var requests []request
	for _, seat := range again {
		requests = append(requests, request{seat, table.game.AskAgain(seat)})
	}
	return rejections, asked{requests: requests}
}

func (table *table[Move]) next() asked {
	turn := table.game.Turn()
	if turn.Over != nil {
		return asked{over: turn.Over}
	}
	if len(turn.Seats) == 0 {
		panic("a turn asks at least one seat, or is over")
	}
	var requests []request
	for index, seat := range turn.Seats {
		if index > 0 && seat <= turn.Seats[index-1] {
			panic("a turn asks seats in rising order")
		}
		requests = append(requests, request{seat, table.game.Prompt(seat)})
	}
	table.waiting = slices.Clone(turn.Seats)
	return asked{requests: requests}
}

func (table *table[Move]) legalMoves(seat int) []string { return table.game.LegalMoves(seat) }

func (table *table[Move]) houseMove(seat int, player string) (string, error) {
	return table.game.HouseMove(seat, player, Random{})
}

func (table *table[Move]) view(viewer int) string { return table.game.View(viewer) }
