#!/usr/bin/env python3
"""Loads a model's folder in Hugging Face transformers and compares with Ludus: what a model reads, and its greedy replies.

    python3 tests/scripts/checkpoint_in_transformers.py FOLDER [LUDUS_TRAIN]

FOLDER is a checkpoint such as .ludus/runs/quickstart/checkpoints/step-000024, or any model in the same layout; LUDUS_TRAIN is
the program, by default target/release/ludus-train. Needs torch 2.13 and transformers 5 (checked with 5.23.0). Exit code 1
where anything differs.
"""

import argparse
import subprocess
import sys
from datetime import datetime

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import chat_template_utils

# The system text or None, earlier turns, and what the user says.
CONVERSATIONS = [
    (None, [], "What is the capital of France?"),
    (None, [], "Count from 1 to 9."),
    ("You answer with one number.", [("1 + 1 = ?", "2"), ("12 + 30 = ?", "42")], "7 + 5 = ?"),
    (
        None,
        [("Name a colour.", "Blue.")],
        "Tic-tac-toe on 3 rows of 3 cells, numbered from 1 row by row.\nYou: 1 2\nOther: 5 9\nFree: 3 4 6 7 8\nYour cell?",
    ),
]
TOKENS = 24


class LudusDay:
    """The clock of templates that name the day: Ludus always tells them this one."""

    @staticmethod
    def now():
        return datetime(2026, 1, 1)


def transformers_answers(tokenizer, model, system, turns, text):
    messages = [{"role": "system", "content": system}] if system is not None else []
    for user, reply in turns:
        messages += [{"role": "user", "content": user}, {"role": "assistant", "content": reply}]
    messages.append({"role": "user", "content": text})
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        output = model.generate(**inputs, do_sample=False, max_new_tokens=TOKENS)
    read = inputs["input_ids"].shape[1]
    prompt = tokenizer.decode(output[0, :read], clean_up_tokenization_spaces=False)
    return prompt, tokenizer.decode(output[0, read:], skip_special_tokens=True, clean_up_tokenization_spaces=False)


def ludus_answers(program, folder, system, turns, text):
    command = [program, "ask", folder, text, "--tokens", str(TOKENS)]
    command += ["--system", system] if system is not None else []
    for turn in turns:
        command += ["--turn", *turn]
    run = lambda *more: subprocess.run([*command, *more], check=True, capture_output=True).stdout.decode()
    return tuple(text.removesuffix("\n") for text in (run("--prompt"), run()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("program", nargs="?", default="target/release/ludus-train")
    arguments = parser.parse_args()
    chat_template_utils.datetime = LudusDay
    tokenizer = AutoTokenizer.from_pretrained(arguments.folder)
    model = AutoModelForCausalLM.from_pretrained(arguments.folder, dtype=torch.float32).eval()
    differing = 0
    for conversation in CONVERSATIONS:
        theirs = transformers_answers(tokenizer, model, *conversation)
        ours = ludus_answers(arguments.program, arguments.folder, *conversation)
        for name, our, their in zip(("prompt", "reply"), ours, theirs):
            same = our == their
            differing += not same
            print("same   " if same else "DIFFERS", name, repr(our), "" if same else f"but transformers: {their!r}")
    count = 2 * len(CONVERSATIONS)
    print(f"{count - differing} of {count} prompts and greedy replies are the same")
    sys.exit(1 if differing else 0)


main()
