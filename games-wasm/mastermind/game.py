"""Mastermind: find a secret code from what each guess is told.

A code is some digits, by default 4 from 1 to 6, and digits may repeat. A guess is told its exact matches (right digit, right
place) and its partial ones (right digit elsewhere). The first guess scores 1, each further one less by an equal step, and a
code that is not found scores 0.

One count: of all guesses, the `consistent-guesses`, which could be the code by all that was told before.
"""

import itertools

import ludus
from feedback import feedback

# As many codes as a list of legal moves may have.
CODES_MAX = 4096


class Mastermind(ludus.Game):
    name = "mastermind"
    version = "1.0.0"
    summary = "Mastermind: find a secret code from the exact and partial matches of each guess."
    seats = (1, 1)
    # 20 guesses.
    steps_max = 20
    house_players = ["random", "consistent"]
    abilities = ["deduction", "memory"]
    options = {
        "length": {
            "type": "integer",
            "minimum": 2,
            "maximum": 6,
            "default": 4,
            "description": "How many digits the code has.",
        },
        "colours": {
            "type": "integer",
            "minimum": 2,
            "maximum": 9,
            "default": 6,
            "description": "The digits go from 1 to this. At most 4096 codes: with 5 digits 5, with 6 digits 4.",
        },
        "guesses": {
            "type": "integer",
            "minimum": 1,
            "maximum": 20,
            "default": 10,
            "description": "How many guesses there are.",
        },
    }

    def start(self, seats, options, random):
        self.length = options["length"]
        self.digits = "123456789"[: options["colours"]]
        self.guesses_max = options["guesses"]
        if len(self.digits) ** self.length > CODES_MAX:
            raise ludus.Refused(
                f"`colours` of {len(self.digits)} and `length` of {self.length} make more than {CODES_MAX} codes: "
                "make one of them smaller."
            )
        self.code = self.any_code(random)
        # Each guess with its exact and partial matches.
        self.told = []
        self.consistent = 0

    def any_code(self, random):
        return "".join(random.choice(self.digits) for _ in range(self.length))

    def turn(self):
        found = bool(self.told) and self.told[-1][0] == self.code
        if not found and len(self.told) < self.guesses_max:
            return [0]
        score = 1 - (len(self.told) - 1) / self.guesses_max if found else 0.0
        counts = [ludus.Count(0, "consistent-guesses", self.consistent, len(self.told))]
        summary = f"{self.code} is found in guess {len(self.told)}" if found else f"{self.code} is not found"
        return ludus.Outcome([score], summary, counts)

    def prompt(self, seat):
        left = self.guesses_max - len(self.told)
        begin = self.last_told() if self.told else self.rules()
        return f"{begin}\nGuesses left: {left}. {self.ask_again(seat)}"

    def rules(self):
        return (
            f"Find a secret code of {self.length} digits from 1 to {self.digits[-1]}. A digit may come more than once. "
            "After each guess you are told how many digits are exact (right digit, right place) and how many are "
            "partial (right digit, wrong place)."
        )

    def last_told(self):
        guess, (exact, partial) = self.told[-1]
        return f"{' '.join(guess)}: {exact} exact, {partial} partial."

    def ask_again(self, seat):
        example = " ".join(itertools.islice(itertools.cycle(self.digits), self.length))
        return f"Answer with {self.length} digits, like {example}."

    def parse(self, seat, text):
        guess = "".join(ludus.plain(text).replace(",", " ").split())
        if len(guess) != self.length or any(digit not in self.digits for digit in guess):
            raise ludus.Refused(f"A guess is {self.length} digits from 1 to {self.digits[-1]}.")
        return guess

    def play(self, moves, random):
        for guess in moves.values():
            self.consistent += self.is_consistent(guess)
            self.told.append((guess, feedback(self.code, guess)))

    def is_consistent(self, code):
        """Whether it could be the code by what was told."""
        return all(feedback(code, guess) == matches for guess, matches in self.told)

    def legal_moves(self, seat):
        return [" ".join(code) for code in self.codes()]

    def codes(self):
        """All codes, in rising order."""
        return itertools.product(self.digits, repeat=self.length)

    def house_move(self, seat, player, random):
        if player == "random":
            return " ".join(self.any_code(random))
        if player == "consistent":
            return " ".join(next(code for code in self.codes() if self.is_consistent(code)))
        raise ludus.Refused(f"There is no house player {player}; take random or consistent.")

    def view(self, viewer):
        code = self.code if viewer is None else "hidden"
        lines = [f"{' '.join(guess)}: {exact} exact, {partial} partial" for guess, (exact, partial) in self.told]
        return "\n".join([f"Code: {code}", *lines])
