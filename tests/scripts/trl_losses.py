# /// script
# requires-python = ">=3.11"
# dependencies = ["trl==1.16.0", "transformers==5.23.0", "accelerate==1.15.0", "datasets==5.2.0", "torch==2.13.0"]
# ///
"""Writes tests/fixtures/trl_losses.json: what TRL makes of the losses that a recipe can name.

Run by hand, in an environment with the packages above:

    python tests/scripts/trl_losses.py tests/fixtures/trl_losses.json

TRL's own loss function is called on a trainer that was never set up, with random log-probabilities in the place of a
model's. The fixture holds these numbers, and for each case the loss of each minibatch and its gradient with respect to the
log-probabilities. trainer/src/objective/tests/trl.rs compares both with ours.
"""

import json
import sys
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import torch
from trl import GRPOTrainer

SEQUENCES, TOKENS = 6, 7
STARPO = {"low": 0.2, "high": 0.28, "max": None, "kl_weight": 0.0, "minibatches": 1}
# A mean of ratios moves less than each.
NARROW = {"low": 0.05, "high": 0.1}

# Our names and settings; TRL's follow in `trainer`.
CASES = [
    *({"loss": loss} for loss in ["grpo", "bnpo", "dapo", "dr_grpo", "cispo", "sapo"]),
    *({"loss": loss, "minibatches": 2} for loss in ["grpo", "bnpo", "dapo", "dr_grpo", "cispo", "sapo"]),
    *({"loss": loss, "kl_weight": 0.1} for loss in ["grpo", "dapo", "cispo", "sapo"]),
    {"loss": "dapo", "low": 0.1, "high": 0.5},
    {"loss": "dapo", "max": 1.5},
    {"loss": "cispo", "high": 0.6},
    {"loss": "sapo", "positive": 0.5, "negative": 2.0},
    {"loss": "gspo", **NARROW},
    {"loss": "gspo", **NARROW, "minibatches": 2},
    {"loss": "gspo", **NARROW, "kl_weight": 0.1, "max": 1.2},
]


def main(out: str) -> None:
    torch.manual_seed(0)
    numbers = random_numbers()
    cases = [{**STARPO, "positive": 1.0, "negative": 1.05, **case} for case in CASES]
    fixture = {
        "made_with": f"trl {version('trl')}, torch {torch.__version__}",
        # As if replies could be longer than any is here.
        "tokens_max": TOKENS + 2,
        "numbers": {name: tensor.tolist() for name, tensor in numbers.items()},
        "cases": [{**case, **computed(case, numbers)} for case in cases],
    }
    Path(out).write_text(one_item_a_line(fixture))


def random_numbers() -> dict[str, torch.Tensor]:
    """Sequences of different lengths with holes in them, and policies so far apart that every bound is met."""
    shape = (SEQUENCES, TOKENS)
    old = -4 * torch.rand(shape, dtype=torch.float64) - 0.1
    mask = torch.arange(TOKENS)[None] < torch.tensor([7, 2, 5, 1, 6, 4])[:, None]
    mask[0, 3] = mask[4, 1] = mask[4, 2] = False
    numbers = {
        "old": old,
        "now": old + 0.4 * torch.randn(shape, dtype=torch.float64),
        "start": old + 0.4 * torch.randn(shape, dtype=torch.float64),
        "advantages": torch.randn(SEQUENCES, dtype=torch.float64),
    }
    return {name: tensor.round(decimals=4) for name, tensor in numbers.items()} | {"mask": mask.int()}


def computed(case: dict, numbers: dict[str, torch.Tensor]) -> dict:
    now = numbers["now"].clone().requires_grad_(True)
    losses = []
    for rows in torch.arange(SEQUENCES).chunk(case["minibatches"]):
        mask = numbers["mask"][rows]
        inputs = {
            "prompt_ids": torch.zeros(len(rows), 1, dtype=torch.long),
            "prompt_mask": torch.ones(len(rows), 1, dtype=torch.long),
            "completion_ids": torch.zeros_like(mask),
            "completion_mask": mask,
            "advantages": numbers["advantages"][rows],
            "old_per_token_logps": numbers["old"][rows],
            "ref_per_token_logps": numbers["start"][rows],
            "num_items_in_batch": numbers["mask"].sum(),
        }
        losses.append(trainer(case, now[rows])._compute_loss(None, inputs))
    sum(losses).backward()
    return {"losses": rounded(torch.stack(losses)), "gradient": rounded(now.grad)}


def trainer(case: dict, log_probabilities: torch.Tensor) -> GRPOTrainer:
    """A trainer that knows its settings, and nothing else."""
    loss = case["loss"]
    made = object.__new__(GRPOTrainer)
    made.loss_type = "grpo" if loss == "gspo" else loss
    made.importance_sampling_level = "sequence" if loss == "gspo" else "token"
    made.epsilon_low = case["low"]
    # For CISPO TRL's setting is the bound itself.
    made.epsilon_high = case["high"] + (1 if loss == "cispo" else 0)
    made.beta = case["kl_weight"]
    made.args = SimpleNamespace(
        delta=case["max"],
        use_bias_correction_kl=False,
        sapo_temperature_pos=case["positive"],
        sapo_temperature_neg=case["negative"],
        steps_per_generation=case["minibatches"],
    )
    made.max_completion_length = TOKENS + 2
    made.current_gradient_accumulation_steps = 1
    made.top_entropy_quantile = 1.0
    made.off_policy_mask_threshold = None
    made.use_vllm = made.aux_loss_enabled = made._entropy_bonus_enabled = False
    made.model = SimpleNamespace(training=True)
    made._metrics = {"train": defaultdict(list)}
    made.accelerator = SimpleNamespace(
        num_processes=1, gather=lambda tensor: tensor, reduce=lambda tensor, reduction: tensor
    )
    entropies = torch.zeros_like(log_probabilities)
    made._get_per_token_logps_and_entropies = lambda *args, **kwargs: (log_probabilities, entropies, None)
    return made


def rounded(tensor: torch.Tensor) -> list:
    return tensor.detach().round(decimals=8).tolist()


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
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
