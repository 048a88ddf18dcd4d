package main

import "ludus"

// likelihood is the probability of a bid for a seat that knows its own dice, all others being fair and independent.
func (game *game) likelihood(seat int, made bid) float64 {
	return game.likelihoodAmong(game.atLeast(seat), seat, made)
}

func (game *game) likelihoodAmong(atLeast []float64, seat int, made bid) float64 {
	needed := max(0, made.count-game.showing(game.hands[seat], made.face))
	if needed >= len(atLeast) {
		return 0
	}
	return atLeast[needed]
}

// atLeast is, for each number from 0 on, the probability that so many of the dice that a seat does not see count as a face.
func (game *game) atLeast(seat int) []float64 {
	matching := 1 / float64(game.faces)
	if game.wild {
		matching *= 2
	}
	hidden := game.total() - len(game.hands[seat])
	// The probability of each exact number, one die after the other.
	chances := make([]float64, hidden+1)
	chances[0] = 1
	for thrown := 1; thrown <= hidden; thrown++ {
		for count := thrown; count > 0; count-- {
			chances[count] = chances[count]*(1-matching) + chances[count-1]*matching
		}
		chances[0] *= 1 - matching
	}
	for count := hidden - 1; count >= 0; count-- {
		chances[count] += chances[count+1]
	}
	// The sum is 1 but for rounding, and a bid that cannot fail must be as likely as any other such.
	chances[0] = 1
	return chances
}

func (game *game) HouseMove(seat int, player string, random ludus.Random) (string, error) {
	switch player {
	case "random":
		return ludus.Choose(random, game.moves()).words(), nil
	case "probable":
		return game.probable(seat).words(), nil
	}
	return "", ludus.Error("There is no house player " + player + ".")
}

// probable is the move that is most likely right: the likeliest bid, or liar where the last bid is less likely than that.
// Of equally likely bids it makes the highest, which leaves the others least room.
func (game *game) probable(seat int) bid {
	best, chance := liar, -1.0
	atLeast := game.atLeast(seat)
	if game.last != liar {
		chance = 1 - game.likelihoodAmong(atLeast, seat, game.last)
	}
	for _, made := range game.bids() {
		if likelihood := game.likelihoodAmong(atLeast, seat, made); likelihood >= chance {
			best, chance = made, likelihood
		}
	}
	return best
}
