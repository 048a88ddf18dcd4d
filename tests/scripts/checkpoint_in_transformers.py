#!/usr/bin/env python3
"""Loads a checkpoint in Hugging Face transformers and compares its greedy replies with Ludus's.

    python3 tests/scripts/checkpoint_in_transformers.py CHECKPOINT [LUDUS_TRAIN]

CHECKPOINT is a folder such as .ludus/runs/quickstart/checkpoints/step-000040; LUDUS_TRAIN is the program, by default
target/release/ludus-train. Needs torch 2.13 and transformers 5 (checked with 5.24.0). Exit code 1 where a reply differs.
"""

import argparse
import subprocess
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    "What is the capital of France?",
    "Count from 1 to 9.",
    "Tic-tac-toe on 3 rows of 3 cells, numbered from 1 row by row.\nYou: 1 2\nOther: 5 9\nFree: 3 4 6 7 8\nYour cell?",
]
TOKENS = 24


def transformers_reply(tokenizer, model, prompt):
    messages = [{"role": "user", "content": prompt}]
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        output = model.generate(**inputs, do_sample=False, max_new_tokens=TOKENS)
    return tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def ludus_reply(program, checkpoint, prompt):
    command = [program, "ask", checkpoint, prompt, "--tokens", str(TOKENS)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.removesuffix("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("program", nargs="?", default="target/release/ludus-train")
    arguments = parser.parse_args()
    checkpoint, program = arguments.checkpoint, arguments.program
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    differing = 0
    for prompt in PROMPTS:
        theirs = transformers_reply(tokenizer, model, prompt)
        ours = ludus_reply(program, checkpoint, prompt)
        same = theirs == ours
        differing += not same
        print("same   " if same else "DIFFERS", repr(ours), "" if same else f"but transformers: {theirs!r}")
    print(f"{len(PROMPTS) - differing} of {len(PROMPTS)} greedy replies are the same")
    sys.exit(1 if differing else 0)


main()
