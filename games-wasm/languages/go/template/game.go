// A race to a total: two seats add 1, 2 or 3 in turn, and whoever reaches it wins.
package main

import (
	"strconv"
	"strings"

	"ludus"
)

func main() {}

func init() { ludus.Export(manifest, start) }

var manifest = ludus.Manifest{
	Name:     "{{name}}",
	Version:  "1.0.0",
	Summary:  "Race to a total: add 1, 2 or 3 in turn, and whoever reaches it wins.",
	SeatsMin: 2,
	SeatsMax: 2,
	// Each move adds at least 1 to a total of at most 100.
	StepsMax: 100,
	OptionsSchema: `{"type":"object","additionalProperties":false,"properties":{"target":` +
		`{"type":"integer","minimum":4,"maximum":100,"default":21,"description":"The total to reach."}}}`,
	HousePlayers: []string{"random", "optimal"},
	Abilities:    []string{"planning", "arithmetic"},
}

// One episode.
type race struct {
	target, total, mover int
	// Which seats have read the rules.
	introduced [2]bool
}

func start(_ int, options ludus.Options, random ludus.Random) (ludus.Game[int], error) {
	return &race{target: options.Int("target", 21), mover: random.Below(2)}, nil
}

func (race *race) Turn() ludus.Turn {
	if race.total < race.target {
		return ludus.Turn{Seats: []int{race.mover}}
	}
	winner := 1 - race.mover
	scores := make([]float64, 2)
	scores[winner] = 1
	summary := "seat " + strconv.Itoa(winner) + " reaches " + strconv.Itoa(race.target)
	return ludus.Turn{Over: &ludus.Outcome{Scores: scores, Summary: summary}}
}

func (race *race) Prompt(seat int) string {
	if race.introduced[seat] {
		return race.AskAgain(seat)
	}
	race.introduced[seat] = true
	return "Two players take turns adding 1, 2 or 3 to a total that begins at 0. Whoever reaches " +
		strconv.Itoa(race.target) + " wins.\n" + race.AskAgain(seat)
}

func (race *race) AskAgain(int) string {
	return "Total: " + strconv.Itoa(race.total) + ". Add 1, 2 or 3."
}

func (race *race) Parse(_ int, text string) (int, error) {
	text = strings.TrimSpace(text)
	if text != "1" && text != "2" && text != "3" {
		return 0, ludus.Error("A move is 1, 2 or 3.")
	}
	added := int(text[0] - '0')
	if race.total+added > race.target {
		return 0, ludus.Error(text + " would pass " + strconv.Itoa(race.target) + ".")
	}
	return added, nil
}

func (race *race) Play(moves []ludus.Moved[int], _ ludus.Random) {
	race.total += moves[0].Move
	race.mover = 1 - race.mover
}

func (race *race) LegalMoves(int) []string {
	return []string{"1", "2", "3"}[:min(3, race.target-race.total)]
}

func (race *race) HouseMove(seat int, player string, random ludus.Random) (string, error) {
	if player != "random" && player != "optimal" {
		return "", ludus.Error("There is no house player " + player + ".")
	}
	// What leaves the other a multiple of four to go, where there is such a move.
	best := (race.target - race.total) % 4
	if player == "optimal" && best != 0 {
		return strconv.Itoa(best), nil
	}
	return ludus.Choose(random, race.LegalMoves(seat)), nil
}

func (race *race) View(int) string {
	return "Total: " + strconv.Itoa(race.total) + " of " + strconv.Itoa(race.target) + "."
}
