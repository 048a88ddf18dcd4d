#!/usr/bin/env python3
"""Reads a recorded episode without any of Ludus's code: parses it, hashes it, checks its sums, prints it.

    python3 tests/scripts/read_record.py RECORD             a file of a record's bytes (`ludus show HASH --record`), or - for standard input
    python3 tests/scripts/read_record.py STORE HASH         an episode of a store, such as .ludus

Written from docs/record-format.md, with Python's standard library alone. Exit code 1 where something is not as it should be.
"""

import json
import sqlite3
import struct
import sys
from pathlib import Path

# BLAKE3 as its specification describes it (https://github.com/BLAKE3-team/BLAKE3-specs).
IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
BLOCK_BYTES, CHUNK_BYTES = 64, 1024
MASK = 0xFFFFFFFF


def rotated(word, bits):
    return (word >> bits | word << (32 - bits)) & MASK


def mix(state, a, b, c, d, x, y):
    state[a] = (state[a] + state[b] + x) & MASK
    state[d] = rotated(state[d] ^ state[a], 16)
    state[c] = (state[c] + state[d]) & MASK
    state[b] = rotated(state[b] ^ state[c], 12)
    state[a] = (state[a] + state[b] + y) & MASK
    state[d] = rotated(state[d] ^ state[a], 8)
    state[c] = (state[c] + state[d]) & MASK
    state[b] = rotated(state[b] ^ state[c], 7)


def compress(chaining, block, counter, length, flags):
    """The first half of the compression function's output: eight words."""
    words = list(struct.unpack("<16I", block.ljust(BLOCK_BYTES, b"\0")))
    state = [*chaining, *IV[:4], counter & MASK, counter >> 32, length, flags]
    for _ in range(7):
        for lane in range(4):
            mix(state, lane, 4 + lane, 8 + lane, 12 + lane, words[2 * lane], words[2 * lane + 1])
        for lane in range(4):
            diagonal = (lane, 4 + (lane + 1) % 4, 8 + (lane + 2) % 4, 12 + (lane + 3) % 4)
            mix(state, *diagonal, words[8 + 2 * lane], words[9 + 2 * lane])
        words = [words[index] for index in PERMUTATION]
    return tuple(state[lane] ^ state[8 + lane] for lane in range(8))


def chunk(data, counter, flags):
    chaining = IV
    blocks = [data[start : start + BLOCK_BYTES] for start in range(0, max(len(data), 1), BLOCK_BYTES)]
    for index, block in enumerate(blocks):
        own = CHUNK_START * (index == 0) | (CHUNK_END | flags) * (index == len(blocks) - 1)
        chaining = compress(chaining, block, counter, len(block), own)
    return chaining


def subtree(data, counter, flags):
    if len(data) <= CHUNK_BYTES:
        return chunk(data, counter, flags)
    # The left side holds the largest power of two of chunks that leaves something for the right side.
    chunks = (len(data) - 1) // CHUNK_BYTES
    left = CHUNK_BYTES * (1 << chunks.bit_length() - 1)
    halves = subtree(data[:left], counter, 0) + subtree(data[left:], counter + left // CHUNK_BYTES, 0)
    return compress(IV, struct.pack("<16I", *halves), 0, BLOCK_BYTES, PARENT | flags)


def blake3(data):
    return struct.pack("<8I", *subtree(data, 0, ROOT)).hex()


class Wrong(Exception):
    """The record is not what its format says."""


FIELDS = {
    "episode": ["line", "version", "task", "components", "learner", "seed", "member"],
    "stage": ["line", "stage", "game", "component", "options", "seats", "learner_seat", "players"],
    "ask": ["line", "seat", "prompt"],
    "reply": ["line", "seat", "by", "text"],
    "verdict": ["line", "seat", "verdict", "reason"],
    "fault": ["line", "kind", "call", "seat", "player"],
    "truncated": ["line"],
    "stage-end": ["line", "stage", "ended", "score", "scores", "counts", "summary"],
    "end": ["line", "combined", "return"],
}


def parse(data):
    if not data.endswith(b"\n"):
        raise Wrong("its last line is cut off")
    lines = []
    for number, text in enumerate(data.decode("utf-8").split("\n")[:-1], 1):
        line = json.loads(text)
        if list(line) != FIELDS.get(line.get("line")):
            raise Wrong(f"line {number} has the fields {list(line)}")
        lines.append(line)
    if not lines or lines[0]["line"] != "episode":
        raise Wrong("it does not begin with the line `episode`")
    if lines[0]["version"] != 1:
        raise Wrong(f"its format version is {lines[0]['version']}, and this reader knows version 1")
    return lines


def combined(how, scores, thresholds):
    if how == "mean":
        return sum(scores) / len(scores)
    if how == "min":
        return min(scores)
    if how == "all":
        return float(all(score >= threshold for score, threshold in zip(scores, thresholds)))
    product = 1.0
    for score in scores:
        product *= score
    return product


def check_return(lines):
    """Works the return out again from the stages' scores and the learner's failed replies."""
    task = lines[0]["task"]
    scores = [0.0] * len(task["stages"])
    failed = {"malformed": 0, "illegal": 0}
    learner_seat, ended = None, []
    for line in lines:
        if line["line"] == "stage":
            learner_seat = line["learner_seat"]
        elif line["line"] == "verdict" and line["seat"] == learner_seat and line["verdict"] in failed:
            failed[line["verdict"]] += 1
        elif line["line"] == "stage-end":
            scores[line["stage"]] = line["score"]
            ended.append(line["ended"])
    total = combined(task["combine"], scores, [stage["threshold"] for stage in task["stages"]])
    if task["truncation"] == "forfeit" and "truncated" in ended:
        total = 0.0
    wanted = total - task["malformed_penalty"] * failed["malformed"] - task["illegal_penalty"] * failed["illegal"]
    written = lines[-1]
    if written["line"] != "end" or written["combined"] != total or written["return"] != wanted:
        raise Wrong(f"its last line says {written}, and its stages come to {total} and {wanted}")


def story(line):
    """One line of a record in words."""
    kind = line["line"]
    if kind == "episode":
        return f"task {line['task']['name']}, seed {line['seed']}, member {line['member']}, learner {line['learner']}"
    if kind == "stage":
        return f"stage {line['stage'] + 1}: {line['game']} {json.dumps(line['options'])}, players {', '.join(line['players'])}"
    if kind == "ask":
        return f"  seat {line['seat']} is asked (prompt {line['prompt'][:12]})"
    if kind == "reply":
        return f"  seat {line['seat']} ({line['by']}): {json.dumps(line['text'], ensure_ascii=False)}"
    if kind == "verdict":
        return f"    {line['verdict']}" + (f": {line['reason']}" if line["reason"] else "")
    if kind == "fault":
        return f"  the game misbehaved: {line['kind']} in {line['call']}"
    if kind == "truncated":
        return "  the learner ran out of tokens"
    if kind == "stage-end":
        return f"  {line['ended']}, score {line['score']}: {line['summary']}"
    return f"return {line['return']}"


def bytes_of(arguments):
    if len(arguments) == 1:
        return (sys.stdin.buffer.read() if arguments[0] == "-" else Path(arguments[0]).read_bytes()), None
    store = sqlite3.connect(f"file:{Path(arguments[0]) / 'episodes.sqlite3'}?mode=ro", uri=True)
    rows = store.execute("SELECT hash, record FROM episodes WHERE hash LIKE ? || '%'", (arguments[1],)).fetchall()
    if len(rows) != 1:
        raise Wrong(f"{len(rows)} episodes of the store begin with {arguments[1]}")
    return rows[0][1], rows[0][0]


def main(arguments):
    if not 1 <= len(arguments) <= 2:
        sys.exit(__doc__.strip())
    try:
        data, expected = bytes_of(arguments)
        lines = parse(data)
        for line in lines:
            print(story(line))
        digest = blake3(data)
        print("hash", digest)
        if expected not in (None, digest):
            raise Wrong(f"the store calls it {expected}")
        check_return(lines)
    except (Wrong, ValueError, OSError, sqlite3.Error) as error:
        sys.exit(f"read_record: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
