# /// script
# requires-python = ">=3.11"
# dependencies = ["lm_eval==0.4.13", "math-verify==0.9.0", "antlr4-python3-runtime==4.11.0", "transformers==5.23.0", "datasets==5.2.0", "pyarrow==26.0.1", "torch==2.13.0"]
# ///
"""Writes tests/fixtures/benchmarks/expected.json: what EleutherAI's lm-evaluation-harness makes of our small benchmarks.

Run by hand, after `just setup`, in an environment with the packages above:

    python tests/scripts/benchmark_parity.py MODEL_FOLDER tests/fixtures/benchmarks

The questions in tests/fixtures/benchmarks/TASK/SPLIT.jsonl are ours. First the same rows are written as Parquet and, for
MMLU, in the layout of its own archive (CSV without a header). Then the harness's own task files are included as they are, but
for where their data lies, and run on the model; the fixture holds each prompt, the log-likelihood of each choice, each reply,
what was extracted of it, and whether it counts as right. Beside them: what the harness's filters and its comparison of answers
in LaTeX make of texts that are easy to get wrong, and BLEU by sacreBLEU. trainer/tests/benchmark.rs compares all of it with ours.
"""

import csv
import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import lm_eval
import pyarrow as pa
import pyarrow.parquet as pq
import sacrebleu
import yaml
from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters.extraction import RegexFilter
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from lm_eval.tasks.minerva_math import utils as minerva

TASKS = Path(lm_eval.__file__).parent / "tasks"

# task, shots, chat, tokens of a reply, the harness's task files by subject
CASES = [
    ("mmlu", 2, False, None, {subject: f"mmlu/default/mmlu_{subject}.yaml" for subject in ["astronomy", "elementary_mathematics"]}),
    ("mmlu", 1, True, None, {subject: f"mmlu/default/mmlu_{subject}.yaml" for subject in ["astronomy", "elementary_mathematics"]}),
    ("social-iqa", 0, False, None, {"": "siqa/siqa.yaml"}),
    ("social-iqa", 2, False, None, {"": "siqa/siqa.yaml"}),
    ("mmlu-pro", 2, False, 32, {subject: f"mmlu_pro/mmlu_pro_{subject}.yaml" for subject in ["physics", "history"]}),
    ("gsm8k", 2, False, 40, {"": "gsm8k/gsm8k.yaml"}),
    ("gsm8k", 1, True, 40, {"": "gsm8k/gsm8k.yaml"}),
    ("math-500", 2, False, 40, {"": "minerva_math/minerva_math500.yaml"}),
]

# Replies and solutions: minerva_math's extraction, normalization and comparison.
LATEX = [
    (r"So.\nFinal Answer: The final answer is $\frac{1}{2}$. I hope it is correct.", r"It is $\boxed{\frac12}$."),
    (r"Final Answer: The final answer is $0.5$. I hope it is correct.", r"It is $\boxed{\frac12}$."),
    (r"Final Answer: The final answer is 1,234. I hope it is correct.", r"It is $\boxed{1234}$."),
    (r"Final Answer: The final answer is $x = 3$. I hope it is correct.", r"It is $\boxed{3}$."),
    (r"Final Answer: The final answer is $(0,1)$. I hope it is correct.", r"They are $\boxed{(0, 1)}$."),
    (r"Final Answer: The final answer is 0,1. I hope it is correct.", r"They are $\boxed{0, 1}$."),
    (r"Final Answer: The final answer is $12$ inches. I hope it is correct.", r"It is $\boxed{12 \text{ inches}}$."),
    (r"Final Answer: The final answer is 90 degrees. I hope it is correct.", r"It is $\boxed{90^\circ}$."),
    (r"Final Answer: The final answer is $\sqrt2$. I hope it is correct.", r"It is $\boxed{\sqrt{2}}$."),
    (r"Final Answer: The final answer is $\sqrt[3]8$. I hope it is correct.", r"It is $\boxed{\sqrt[3]{8}}$."),
    (r"Final Answer: The final answer is $\$5$. I hope it is correct.", r"It is $\boxed{5\text{ dollars}}$."),
    (r"Final Answer: The final answer is $\left(1,2\right)$. I hope it is correct.", r"It is $\boxed{\left(1, 2\right)}$."),
    (r"Final Answer: The final answer is $2\pi$ cm. I hope it is correct.", r"It is $\boxed{2\pi}$."),
    (r"Final Answer: The final answer is an even number. I hope it is correct.", r"It is \boxed{\text{even}}."),
    (r"Final Answer: The final answer is \boxed{7}. I hope it is correct.", r"It is $\boxed 7$."),
    (r"Final Answer: The final answer is $7$", r"It is $\boxed{7}$."),
    (r"Final Answer: The final answer is $7$. ", r"It is $\boxed{7}$."),
    (r"The answer is 7.", r"It is $\boxed{7}$."),
    ("Final Answer: The final answer is\n7. I hope it is correct.", r"It is $\boxed{7}$."),
    (r"Final Answer: The final answer is $-\frac{2}{4}$. I hope it is correct.", r"It is $\boxed{-\frac{1}{2}}$."),
    (r"Final Answer: The final answer is $\dfrac{4}{2}$. I hope it is correct.", r"It is $\boxed{2}$."),
    (r"Final Answer: The final answer is $2.50$. I hope it is correct.", r"It is $\boxed{2.5}$."),
    (r"Final Answer: The final answer is 8. I hope it is correct.", r"It is $\boxed{7}$."),
    (r"Final Answer: The final answer is 1/2. I hope it is correct.", r"It is $\boxed{\frac12}$."),
    (r"Final Answer: The final answer is $\text{(A)}$. I hope it is correct.", r"It is $\boxed{\textbf{(A)}}$."),
    (r"Final Answer: The final answer is $10,\!000$. I hope it is correct.", r"It is $\boxed{10000}$."),
]

# Replies and GSM8K's gold answers.
NUMBERS = [
    ("5 + 2 = 7\n#### 7", "#### 7"),
    ("#### 1,500\n", "They cost 1,500.\n#### 1500"),
    ("#### 1500.", "#### 1,500"),
    ("It costs $1,500.", "#### 1,500"),
    ("#### -5 degrees", "#### -5"),
    ("####7", "#### 7"),
    ("seven", "#### 7"),
    ("#### 7\n#### 8", "#### 7"),
    ("He has 3, then 4, so 7 in all", "#### 7"),
    ("#### 7.00", "#### 7"),
    ("It is 3-4 = -1", "#### -1"),
    ("...", "#### 1"),
    ("#### $7", "#### 7"),
    ("#### 7.\n\nQuestion", "#### 7"),
    ("so 3.\n", "#### 3"),
]

LETTERS = ["The answer is (C).", "answer is B", "The answer is (K)", "the Answer is (A)", "answer is (A), no, answer is (B)", "answer is ( A)", "A", "answer is J)"]

# Replies, each with its references.
BLEU = [
    [("A cat sleeps on the sofa.", ["A cat is sleeping on the sofa.", "The cat sleeps on a sofa."])],
    [("The girl sings", ["A girl sings a song.", "The girl is singing."]), ("A man washes a car!", ["A man washes his car."])],
    [("He pays $3.50, i.e. 3-4 coins & more...", ["He pays $3.50, i.e. 3-4 coins & more."])],
    [("dog", ["A dog runs."])],
    [("", ["A dog runs."])],
    [("rain rain rain rain rain", ["rain, rain go away"]), ("Überall “Regen” im naß-kalten Wald.", ["Im naß-kalten Wald ist überall Regen."])],
]


def main(model: str, folder: Path) -> None:
    for task in sorted({case[0] for case in CASES} | {"common-gen"}):
        for path in sorted((folder / task).glob("*.jsonl")):
            write_layouts(folder, task, path.stem, rows_of(path))
    harness = HFLM(pretrained=model, dtype="float32", batch_size=1, device="cpu")
    cases = [run(harness, folder, *case) for case in CASES]
    fixture = {
        "made_with": ", ".join(f"{name} {version(name)}" for name in ["lm_eval", "transformers", "torch", "sacrebleu"]),
        "latex": [latex(reply, solution) for reply, solution in LATEX],
        "numbers": [numbers(reply, gold) for reply, gold in NUMBERS],
        "letters": [{"reply": reply, "letter": filtered(reply, PRO)} for reply in LETTERS],
        "bleu": [{"pairs": pairs, "score": bleu(pairs)} for pairs in BLEU],
        "cases": cases,
    }
    (folder / "expected.json").write_text(one_item_a_line(fixture))


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_layouts(folder: Path, task: str, split: str, rows: list[dict]) -> None:
    parquet = folder / "parquet" / task / f"{split}-00000-of-00001.parquet"
    parquet.parent.mkdir(parents=True, exist_ok=True)
    # The Hub's converter writes Snappy; Zstandard is what others choose.
    pq.write_table(pa.Table.from_pylist(rows), parquet, compression="zstd" if task == "gsm8k" else "snappy")
    if task != "mmlu":
        return
    for subject in {row["subject"]: None for row in rows}:
        path = folder / "csv" / task / split / f"{subject}_{split}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([row["question"], *row["choices"], "ABCD"[row["answer"]]] for row in rows if row["subject"] == subject)


def run(harness: HFLM, folder: Path, task: str, shots: int, chat: bool, tokens: int | None, files: dict[str, str]) -> dict:
    with tempfile.TemporaryDirectory() as work:
        names = [write_task(Path(work), folder / task, subject, file, tokens) for subject, file in files.items()]
        found = lm_eval.simple_evaluate(
            model=harness, tasks=names, num_fewshot=shots, apply_chat_template=chat, fewshot_as_multiturn=chat,
            task_manager=TaskManager(include_path=work, include_defaults=False), log_samples=True, bootstrap_iters=0,
        )
    items = [item for name in names for item in items_of(found["samples"][name])]
    return {"task": task, "shots": shots, "chat": chat, "reply_tokens": tokens, "items": items}


def write_task(work: Path, data: Path, subject: str, file: str, tokens: int | None) -> str:
    """The harness's task as it is, with our data, and with the first examples of their split where it draws them."""
    name = "ludus_" + file.split("/")[-1].removesuffix(".yaml")
    splits = {}
    for path in sorted(data.glob("*.jsonl")):
        rows = [row for row in rows_of(path) if not subject or subject in (row.get("subject"), row.get("category"))]
        splits[path.stem] = str(work / f"{name}_{path.name}")
        Path(splits[path.stem]).write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {
        "include": str(TASKS / file), "task": name, "tag": None, "dataset_path": "json", "dataset_name": None,
        "dataset_kwargs": {"data_files": splits},
    }
    if data.name in ("gsm8k", "social-iqa"):
        config["fewshot_config"] = {"sampler": "first_n", "split": "train"}
    if data.name == "math-500":
        # The form of the harness's own four examples.
        ending = "\nFinal Answer: The final answer is ${}$. I hope it is correct."
        samples = [
            {"problem": row["problem"], "solution": row["solution"] + ending.format(row["answer"]), "few_shot": "1"}
            for row in rows_of(data / "train.jsonl")
        ]
        config["fewshot_config"] = {"sampler": "first_n", "samples": samples}
    if tokens is not None:
        until = {"gsm8k": ["Question:", "</s>", "<|im_end|>"], "mmlu-pro": ["Question:"], "math-500": ["Problem:"]}[data.name]
        config["generation_kwargs"] = {"until": until, "do_sample": False, "temperature": 0.0, "max_gen_toks": tokens}
    (work / f"{name}.yaml").write_text(yaml.safe_dump(config))
    return name


def items_of(samples: list[dict]) -> list[dict]:
    """One item for each document; where there are several filters, it has a sample for each."""
    items: dict[int, dict] = {}
    for sample in samples:
        prompt, continuation = sample["arguments"][0][:2]
        item = items.setdefault(sample["doc_id"], {"prompt": prompt, "right": {}})
        if isinstance(continuation, str):
            item["log_likelihoods"] = [round(float(response[0][0]), 5) for response in sample["resps"]]
            item["right"]["acc"] = sample["acc"]
        else:
            item["reply"] = sample["resps"][0][0]
            item["right"][sample["filter"]] = float(sample["exact_match"])
            item.setdefault("extracted", {})[sample["filter"]] = sample["filtered_resps"][0]
    return [items[key] for key in sorted(items)]


PRO = yaml.load((TASKS / "mmlu_pro/_default_template_yaml").read_text().replace("!function", "#"), yaml.SafeLoader)["filter_list"][0]["filter"][0]
GSM8K = yaml.safe_load((TASKS / "gsm8k/gsm8k.yaml").read_text())


def filtered(reply: str, rule: dict) -> str:
    rule = {key: value for key, value in rule.items() if key != "function"}
    return RegexFilter(**rule).apply([[reply]], [{}])[0][0]


def numbers(reply: str, gold: str) -> dict:
    metric = GSM8K["metric_list"][0]
    keys = ["ignore_case", "ignore_punctuation", "regexes_to_ignore"]
    found = {}
    for rule in GSM8K["filter_list"]:
        answer = filtered(reply, rule["filter"][0])
        same = exact_match_hf_evaluate([answer], [gold], **{key: metric[key] for key in keys})["exact_match"]
        found[rule["name"]] = {"answer": answer, "right": float(same)}
    return {"reply": reply, "gold": gold, **found}


def latex(reply: str, solution: str) -> dict:
    gold = minerva.normalize_final_answer(minerva.remove_boxed(minerva.last_boxed_only_string(solution)))
    answer = minerva.normalize_final_answer(minerva.get_unnormalized_answer(reply))
    return {"reply": reply, "solution": solution, "gold": gold, "answer": answer, "right": minerva.is_equiv(answer, gold)}


def bleu(pairs: list[tuple[str, list[str]]]) -> float:
    most = max(len(references) for _, references in pairs)
    streams = [[references[index] if index < len(references) else None for _, references in pairs] for index in range(most)]
    return sacrebleu.corpus_bleu([reply for reply, _ in pairs], streams).score


def one_item_a_line(fixture: dict) -> str:
    """JSON whose changes can be read in a diff, without a line for each number."""
    parts = []
    for key, value in fixture.items():
        if key == "cases":
            cases = []
            for case in value:
                items = ",\n".join("  " + json.dumps(item, ensure_ascii=False) for item in case.pop("items"))
                cases.append(json.dumps(case)[:-1] + ', "items": [\n' + items + "\n]}")
            text = "[\n" + ",\n".join(cases) + "\n]"
        elif isinstance(value, list):
            text = "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in value) + "\n]"
        else:
            text = json.dumps(value)
        parts.append(f'"{key}": {text}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
