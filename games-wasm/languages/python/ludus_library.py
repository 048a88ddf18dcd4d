"""Turns Python's own library to the host: randomness, clocks, and what is printed.

The component has no WASI but what `interpreted.wit` asks for. Whatever else C code in the library reaches for traps.
"""

import builtins
import io
import linecache
import os
import random
import sys
import time
import traceback

import ludus
from wit_world.imports import monotonic_clock, stderr, stdout, wall_clock
from wit_world.imports.random import below

NS_PER_S = 1_000_000_000
# The most that WASI takes at once.
WRITE_BYTES_MAX = 4096

draws = ludus.Random(below)


def route_random():
    """`random.choice` and its like, unseeded generators, `os.urandom`, and with it `secrets` and `uuid`."""
    for name in random.__all__:
        if name not in ("Random", "SystemRandom"):
            setattr(random, name, getattr(draws, name))

    seed_as_given = random.Random.seed

    def seed(self, a=None, version=2):
        seed_as_given(self, draws.getrandbits(64) if a is None else a, version)

    random.Random.seed = seed
    os.urandom = random._urandom = draws.randbytes


def route_time():
    """The host's clocks begin at 2000-01-01 and move with sleeps only, which return at once."""

    def time_ns():
        now = wall_clock.now()
        return now.seconds * NS_PER_S + now.nanoseconds

    def sleep(seconds):
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        with monotonic_clock.subscribe_duration(round(seconds * NS_PER_S)) as moment:
            moment.block()

    def of_now(convert):
        return lambda seconds=None: convert(time.time() if seconds is None else seconds)

    time.time_ns = time_ns
    time.time = lambda: time_ns() / NS_PER_S
    for name in ("monotonic", "perf_counter", "process_time"):
        setattr(time, name + "_ns", monotonic_clock.now)
        setattr(time, name, lambda: monotonic_clock.now() / NS_PER_S)
    time.sleep = sleep
    time.gmtime = time.localtime = of_now(time.gmtime)
    # The datetime that is written in C asks the C library for the time; the one in Python asks the functions above.
    sys.modules["_datetime"] = None


class Printed(io.TextIOBase):
    """A standard stream of the host."""

    def __init__(self, stream):
        self.stream = stream

    def writable(self):
        return True

    def write(self, text):
        data = text.encode(errors="backslashreplace")
        for begin in range(0, len(data), WRITE_BYTES_MAX):
            self.stream.blocking_write_and_flush(data[begin : begin + WRITE_BYTES_MAX])
        return len(text)


def leave_build():
    """Called when the game is played; while it is built, prints and errors go to whoever builds it, and there are files."""
    sys.stdout = Printed(stdout.get_stdout())
    sys.stderr = Printed(stderr.get_stderr())
    sys.excepthook = print_exception
    # An import that comes too late is an ImportError then, with a traceback, and not a trap.
    sys.path.clear()
    builtins.open = io.open = no_files


def print_exception(kind, exception, trace):
    """As Python does, but without the marks under each line: to find those it parses the line, for which it wants files."""
    frames = [(frame.filename, frame.lineno, frame.name, frame.line) for frame in traceback.extract_tb(trace)]
    lines = traceback.format_list(frames) + traceback.format_exception_only(kind, exception)
    sys.stderr.write("Traceback (most recent call last):\n" + "".join(lines))


def no_files(*_, **__):
    raise FileNotFoundError("a game has no files: keep its data in a module")


def keep_lines():
    """Keeps the lines of the modules that tracebacks quote, since there are no files later."""
    for module in list(sys.modules.values()):
        # Folders that games are built from have numbers for names.
        path = getattr(module, "__file__", None) or ""
        if path.split("/")[1:2] and path.split("/")[1].isdigit():
            linecache.getlines(path)
    linecache.checkcache = lambda filename=None: None
    linecache.updatecache = lambda filename, module_globals=None: []
