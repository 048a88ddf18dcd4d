"""A contender for `just bench-host`: tic-tac-toe of another system under random legal play.

usage: bench_peers.py openspiel|openspiel-numbers|textarena

For each number of episodes on a line of its input it plays so many, with the text of the position and the legal moves at
every step, and answers with a line of its own: steps and nanoseconds. Legal moves are texts, as a language model reads them;
`openspiel-numbers` leaves them as OpenSpiel's numbers.
"""

import random
import sys
import time


def openspiel(with_move_texts):
    import pyspiel

    game = pyspiel.load_game("tic_tac_toe")

    def play(seed):
        draws = random.Random(seed)
        state = game.new_initial_state()
        steps = 0
        while not state.is_terminal():
            player = state.current_player()
            state.observation_string(player)
            actions = state.legal_actions()
            if with_move_texts:
                [state.action_to_string(player, action) for action in actions]
            state.apply_action(draws.choice(actions))
            steps += 1
        return steps

    return play


def textarena():
    import textarena

    def play(seed):
        draws = random.Random(seed)
        # Its reset keeps the history of the game before, so that every episode needs an environment of its own.
        env = textarena.make("TicTacToe-v0")
        env.reset(num_players=2, seed=seed)
        free = list(range(9))
        done, steps = False, 0
        while not done:
            env.get_observation()
            # The moves that its own prompt lists.
            done, _ = env.step(f"[{free.pop(draws.randrange(len(free)))}]")
            steps += 1
        return steps

    return play


def main():
    contenders = {
        "openspiel": lambda: openspiel(with_move_texts=True),
        "openspiel-numbers": lambda: openspiel(with_move_texts=False),
        "textarena": textarena,
    }
    play = contenders[sys.argv[1]]()
    for line in sys.stdin:
        began = time.perf_counter_ns()
        steps = sum(play(seed) for seed in range(int(line)))
        print(steps, time.perf_counter_ns() - began, flush=True)


main()
