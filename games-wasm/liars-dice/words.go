package main

import (
	"strconv"
	"strings"

	"ludus"
)

// words is the move as players write it.
func (made bid) words() string {
	if made == liar {
		return "liar"
	}
	return strconv.Itoa(made.count) + " " + strconv.Itoa(made.face)
}

// player is a seat as players read it, counted from 1.
func player(seat int) string { return "Player " + strconv.Itoa(seat+1) }

func list(hand []int) string {
	var faces []string
	for _, die := range hand {
		faces = append(faces, strconv.Itoa(die))
	}
	return strings.Join(faces, " ")
}

// Prompt has the rules for a seat that reads them for the first time, what happened since its last one, and the position.
func (game *game) Prompt(seat int) string {
	var text strings.Builder
	if !game.introduced[seat] {
		game.introduced[seat] = true
		text.WriteString(game.rules(seat))
	}
	for _, event := range game.events[game.read[seat]:] {
		if event.by != seat {
			text.WriteString(event.text + "\n")
		}
	}
	game.read[seat] = len(game.events)
	return text.String() + game.AskAgain(seat)
}

func (game *game) rules(seat int) string {
	dice := " dice each"
	if game.dice[seat] == 1 {
		dice = " die each"
	}
	wild, ending := "", "The loser scores 0, all others 1."
	if game.wild {
		wild = " Ones count as every face and are not bid."
	}
	if game.allRounds {
		ending = "The loser of a round loses a die, and the last player with dice wins."
	}
	return "Liar's dice: " + strconv.Itoa(len(game.dice)) + " players with " + strconv.Itoa(game.dice[seat]) + dice +
		", faces 1 to " + strconv.Itoa(game.faces) + ". You see only your own dice. " +
		"A bid is a count and a face: 2 3 says that all dice together show 3 at least 2 times." + wild +
		" In turn, bid higher (a higher count, or the same count and a higher face) or answer liar. " +
		"On liar all dice are shown: if the last bid is true, who said liar loses, else the bidder. " + ending +
		"\nYou are player " + strconv.Itoa(seat+1) + ".\n"
}

// AskAgain is the position and the question.
func (game *game) AskAgain(seat int) string {
	position := "Your dice: " + list(game.hands[seat]) + ". All dice: " + strconv.Itoa(game.total()) + ". "
	switch {
	case game.last == liar:
		return position + "No bid yet. Answer with a bid: count and face."
	case len(game.bids()) == 0:
		return position + "Last bid: " + game.last.words() + ", the highest there is. Answer liar."
	}
	return position + "Last bid: " + game.last.words() + ". Answer with a higher bid, count and face, or with liar."
}

// format is the reason for refusing what is no move at all.
func (game *game) format() string {
	if game.last == liar {
		return "A move is two numbers, a count and a face, such as 2 3."
	}
	return "A move is two numbers, a count and a face, such as 2 3, or the word liar."
}

// showdown tells how a round ended.
func (game *game) showdown(caller, loser, found int) string {
	verdict := "a lie"
	if loser == caller {
		verdict = "true"
	}
	lost := " loses."
	if game.allRounds {
		lost = " loses a die."
	}
	return player(caller) + " says liar to " + game.last.words() + ". " + game.allHands() + " Count: " +
		strconv.Itoa(found) + ", so it is " + verdict + " and " + strings.ToLower(player(loser)) + lost
}

// allHands is every hand on the table.
func (game *game) allHands() string {
	var hands []string
	for seat, hand := range game.hands {
		if len(hand) > 0 {
			hands = append(hands, player(seat)+": "+list(hand)+".")
		}
	}
	return strings.Join(hands, " ")
}

// View shows a seat its own hand; all hands to an onlooker, and to everybody at the end.
func (game *game) View(viewer int) string {
	position := "No bid yet."
	if game.last != liar {
		position = "Last bid: " + game.last.words() + " by " + strings.ToLower(player(game.bidder)) + "."
	}
	if viewer == ludus.Onlooker || game.over {
		return game.allHands() + "\n" + position
	}
	return player(viewer) + ": " + list(game.hands[viewer]) + ". All dice: " + strconv.Itoa(game.total()) + ".\n" + position
}
