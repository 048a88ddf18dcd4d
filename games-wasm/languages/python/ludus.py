"""What a game in Python is written against: `import ludus`, and `game.py` has one class that derives from `ludus.Game`.

A game is rules and words, nothing else. `ludus build` does the rest of the contract: it reads the options, gathers the
moves of seats that move at the same time, asks a seat again whose move was refused, and describes the game to the host.

A game has no randomness but the host's: `random` as it is handed in draws it, and so does Python's own module `random`.
Clocks stand still but for sleeps; what is printed is shown to people when a game breaks. Import modules at the top of a
file: when the game is played, there are no files to import from.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass


class Refused(Exception):
    """Why a move, an option or a house player is not taken: one sentence for whoever chose it. Any other exception is a
    bug, which ends the episode."""


@dataclass
class Count:
    """How often a seat did a thing out of the chances it had: `wins-taken`, 2 of 3."""

    seat: int
    name: str
    times: int
    chances: int


@dataclass
class Outcome:
    """How a game ended: a score from 0 to 1 for each seat, and one line for people."""

    scores: Sequence[float]
    summary: str
    counts: Sequence[Count] = ()


class Game:
    """The rules of a game and the words it is told in. One object plays one episode, which begins with `start`."""

    # Kebab-case, as people type it.
    name: str
    # Semantic version of the rules.
    version: str
    # One line for people.
    summary: str
    # Fewest and most seats.
    seats: tuple[int, int]
    # No episode takes more steps; those that refuse a move are not counted.
    steps_max: int
    # A player with an argument is listed without it: `fallible`, for `fallible:0.3`.
    house_players: list[str] = []
    # What it trains: `planning`, `social-reasoning`.
    abilities: list[str] = []
    # Each option by name: its JSON Schema, with a description and a default.
    options: dict[str, dict] = {}

    def start(self, seats, options, random):
        """Deals the episode. `options` is a dictionary in which every option is there. Raises Refused, with a sentence
        that names the option, for what it cannot serve."""
        raise NotImplementedError

    def turn(self):
        """Who moves now: a list of seats in rising order, all at the same time. Or an Outcome. Changes nothing."""
        raise NotImplementedError

    def prompt(self, seat):
        """All that this seat, and no other, newly gets to know: the rules in its first request, then what happened since
        its last one, the position, and what is asked. Called once for each decision of a seat."""
        raise NotImplementedError

    def ask_again(self, seat):
        """What a seat reads when its move was refused. The host shows the reason before it."""
        return "Move again."

    def parse(self, seat, text):
        """The move, in any form that `play` understands. Raises Refused for what is no legal move. Changes nothing."""
        raise NotImplementedError

    def play(self, moves, random):
        """Plays a dictionary of moves, one of each seat that was asked, in seat order."""
        raise NotImplementedError

    def legal_moves(self, seat):
        """Every legal move of a seat that is asked now, as text, or None where any text may be one. Changes nothing."""
        return None

    def house_move(self, seat, player, random):
        """The text of the move that a house player would make now. Raises Refused for an unknown one. Changes nothing."""
        raise Refused(f"There is no house player {player}.")

    def view(self, viewer):
        """For people: the position as a seat sees it, or all of it where `viewer` is None. Changes nothing."""
        raise NotImplementedError


def plain(text):
    """A move's text without what does not matter: white space around it, a final full stop, upper case."""
    return text.strip().removesuffix(".").rstrip().lower()


class Random(random.Random):
    """All that Python's generators do, drawn from `below`: a function that gives a whole number from 0 to bound - 1,
    for bounds under 2**32. It has no state of its own, so a draw of a house player changes no later one."""

    def __init__(self, below):
        self.below = below

    def chance(self, numerator, denominator):
        """True with probability numerator / denominator."""
        return self.below(denominator) < numerator

    def probability(self, probability):
        """True with this probability, exact to one in 2**31. Always draws."""
        return self.below(2**31) < probability * 2**31

    def random(self):
        return (self.below(2**26) * 2**27 + self.below(2**27)) / 2**53

    def getrandbits(self, k):
        bits = 0
        for begin in range(0, k, 16):
            width = min(16, k - begin)
            bits = bits << width | self.below(2**width)
        return bits

    def _randbelow(self, n):
        if n < 2**32:
            return self.below(n)
        return self._randbelow_with_getrandbits(n)

    def gauss(self, mu=0.0, sigma=1.0):
        # Python's own draws two at once and keeps the second, which would be state.
        return self.normalvariate(mu, sigma)

    def seed(self, *_, **__):
        """Does nothing: the episode's seed is the host's."""

    def getstate(self):
        raise NotImplementedError("the draws are the host's and have no state here")

    def setstate(self, state):
        raise NotImplementedError("the draws are the host's and have no state here")
