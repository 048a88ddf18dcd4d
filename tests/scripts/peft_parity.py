# /// script
# requires-python = ">=3.11"
# dependencies = ["peft==0.21.2", "transformers==5.23.0", "torch==2.13.0", "accelerate==1.15.0"]
# ///
"""Writes tests/fixtures/adapters: LoRA adapters as PEFT saves them, and what PEFT computes with them.

Run by hand, in an environment with the packages above:

    python tests/scripts/peft_parity.py tests/fixtures/families/qwen2_tied tests/fixtures/adapters

The adapters' numbers are random, the same on every run. `expected.json` has the logits behind some tokens.
trainer/tests/adapters.rs compares them with ours.

    python tests/scripts/peft_parity.py --check CHECKPOINT MERGED

loads a checkpoint of adapters with PEFT, merges it, and compares that with the folder that `ludus-train export` made of it.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

IDS = [[3, 141, 59, 26, 53, 58, 97, 93], [231], [200, 100, 50, 25, 12, 6, 3]]
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make(base, out):
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(r=3, lora_alpha=5, target_modules=TARGETS, task_type="CAUSAL_LM")
    model = get_peft_model(model, config).eval()
    generator = torch.Generator().manual_seed(5)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            # Large enough that every adapter shows in the logits.
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.3
    model.save_pretrained(out)
    with torch.no_grad():
        logits = [model(torch.tensor([ids])).logits[0, -1].tolist() for ids in IDS]
        with model.disable_adapter():
            base_logits = [model(torch.tensor([ids])).logits[0, -1].tolist() for ids in IDS]
    runs = [
        {"ids": ids, "logits": rounded(with_adapters), "base": rounded(without)}
        for ids, with_adapters, without in zip(IDS, logits, base_logits, strict=True)
    ]
    (out / "expected.json").write_text(json.dumps(runs) + "\n")
    # The test says itself where the base lies; the model card says nothing.
    path = out / "adapter_config.json"
    settings = json.loads(path.read_text())
    settings["base_model_name_or_path"] = "BASE"
    settings["target_modules"].sort()
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    (out / "README.md").unlink(missing_ok=True)


def rounded(numbers):
    return [round(number, 6) for number in numbers]


def check(checkpoint, merged):
    settings = json.loads((checkpoint / "adapter_config.json").read_text())
    base = AutoModelForCausalLM.from_pretrained(settings["base_model_name_or_path"], dtype=torch.float32)
    theirs = PeftModel.from_pretrained(base, checkpoint).merge_and_unload().state_dict()
    ours = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).state_dict()
    assert theirs.keys() == ours.keys(), theirs.keys() ^ ours.keys()
    apart = max((theirs[name] - ours[name]).abs().max().item() for name in ours)
    print(f"{len(ours)} tensors, at most {apart:.2g} apart")
    assert apart < 1e-5


if sys.argv[1] == "--check":
    check(Path(sys.argv[2]), Path(sys.argv[3]))
else:
    make(Path(sys.argv[1]), Path(sys.argv[2]))
