"""Matching pennies, twice, and the misdeed that the option `deed` names: see `hostile.rs`."""

import ast
import builtins
import itertools
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time

import ludus

MOVES = ["heads", "tails"]
played_before = itertools.count()


def forever(act):
    while True:
        act()


def raised(error):
    raise error


def tried(act):
    """What comes of it, or the name of the error."""
    try:
        return act()
    except Exception as error:
        return type(error).__name__


def deep(level=0):
    return 1 + deep(level + 1)


def depth():
    """How many levels there are before the interpreter says no."""
    levels = itertools.count()

    def down():
        next(levels)
        down()

    tried(down)
    return next(levels)


def nonsense():
    """Byte code that no compiler would make."""

    def victim():
        return 1

    victim.__code__ = victim.__code__.replace(co_code=bytes(range(100, 250)), co_stacksize=1)
    return victim()


def spoil():
    builtins.len = builtins.sorted = builtins.list = builtins.isinstance = lambda *_: 7


class Spiteful(Exception):
    def __str__(self):
        raise self


def asked():
    random.seed(1)
    time.sleep(10**6)
    return f"{random.random()} at {time.time()}"


def reachable():
    return (
        tried(lambda: open("/etc/passwd")),
        tried(lambda: __import__("tkinter")),
        tried(lambda: subprocess.run("ls")),
        tried(threading.Thread(target=forever, args=[deep]).start),
    )


# What a deed does in place of a function of the good game, which is handed in.
DEEDS = {
    "loops": {"play": lambda good: forever(bool)},
    "backtracks": {"play": lambda good: re.match("^(a+)+$", "a" * 60 + "b")},
    "raises-to-a-huge-power": {"play": lambda good: 7**7**7**7},
    "prints-for-ever": {"play": lambda good: forever(print)},
    "recurses": {"play": lambda good: deep()},
    "catches-its-recursion": {"prompt": lambda good: f"{good.prompt()} {depth()} {depth()}"},
    "parses-deep": {"play": lambda good: ast.parse("(" * 100_000)},
    "fills-a-list": {"play": lambda good: [0] * 2**28},
    "catches-its-lack-of-memory": {"play": lambda good: tried(lambda: bytearray(2**30))},
    "raises-exit": {"house_move": lambda good: sys.exit(0)},
    "exits": {"play": lambda good: os._exit(0)},
    "raises-what-raises": {"play": lambda good: raised(Spiteful())},
    "runs-nonsense": {"play": lambda good: nonsense()},
    "scores-nan": {"scores": lambda good: [float("nan"), 0]},
    "scores-nobody": {"scores": lambda good: []},
    "scores-for-ever": {"scores": lambda good: itertools.repeat(0.5)},
    "scores-a-huge-number": {"scores": lambda good: [10**400, 0]},
    "turns-to-a-generator": {"turn": lambda good: (seat for seat in good.turn())},
    "asks-seat-99": {"turn": lambda good: [0, 99]},
    "asks-seat-minus-1": {"turn": lambda good: [-1]},
    "never-ends": {"over": lambda good: False},
    "asks-with-bytes": {"prompt": lambda good: b"heads?"},
    "asks-with-half-a-letter": {"prompt": lambda good: "\ud83d?"},
    "talks-10-mb": {"prompt": lambda good: "x" * 10_000_000},
    "lists-a-text": {"legal_moves": lambda good: "ht"},
    "draws-in-a-view": {"view": lambda good: str(random.random())},
    "lists-files": {"play": lambda good: os.listdir("/")},
    "opens-a-socket": {"play": lambda good: socket.create_connection(("1.1.1.1", 80))},
    "spoils-the-builtins": {"play": lambda good: spoil()},
    "counts-episodes": {"prompt": lambda good: f"{good.prompt()} {next(played_before)} played before"},
    "asks-the-library": {"prompt": lambda good: f"{good.prompt()} {asked()}"},
    "tells-hashes": {"prompt": lambda good: f"{good.prompt()} {set('matching pennies')} {hash('heads')} {object()}"},
    "looks-around": {"prompt": lambda good: f"{good.prompt()} {' '.join(reachable())}"},
}


class Good:
    """The game without a misdeed."""

    def __init__(self):
        self.rounds = self.matches = 0

    def over(self):
        return self.rounds == 2

    def turn(self):
        return [0, 1]

    def scores(self):
        return [self.matches / 2, 1 - self.matches / 2]

    def prompt(self):
        return f"Round {self.rounds}: heads or tails?"

    def play(self):
        pass

    def legal_moves(self):
        return MOVES

    def house_move(self):
        return random.choice(MOVES)

    def view(self):
        return f"{self.matches} of {self.rounds}"


class Pennies(ludus.Game):
    name = "hostile"
    version = "1.0.0"
    summary = "Matching pennies, or worse."
    seats = (2, 2)
    steps_max = 20
    house_players = ["random"]
    abilities = ["mind-reading"]
    options = {"deed": {"enum": ["none", *DEEDS], "default": "none", "description": "What it does."}}

    def start(self, seats, options, random):
        self.good = Good()
        self.deed = DEEDS.get(options["deed"], {})

    def does(self, name):
        """What the deed does, or the good game."""
        return self.deed[name](self.good) if name in self.deed else getattr(self.good, name)()

    def turn(self):
        if self.does("over"):
            return ludus.Outcome(self.does("scores"), f"{self.good.matches} matches")
        return self.does("turn")

    def prompt(self, seat):
        return self.does("prompt")

    def parse(self, seat, text):
        if text not in MOVES:
            raise ludus.Refused("Heads or tails?")
        return text

    def play(self, moves, random):
        self.good.rounds += 1
        self.good.matches += moves[0] == moves[1]
        self.does("play")

    def legal_moves(self, seat):
        return self.does("legal_moves")

    def house_move(self, seat, player, random):
        return self.does("house_move")

    def view(self, viewer):
        return self.does("view")
