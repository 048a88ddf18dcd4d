// Liar's dice: each seat sees its own dice only. In turn they bid how many dice show a face, each bid higher than the
// last, until one says that the last bid is a lie; then all dice are shown, and one of the two loses.
//
//	game.go   the rules
//	house.go  probabilities, and the players who go by them
//	words.go  what players read
package main

import (
	"slices"
	"strconv"
	"strings"

	"ludus"
)

func main() {}

func init() { ludus.Export(manifest, start) }

var manifest = ludus.Manifest{
	Name:     "liars-dice",
	Version:  "1.0.0",
	Summary:  "Liar's dice: bid on hidden dice, and say when a bid is a lie.",
	SeatsMin: 2,
	SeatsMax: 6,
	// 6 seats with 5 dice of 6 faces: 2813 moves until one has dice left.
	StepsMax: 2813,
	OptionsSchema: `{"type":"object","additionalProperties":false,"properties":{` +
		`"dice":{"type":"integer","minimum":1,"maximum":5,"default":2,"description":"Dice of each seat."},` +
		`"faces":{"type":"integer","minimum":2,"maximum":6,"default":6,"description":"Faces of a die."},` +
		`"wild_ones":{"type":"boolean","default":false,"description":"Whether a one counts as every face."},` +
		`"rounds":{"type":"string","enum":["one","all"],"default":"one","description":` +
		`"One round, whose loser scores 0 and all others 1; or as many as it takes until one seat has dice left: the ` +
		`loser of each loses a die, and the scores rise from 0 for the first without dice to 1 for the last seat."}}}`,
	HousePlayers: []string{"random", "probable"},
	Abilities:    []string{"probability", "bluffing"},
}

// bid says that all dice together show a face at least so often.
type bid struct{ count, face int }

// liar is the move that doubts the last bid.
var liar = bid{}

// One episode.
type game struct {
	faces     int
	wild      bool // Whether ones count as every face; then they are not bid.
	allRounds bool
	dice      []int   // How many each seat still has.
	hands     [][]int // What they show.
	mover     int
	last      bid // None yet where it equals liar.
	bidder    int
	out       []int // The seats that have lost, in that order.
	over      bool
	events    []event
	read      []int // How many events each seat has been told, or has made happen.
	// Which seats have read the rules.
	introduced []bool
	tallies    []tally
}

// event is what happened at the table, told to all but the seat that did it where it is a bid.
type event struct {
	by   int
	text string
}

// tally is what a seat did out of its chances.
type tally struct {
	calls, callsRight       int
	called, held            int
	doubtful, doubtfulCalls int
}

func start(seats int, options ludus.Options, random ludus.Random) (ludus.Game[bid], error) {
	game := &game{
		faces:      options.Int("faces", 6),
		wild:       options.Bool("wild_ones", false),
		allRounds:  options.Text("rounds", "one") == "all",
		dice:       slices.Repeat([]int{options.Int("dice", 2)}, seats),
		hands:      make([][]int, seats),
		mover:      random.Below(seats),
		read:       make([]int, seats),
		introduced: make([]bool, seats),
		tallies:    make([]tally, seats),
	}
	game.throw(random)
	return game, nil
}

// throw begins a round.
func (game *game) throw(random ludus.Random) {
	for seat, count := range game.dice {
		hand := make([]int, count)
		for index := range hand {
			hand[index] = 1 + random.Below(game.faces)
		}
		slices.Sort(hand)
		game.hands[seat] = hand
	}
	game.last = liar
}

func (game *game) Turn() ludus.Turn {
	if !game.over {
		return ludus.Turn{Seats: []int{game.mover}}
	}
	return ludus.Turn{Over: &ludus.Outcome{
		Scores:  game.scores(),
		Counts:  game.counts(),
		Summary: game.events[len(game.events)-1].text,
	}}
}

func (game *game) scores() []float64 {
	scores := slices.Repeat([]float64{1}, len(game.dice))
	for place, seat := range game.out {
		scores[seat] = float64(place) / float64(len(scores)-1)
	}
	return scores
}

func (game *game) counts() []ludus.Count {
	var counts []ludus.Count
	for seat, tally := range game.tallies {
		counts = append(counts,
			ludus.Count{Seat: seat, Name: "calls-right", Times: tally.callsRight, Chances: tally.calls},
			ludus.Count{Seat: seat, Name: "bids-held", Times: tally.held, Chances: tally.called},
			// Bids that were more likely false than true, as far as this seat could know.
			ludus.Count{Seat: seat, Name: "doubtful-bids-called", Times: tally.doubtfulCalls, Chances: tally.doubtful})
	}
	return counts
}

func (game *game) Parse(_ int, text string) (bid, error) {
	text = ludus.Plain(text)
	if text == "liar" {
		if game.last == liar {
			return liar, ludus.Error("There is no bid to doubt yet. Bid first.")
		}
		return liar, nil
	}
	words := strings.Fields(text)
	if len(words) != 2 {
		return liar, ludus.Error(game.format())
	}
	count, countErr := strconv.Atoi(words[0])
	face, faceErr := strconv.Atoi(words[1])
	if countErr != nil || faceErr != nil {
		return liar, ludus.Error(game.format())
	}
	return game.check(bid{count, face})
}

// check returns a bid that may be made now, or says why it may not.
func (game *game) check(made bid) (bid, error) {
	lowest, dice := game.lowestFace(), game.total()
	switch {
	case made.count < 1 || made.count > dice:
		return liar, ludus.Error("The count goes from 1 to " + strconv.Itoa(dice) + ", which is all dice.")
	case made.face < lowest || made.face > game.faces:
		return liar, ludus.Error("The face goes from " + strconv.Itoa(lowest) + " to " + strconv.Itoa(game.faces) + ".")
	case !made.exceeds(game.last):
		return liar, ludus.Error("A bid must be higher than " + game.last.words() + ": a higher count, or the same count and a higher face.")
	}
	return made, nil
}

func (made bid) exceeds(last bid) bool {
	return made.count > last.count || made.count == last.count && made.face > last.face
}

func (game *game) lowestFace() int {
	if game.wild {
		return 2
	}
	return 1
}

// total is the number of all dice.
func (game *game) total() int {
	total := 0
	for _, count := range game.dice {
		total += count
	}
	return total
}

// showing counts the dice of a hand that show a face.
func (game *game) showing(hand []int, face int) int {
	count := 0
	for _, die := range hand {
		if die == face || game.wild && die == 1 {
			count++
		}
	}
	return count
}

func (game *game) Play(moves []ludus.Moved[bid], random ludus.Random) {
	seat, made := moves[0].Seat, moves[0].Move
	if game.last != liar && game.likelihood(seat, game.last) < 0.5 {
		game.tallies[seat].doubtful++
		if made == liar {
			game.tallies[seat].doubtfulCalls++
		}
	}
	if made == liar {
		game.show(seat, random)
		return
	}
	game.last, game.bidder = made, seat
	game.events = append(game.events, event{seat, player(seat) + " bids " + made.words() + "."})
	game.mover = game.after(seat)
}

// show ends a round: somebody doubts the last bid.
func (game *game) show(caller int, random ludus.Random) {
	found := 0
	for _, hand := range game.hands {
		found += game.showing(hand, game.last.face)
	}
	bidder, loser := &game.tallies[game.bidder], game.bidder
	game.tallies[caller].calls++
	bidder.called++
	if found >= game.last.count {
		bidder.held++
		loser = caller
	} else {
		game.tallies[caller].callsRight++
	}
	game.events = append(game.events, event{-1, game.showdown(caller, loser, found)})

	if !game.allRounds {
		game.out = []int{loser}
		game.over = true
		return
	}
	game.dice[loser]--
	if game.dice[loser] == 0 {
		game.out = append(game.out, loser)
	}
	if len(game.out) == len(game.dice)-1 {
		game.over = true
		return
	}
	game.mover = loser
	if game.dice[loser] == 0 {
		game.mover = game.after(loser)
	}
	game.throw(random)
}

// after is the next seat that has dice.
func (game *game) after(seat int) int {
	for {
		seat = (seat + 1) % len(game.dice)
		if game.dice[seat] > 0 {
			return seat
		}
	}
}

// bids are those that may be made now, from the lowest to the highest.
func (game *game) bids() []bid {
	var bids []bid
	for count := max(1, game.last.count); count <= game.total(); count++ {
		for face := game.lowestFace(); face <= game.faces; face++ {
			if made := (bid{count, face}); made.exceeds(game.last) {
				bids = append(bids, made)
			}
		}
	}
	return bids
}

// moves are all that may be made now.
func (game *game) moves() []bid {
	if game.last == liar {
		return game.bids()
	}
	return append(game.bids(), liar)
}

func (game *game) LegalMoves(int) []string {
	var texts []string
	for _, move := range game.moves() {
		texts = append(texts, move.words())
	}
	return texts
}
