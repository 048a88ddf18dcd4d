// Package ludus is what a game in Go is written against: implement [Game] and hand it to [Export].
//
// A game is rules and words. Its only randomness is the [Random] that it is handed, which draws from the episode's seed,
// so the same seed and the same moves always give the same game. Three things of Go to know about:
//
//   - The order of a map's keys is random. Sort the keys wherever their order can be seen: in a prompt, a draw, a list of
//     moves. The host may ask for legal moves, house moves and views at any time, and a replay does not ask again; each
//     walk over a map moves the run time's own generator, so what follows would differ.
//   - The functions of math/rand are seeded from the episode too, but use that same generator: draw from [Random] instead.
//   - The clock stands still, and a sleep moves it and returns at once: never sleep in what changes nothing. There are no
//     files, and what is printed is shown when the game faults.
//
// Strings are joined here with strconv: fmt would make the component half a megabyte larger, encoding/json two.
package ludus

import (
	"strconv"
	"strings"
)

// Manifest is what a game says of itself.
type Manifest struct {
	Name          string // In kebab-case: "connect-four".
	Version       string // The semantic version of the rules.
	Summary       string // One line for people.
	SeatsMin      int
	SeatsMax      int
	StepsMax      int      // No episode takes more calls of step; those that refuse a move are not counted.
	OptionsSchema string   // JSON Schema of the options, each with a default.
	HousePlayers  []string // Players that the game itself supplies.
	Abilities     []string // The abilities that it trains: "planning".
}

// Game is one episode. Seats are counted from 0. Move is a move as the rules know it, after Parse.
type Game[Move any] interface {
	// Turn says who moves now, or how it ended. It changes nothing.
	Turn() Turn
	// Prompt is all that this seat, and no other, newly gets to know: the rules in its first request, then what happened
	// since its last one, the position, and what is asked. It is called once for each decision of a seat.
	Prompt(seat int) string
	// AskAgain is what a seat reads when its move was refused. The host shows the reason before it.
	AskAgain(seat int) string
	// Parse reads a move, or says in a sentence why it is no legal one. It changes nothing.
	Parse(seat int, text string) (Move, error)
	// Play plays one legal move of each seat that was asked, in seat order.
	Play(moves []Moved[Move], random Random)
	// LegalMoves lists every legal move of a seat that is asked now; nil where any text may be one. It changes nothing.
	LegalMoves(seat int) []string
	// HouseMove is the move that a house player would make in this seat now. It changes nothing in the game.
	HouseMove(seat int, player string, random Random) (string, error)
	// View is the position as one seat sees it, or as an [Onlooker] who sees all; for people. It changes nothing.
	View(viewer int) string
}

// Export makes a game the component's own. Call it once, in an init function: main does not run.
//
// start deals an episode; its error is a sentence that names the option that cannot be served.
func Export[Move any](manifest Manifest, start func(seats int, options Options, random Random) (Game[Move], error)) {
	exported = &table[Move]{manifest: manifest, deal: start}
}

// Onlooker is the viewer who has no seat.
const Onlooker = -1

// Turn is who moves now: these seats, all at the same time, in rising order; or how it ended.
type Turn struct {
	Seats []int
	Over  *Outcome
}

// Outcome is how a game ended.
type Outcome struct {
	Scores  []float64 // One a seat, 0 for the worst result and 1 for the best.
	Counts  []Count
	Summary string // One line for people.
}

// Count is how often a seat did a thing out of the chances that it had.
type Count struct {
	Seat           int
	Name           string // In kebab-case; the same names in every episode.
	Times, Chances int
}

// Moved is the move of one seat.
type Moved[Move any] struct {
	Seat int
	Move Move
}

// Error is a sentence for a player or a person.
type Error string

func (reason Error) Error() string { return string(reason) }

// Plain is a move's text without what does not matter: white space around it, a final full stop, upper case.
func Plain(text string) string {
	return strings.ToLower(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), ".")))
}

// Random is the only source of randomness that a game has.
type Random struct{}

// Below is a uniform draw from 0 to bound - 1. It panics where there is no such number.
func (Random) Below(bound int) int {
	if bound < 1 || int64(bound) > 1<<32-1 {
		panic("a draw below " + strconv.Itoa(bound))
	}
	return int(hostBelow(uint32(bound)))
}

// Shuffle brings n things in a uniformly random order (Fisher and Yates).
func (random Random) Shuffle(n int, swap func(i, j int)) {
	for last := n - 1; last > 0; last-- {
		swap(last, random.Below(last+1))
	}
}

// Chance is true with probability numerator / denominator.
func (random Random) Chance(numerator, denominator int) bool {
	return random.Below(denominator) < numerator
}

// Probability is true with this probability, exact to one in 2^31. It always draws once.
func (random Random) Probability(probability float64) bool {
	const steps = 1 << 31
	return float64(random.Below(steps)) < probability*steps
}

// Choose draws one of the items, each with the same probability. It panics where there are none.
func Choose[Item any](random Random, items []Item) Item {
	return items[random.Below(len(items))]
}
