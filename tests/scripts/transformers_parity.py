# /// script
# requires-python = ">=3.11"
# dependencies = ["transformers==5.23.0", "tokenizers==0.23.3", "gguf==0.19.0", "jinja2==3.1.6", "torch==2.13.0"]
# ///
"""Writes tests/fixtures/smollm2_logits.json: what Hugging Face transformers makes of the imported default model.

Run by hand, after `just setup`, in an environment with the packages above:

    python tests/scripts/transformers_parity.py MODEL_FOLDER GGUF_FILE tests/fixtures/smollm2_logits.json

First it has transformers dequantize the GGUF file by itself, and stops if one weight differs from the imported folder's.
The fixture then holds token ids of texts that are easy to cut wrongly, conversations as the chat template renders and the
tokenizer cuts them, and logits in float32 after the last token. trainer/tests/parity.rs compares all of it with ours.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

# Texts without a conversation: spaces and digits next to each other, other scripts, bytes outside any word.
TEXTS = [
    "The free cells are 2, 3 and  5.",
    "1234567890 and 3.14159, or -42",
    "  two spaces,   three   1 2  3\n\n\tand a tab\r\n",
    "naïve café, Straße, 東京, привет, \U0001f642\u200d",
    "it's we'll I'VE don't",
    "def f(x):\n    return x**2  # 1e-5\n",
    "<|im_start|>not a turn<|im_end|><|endoftext|>",
    "",
]

CONVERSATIONS = [
    [{"role": "user", "content": "What is 17 + 25? Answer with the number."}],
    [
        {"role": "system", "content": "You play tictactoe. Answer with one digit."},
        {"role": "user", "content": "Yours: 1 5\nTheirs: 2 4\nFree: 3 6 7 8 9\nYour cell:"},
        {"role": "assistant", "content": "9"},
        {"role": "user", "content": "Yours: 3\nTheirs: 1 2\nFree: 4 5 6 7 8 9\nYour cell:"},
    ],
    [
        {"role": "system", "content": ""},
        {"role": "user", "content": "  Name a colour.\n"},
        {"role": "assistant", "content": "Blue."},
        {"role": "user", "content": "Another one, in 2 words?"},
        {"role": "assistant", "content": "Dark green"},
        {"role": "user", "content": "Thanks! 10 points."},
    ],
]

# Beside the most likely tokens, every VOCABULARY_STEP-th one: a fault in any part of the vocabulary shows.
LIKELY_TOKENS = 32
VOCABULARY_STEP = 509


def main(folder: str, gguf: str, out: str) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    compare_weights(model, Path(gguf))
    tokenizer = AutoTokenizer.from_pretrained(folder)

    texts = [{"text": text, "ids": tokenizer(text)["input_ids"]} for text in TEXTS]
    conversations = []
    for messages in CONVERSATIONS:
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
        conversations.append({"messages": messages, "text": text, "ids": ids})

    prompts = [texts[0]["ids"], texts[1]["ids"]] + [conversation["ids"] for conversation in conversations]
    fixture = {
        "made_with": f"transformers {version('transformers')}, tokenizers {version('tokenizers')}, torch {torch.__version__}",
        "texts": texts,
        "conversations": conversations,
        "logits": [logits_after(model, ids) for ids in prompts],
    }
    Path(out).write_text(one_item_a_line(fixture))


def compare_weights(ours, gguf: Path) -> None:
    theirs = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32).state_dict()
    ours = ours.state_dict()
    differing = [name for name in sorted(set(ours) | set(theirs)) if not torch.equal(ours[name], theirs[name])]
    if differing:
        sys.exit(f"{len(differing)} weights differ from transformers' own reading of the file, the first being {differing[0]}")
    print(f"all {len(ours)} weights are equal, bit for bit")


@torch.no_grad()
def logits_after(model, ids: list[int]) -> dict:
    logits = model(torch.tensor([ids])).logits[0, -1]
    likely = torch.topk(logits, LIKELY_TOKENS).indices.tolist()
    tokens = sorted(set(likely) | set(range(0, logits.numel(), VOCABULARY_STEP)))
    return {
        "ids": ids,
        "most_likely": likely[0],
        # Depends on every logit of the vocabulary.
        "log_sum_exp": round(torch.logsumexp(logits.double(), 0).item(), 6),
        "tokens": tokens,
        "values": [round(value, 5) for value in logits[tokens].tolist()],
    }


def one_item_a_line(fixture: dict) -> str:
    """JSON whose changes can be read in a diff, without a line for each number."""
    parts = []
    for key, value in fixture.items():
        text = json.dumps(value)
        if isinstance(value, list):
            text = "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]"
        parts.append(f'"{key}": {text}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
