"""Where a component begins: the functions of the contract, for the one game that `game.py` defines.

The protocol between host and game is here. Of the seats that are asked, those wait whose move is not there yet. Moves that
the game takes are kept, refused ones are reported and only their seats asked again; when nobody waits any more, the game
plays all moves at once. So a refused move changes nothing, and no seat moves twice because another one erred.
"""

import sys

# The game's folder is its author's: nothing is left in it.
sys.dont_write_bytecode = True

import copy
import json

import ludus_library

# Before the game is imported, so that it gets these functions wherever it takes them from.
ludus_library.route_random()
ludus_library.route_time()

import game  # noqa: F401
import ludus
import wit_world.exports
from componentize_py_types import Err
from wit_world.exports.game import (
    Count,
    Manifest,
    Outcome,
    Progress,
    Rejection,
    Request,
    Turn_Decide,
    Turn_Over,
)

ludus_library.keep_lines()

games = ludus.Game.__subclasses__()
if len(games) != 1:
    raise TypeError(f"game.py needs one class that derives from ludus.Game, not {len(games)}")
Rules = games[0]


class Table:
    """A game that is being played."""

    def __init__(self, setup):
        fewest, most = Rules.seats
        if not fewest <= setup.seats <= most:
            raise ludus.Refused(f"{Rules.name} is played by {fewest} to {most} seats, not by {setup.seats}.")
        options = {name: copy.deepcopy(schema.get("default")) for name, schema in Rules.options.items()}
        self.rules = Rules()
        self.waiting = []
        self.taken = {}
        self.rules.start(setup.seats, options | json.loads(setup.options), ludus_library.draws)

    def next_turn(self):
        turn = self.rules.turn()
        if isinstance(turn, ludus.Outcome):
            counts = [Count(count.seat, count.name, count.times, count.chances) for count in turn.counts]
            scores = [float(score) for score in turn.scores]
            return Turn_Over(Outcome(scores, counts, turn.summary))
        self.waiting = list(turn)
        return Turn_Decide([Request(seat, self.rules.prompt(seat)) for seat in self.waiting])

    def step(self, moves):
        rejections = []
        for move in moves:
            if move.seat not in self.waiting:
                raise ValueError(f"seat {move.seat} is not asked to move")
            try:
                self.taken[move.seat] = self.rules.parse(move.seat, move.text)
            except ludus.Refused as refused:
                rejections.append(Rejection(move.seat, str(refused)))
        self.waiting = [rejection.seat for rejection in rejections]
        if rejections:
            asked = [Request(seat, self.rules.ask_again(seat)) for seat in self.waiting]
            return Progress(rejections, Turn_Decide(asked))
        taken, self.taken = dict(sorted(self.taken.items())), {}
        self.rules.play(taken, ludus_library.draws)
        return Progress([], self.next_turn())


class Game(wit_world.exports.Game):
    """The functions of the contract. componentize-py makes an object for each of them, so the table is the class's."""

    # One instance of a component plays one episode, so one is enough.
    table = None

    def describe(self):
        ludus_library.leave_build()
        schema = {"type": "object", "additionalProperties": False, "properties": Rules.options}
        fewest, most = Rules.seats
        return Manifest(
            Rules.name,
            Rules.version,
            Rules.summary,
            fewest,
            most,
            Rules.steps_max,
            json.dumps(schema),
            list(Rules.house_players),
            list(Rules.abilities),
        )

    def start(self, setup):
        ludus_library.leave_build()
        try:
            Game.table = Table(setup)
        except ludus.Refused as refused:
            raise Err(str(refused)) from None
        return Game.table.next_turn()

    def step(self, moves):
        return Game.table.step(moves)

    def legal_moves(self, seat):
        return Game.table.rules.legal_moves(seat)

    def house_move(self, seat, player):
        try:
            return Game.table.rules.house_move(seat, player, ludus_library.draws)
        except ludus.Refused as refused:
            raise Err(str(refused)) from None

    def view(self, viewer):
        return Game.table.rules.view(viewer)
