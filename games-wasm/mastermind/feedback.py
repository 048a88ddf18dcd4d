"""What a guess is told."""

from operator import eq


def feedback(code, guess):
    """How many digits match exactly, and how many more are in the code at another place."""
    exact = sum(map(eq, code, guess))
    common = sum(min(code.count(digit), guess.count(digit)) for digit in set(guess))
    return exact, common - exact
