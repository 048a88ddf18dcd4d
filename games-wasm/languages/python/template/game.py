"""Two players take turns adding 1, 2 or 3 to a total, and whoever reaches the target wins."""

import ludus


class Race(ludus.Game):
    name = "{{name}}"
    version = "1.0.0"
    summary = "Race to a total: add 1, 2 or 3 in turn, and whoever reaches it wins."
    seats = (2, 2)
    # Each move adds at least 1 to a total of at most 100.
    steps_max = 100
    house_players = ["random", "optimal"]
    abilities = ["planning", "arithmetic"]
    options = {
        "target": {
            "type": "integer",
            "minimum": 4,
            "maximum": 100,
            "default": 21,
            "description": "The total to reach.",
        }
    }

    def start(self, seats, options, random):
        self.target = options["target"]
        self.total = 0
        self.mover = random.below(2)
        # The seats that have read the rules.
        self.introduced = set()

    def turn(self):
        if self.total < self.target:
            return [self.mover]
        winner = 1 - self.mover
        scores = [1.0 if seat == winner else 0.0 for seat in range(2)]
        return ludus.Outcome(scores, f"seat {winner} reaches {self.target}")

    def prompt(self, seat):
        if seat in self.introduced:
            return self.ask_again(seat)
        self.introduced.add(seat)
        return (
            "Two players take turns adding 1, 2 or 3 to a total that begins at 0. "
            f"Whoever reaches {self.target} wins.\n{self.ask_again(seat)}"
        )

    def ask_again(self, seat):
        return f"Total: {self.total}. Add 1, 2 or 3."

    def parse(self, seat, text):
        move = text.strip()
        if move not in ("1", "2", "3"):
            raise ludus.Refused("A move is 1, 2 or 3.")
        if self.total + int(move) > self.target:
            raise ludus.Refused(f"{move} would pass {self.target}.")
        return int(move)

    def play(self, moves, random):
        for seat, move in moves.items():
            self.total += move
            self.mover = 1 - seat

    def legal_moves(self, seat):
        return [str(move) for move in (1, 2, 3) if self.total + move <= self.target]

    def house_move(self, seat, player, random):
        if player not in ("random", "optimal"):
            raise ludus.Refused(f"There is no house player {player}.")
        # Whoever leaves a multiple of 4 to go wins.
        best = (self.target - self.total) % 4
        if player == "optimal" and best > 0:
            return str(best)
        return random.choice(self.legal_moves(seat))

    def view(self, viewer):
        return f"Total: {self.total} of {self.target}."
