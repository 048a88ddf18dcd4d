# /// script
# requires-python = ">=3.11"
# dependencies = ["transformers==5.23.0", "tokenizers==0.23.3", "gguf==0.19.0", "jinja2==3.1.6", "torch==2.13.0", "trl==1.16.0"]
# ///
"""Writes tests/fixtures/families: a tiny random model of each family as transformers saves it, and what it answers.

Run by hand, in an environment with the packages above (trl without its dependencies: only its chat templates are read):

    python tests/scripts/family_parity.py tests/fixtures/families

In each folder `chat_template.jinja` is written by hand, in our own words, and stays; a conversation that it renders otherwise
than the family's own template in trl stops this script. All else is made here, the same on every run: the model in
transformers' layout, `expected.json` with what transformers computes and renders, and of some models `model.gguf`, written by
llama.cpp's package. Beside the folders lie `encodings.gguf`, blocks of every GGUF encoding next to their numbers, and
`rope.json`, frequencies of scaled rotary positions. trainer/tests/families.rs compares all of it with ours.

    python tests/scripts/family_parity.py tests/fixtures/families --originals OUT

writes the same models to OUT with the families' own templates, for tests/scripts/checkpoint_in_transformers.py.
"""

import json
import sys
from datetime import datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.utils import chat_template_utils

LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
CHATML = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LLAMA3 = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]

# Odd shapes: groups of query heads, heads that are no part of the width, more rows than tokens. `original` is the template in
# trl that the folder's own must agree with; `long` is the length of one text, far from the first position.
FAMILIES = {
    "smollm2": dict(
        config=LlamaConfig, cut="smollm", special=CHATML, bos=1, eos=[2], rows=271,
        shape=dict(hidden_size=36, intermediate_size=60, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=3,
                   head_dim=6, max_position_embeddings=2048, tie_word_embeddings=True),
        rope={"rope_type": "default", "rope_theta": 100000.0}, long=(200, 1800),
    ),
    "llama3": dict(
        config=LlamaConfig, cut="llama-bpe", special=LLAMA3, bos=0, eos=[1, 4], rows=273, original="llama3_2",
        shape=dict(hidden_size=32, intermediate_size=52, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=1,
                   head_dim=16, max_position_embeddings=131072, tie_word_embeddings=False),
        rope=LLAMA3_ROPE, long=(1500, 129000), gguf="F16",
    ),
    "qwen2": dict(
        config=Qwen2Config, cut="qwen2", special=CHATML, bos=0, eos=[2], rows=275, original="qwen2_5", shards=True,
        shape=dict(hidden_size=40, intermediate_size=56, num_hidden_layers=2, num_attention_heads=5, num_key_value_heads=1,
                   max_position_embeddings=4096, tie_word_embeddings=False),
        rope={"rope_type": "default", "rope_theta": 1000000.0}, long=(300, 3000), gguf="BF16",
    ),
    "qwen2_tied": dict(
        config=Qwen2Config, cut="qwen2", special=CHATML, bos=0, eos=[2], rows=271, original="qwen2_5", dtype=torch.float32,
        shape=dict(hidden_size=40, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                   max_position_embeddings=4096, tie_word_embeddings=True),
        rope={"rope_type": "default", "rope_theta": 1000000.0}, long=(300, 3000),
    ),
    "qwen3": dict(
        config=Qwen3Config, cut="qwen2", special=CHATML, plain=["<think>", "</think>"], bos=0, eos=[2, 0], rows=288,
        original="qwen3",
        shape=dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1,
                   head_dim=32, max_position_embeddings=4096, tie_word_embeddings=True),
        rope={"rope_type": "default", "rope_theta": 1000000.0}, long=(300, 3000), gguf="Q8_0",
    ),
}  # fmt: skip

# Texts that each rule cuts otherwise: digits, spaces, apostrophes, and an accent that may be composed.
TEXTS = [
    "The 1234567 cells, 12 and  3.",
    "it's WE'LL\r\n\n\tthe end  \n cafe\u0301 \u6771\u4eac \U0001f642",
    "<|im_start|>the<|im_end|><think>x</think><|eot_id|>",
    "",
]

USER, ASSISTANT = "user", "assistant"
CONVERSATIONS = [
    [(USER, "What is 17 + 25?")],
    [("system", "Answer with one digit."), (USER, "Yours: 1 5\nFree: 3 6"), (ASSISTANT, "3"), (USER, "Free: 6")],
    [(USER, " Name a colour.\n"), (ASSISTANT, "Blue."), (USER, "And?"), (ASSISTANT, "Red, 2"), (USER, "Thanks\u00e9!")],
    [("system", ""), (USER, "x")],
]
# The day of every prompt here and in Ludus.
TODAY = datetime(2026, 1, 1)

MERGES = ["t h", "th e", "i n", "\u0120 the", "\u0120 in", "1 2", "12 3", "o n", "e r"]
LLAMA3_DIGITS, QWEN_DIGITS = r"\p{N}{1,3}", r"\p{N}"


def split(digits):
    words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits
    pattern = Regex(words + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(pattern, "isolated"), pieces])


def tokenizer_of(family):
    """A byte-level tokenizer of a few merges, with the family's special tokens and its rule for cutting texts."""
    special, plain = family["special"], family.get("plain", [])
    words = special + sorted(pre_tokenizers.ByteLevel.alphabet()) + [merge.replace(" ", "") for merge in MERGES] + plain
    merges = [tuple(merge.split(" ")) for merge in MERGES]
    bpe = models.BPE({word: id for id, word in enumerate(words)}, merges, ignore_merges=family["cut"] == "llama-bpe")
    tokenizer = Tokenizer(bpe)
    tokenizer.decoder = decoders.ByteLevel()
    if family["cut"] == "smollm":
        parts = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    else:
        tokenizer.pre_tokenizer = split(LLAMA3_DIGITS if family["cut"] == "llama-bpe" else QWEN_DIGITS)
    if family["cut"] == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in plain])
    # The last special token ends a turn.
    bos, end = special[family["bos"]], special[-1]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=bos, eos_token=end, clean_up_tokenization_spaces=False
    )


def model_of(family):
    """Random weights that bfloat16 and float16 both hold exactly, so that a copy in either is the same network."""
    eos = family["eos"]
    config = family["config"](
        vocab_size=family["rows"], rope_parameters=family["rope"], rms_norm_eps=1e-5, hidden_act="silu", **family["shape"],
        bos_token_id=family["bos"], eos_token_id=eos[0] if len(eos) == 1 else eos, pad_token_id=None,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        numbers = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            numbers = 1 + numbers / 4
        else:
            numbers = numbers / (2 if "q_" in name or "k_" in name or "embed" in name else 6)
        parameter.data = numbers if "dtype" in family else (numbers * 64).round().clamp(-127, 127) / 64
    if "gguf" in family and family["gguf"] == "Q8_0":
        # Numbers that survive this encoding as well: each block's greatest is 127 steps, somewhere and of either sign.
        for parameter in (parameter for parameter in model.parameters() if parameter.dim() == 2):
            blocks = parameter.data.view(-1, 32)
            at = torch.randint(0, 32, (len(blocks), 1), generator=generator)
            sign = torch.randint(0, 2, (len(blocks), 1), generator=generator) * 2.0 - 1
            blocks.scatter_(1, at, sign * 127 / 64)
    model.generation_config.pad_token_id = None
    return model.eval()


def draws(count, below, seed):
    """Token ids from a linear congruential generator."""
    ids = []
    for _ in range(count):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        ids.append((seed >> 33) % below)
    return ids


@torch.no_grad()
def logits_of(model, ids, first_position, at):
    positions = torch.arange(first_position, first_position + len(ids))
    logits = model(torch.tensor([ids]), position_ids=positions[None]).logits[0]
    rows = [[round(value, 5) for value in logits[place].tolist()] for place in at]
    return {"ids": ids, "first_position": first_position, "at": at, "logits": rows}


def expected_of(family, model, tokenizer):
    rows = family["rows"]
    length, first = family["long"]
    runs = [(draws(count, rows, count), 0, [count - 1]) for count in (1, 7, 33, 70)]
    runs.append((draws(length, rows, 5), 0, [length // 2, length - 1]))
    runs.append((draws(20, rows, 6), first, [19]))
    return {
        "made_with": f"transformers {version('transformers')}, tokenizers {version('tokenizers')}, torch {torch.__version__}",
        "runs": [logits_of(model, *run) for run in runs],
        "texts": [{"text": text, "ids": tokenizer(text, add_special_tokens=False)["input_ids"]} for text in TEXTS],
        "conversations": [conversation(tokenizer, turns) for turns in CONVERSATIONS],
    }


def conversation(tokenizer, turns):
    messages = [{"role": role, "content": text} for role, text in turns]
    written = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
    return {"messages": messages, "text": written, "ids": ids}


class FixedDay:
    @staticmethod
    def now():
        return TODAY


def original_template(family):
    if "original" not in family:
        return None
    package = find_spec("trl").submodule_search_locations[0]
    return (Path(package) / "chat_templates" / f"{family['original']}.jinja").read_text()


def check_template(name, family, tokenizer):
    ours, original = tokenizer.chat_template, original_template(family)
    if original is None:
        return
    written = [conversation(tokenizer, turns)["text"] for turns in CONVERSATIONS]
    tokenizer.chat_template = original
    if written != [conversation(tokenizer, turns)["text"] for turns in CONVERSATIONS]:
        sys.exit(f"{name}/chat_template.jinja renders otherwise than the family's own template")
    tokenizer.chat_template = ours


def write_gguf(path, name, family, model, tokenizer):
    """The model as llama.cpp's converter writes it."""
    config, kind = model.config, gguf.GGMLQuantizationType[family["gguf"]]
    architecture = config.model_type
    heads = config.num_attention_heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name(name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(family["rope"]["rope_theta"])
    if "head_dim" in family["shape"]:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    if architecture == "llama":
        writer.add_rope_dimension_count(head_dim)

    backend = tokenizer.backend_tokenizer
    words = [backend.id_to_token(id) or f"[PAD{id}]" for id in range(config.vocab_size)]
    types = gguf.TokenType
    kinds = {word: types.CONTROL for word in family["special"]} | {word: types.USER_DEFINED for word in family.get("plain", [])}
    used = backend.get_vocab_size()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(family["cut"])
    writer.add_token_list(words)
    writer.add_token_types([kinds.get(word, types.NORMAL) if id < used else types.UNUSED for id, word in enumerate(words)])
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(family["bos"])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_chat_template(tokenizer.chat_template)

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], config.num_hidden_layers)
    if family["rope"]["rope_type"] == "llama3":
        scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
        unscaled = 1 / config.rope_parameters["rope_theta"] ** (torch.arange(0, head_dim, 2).float() / head_dim)
        writer.add_tensor("rope_freqs.weight", (unscaled / scaled).numpy())
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = tensor.float().numpy()
        if architecture == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
            # llama.cpp rotates neighbours: rows of each head go from halves to pairs.
            count = heads if "q_proj" in name else config.num_key_value_heads
            array = array.reshape(count, 2, head_dim // 2, -1).swapaxes(1, 2).reshape(array.shape)
        name = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if array.ndim == 1:
            writer.add_tensor(name, array)
            continue
        packed = gguf.quants.quantize(np.ascontiguousarray(array), kind)
        if not np.array_equal(gguf.quants.dequantize(packed, kind), array):
            sys.exit(f"{name} is another tensor once it is {kind.name}")
        writer.add_tensor(name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_encodings(path):
    """Random blocks of each encoding, and their numbers as llama.cpp's package reads them."""
    # Where the 16-bit floats of a block stand: any bits elsewhere are numbers, but these might be infinite.
    scales = {"F16": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    for name, places in scales.items():
        kind = gguf.GGMLQuantizationType[name]
        values, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (max(1, 1024 // values), size), dtype=np.uint8)
        for place in places:
            numbers = random.normal(0, 0.01, len(blocks)).astype(np.float16)
            blocks[:, place : place + 2] = numbers.view(np.uint8).reshape(-1, 2)
        row = blocks.reshape(1, -1)
        writer.add_tensor(f"{name}.numbers", gguf.quants.dequantize(row, kind).astype(np.float32))
        writer.add_tensor(f"{name}.blocks", row.view(np.float16) if name == "F16" else row, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_frequencies(path):
    others = {"factor": 8.0, "low_freq_factor": 2.0, "high_freq_factor": 5.5, "original_max_position_embeddings": 1000}
    settings = [LLAMA3_ROPE, LLAMA3_ROPE | others, {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}]
    items = []
    for rope in settings:
        config = LlamaConfig(
            vocab_size=8, hidden_size=256, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
            head_dim=128, rope_parameters=rope, max_position_embeddings=131072,
        )  # fmt: skip
        frequencies, _ = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, "cpu")
        items.append({"config": json.loads(config.to_json_string(use_diff=False)), "frequencies": frequencies.tolist()})
    path.write_text("[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]\n")


def one_item_a_line(fixture):
    """JSON whose changes can be read in a diff, without a line for each number."""
    parts = []
    for key, value in fixture.items():
        text = json.dumps(value)
        if isinstance(value, list):
            text = "[\n" + ",\n".join(json.dumps(item) for item in value) + "\n]"
        parts.append(f'"{key}": {text}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(folder, originals=None):
    chat_template_utils.datetime = FixedDay
    for name, family in FAMILIES.items():
        out = folder / name
        model, tokenizer = model_of(family), tokenizer_of(family)
        tokenizer.chat_template = (out / "chat_template.jinja").read_text()
        check_template(name, family, tokenizer)
        if originals:
            tokenizer.chat_template = original_template(family) or tokenizer.chat_template
            model.save_pretrained(originals / name)
            tokenizer.save_pretrained(originals / name)
            continue
        for made in out.iterdir():
            if made.name != "chat_template.jinja":
                made.unlink()
        stored = family.get("dtype", torch.bfloat16)
        model.to(stored).save_pretrained(out, max_shard_size="40KB" if "shards" in family else "5GB")
        tokenizer.save_pretrained(out)
        model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
        (out / "expected.json").write_text(one_item_a_line(expected_of(family, model, tokenizer)))
        if "gguf" in family:
            write_gguf(out / "model.gguf", name, family, model, tokenizer)
    if not originals:
        write_encodings(folder / "encodings.gguf")
        write_frequencies(folder / "rope.json")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 4) or sys.argv[2:3] not in ([], ["--originals"]):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[3]) if len(sys.argv) == 4 else None)
