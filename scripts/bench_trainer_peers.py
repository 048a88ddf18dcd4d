"""A contender for `just bench-trainer`: what Hugging Face transformers and TRL make of the same work.

usage: bench_trainer_peers.py generate|group|step|step-recomputed MODEL_FOLDER DEVICE float32|bfloat16 THREADS

For each line of its input it does the work once and answers with a line of its own: seconds, tokens sampled, tokens read, and
the process's peak of memory in bytes. The numbers of the work are those of trainer/benches/speed/work.rs.
"""

import resource
import sys
import tempfile
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS, PROMPT_TOKENS, REPLY_TOKENS = 16, 200, 64
GROUP, TURNS, TURN_TOKENS, MOVE_TOKENS = 16, 6, 40, 8
STEP_PROMPTS, STEP_COMPLETIONS, STEP_PROMPT_TOKENS = 4, 8, 131
# Completions that go through the network at once in an update; all 32 at once take more than twice the memory.
STEP_ROWS = 8


def tokens(text, length):
    return [1_000 + (text * 7_919 + place * 104_729) % 40_000 for place in range(length)]


def reply(model, conversations, count):
    """So many sampled tokens behind each of these conversations, which are of one length."""
    ids = torch.tensor(conversations, device=model.device)
    with torch.no_grad():
        whole = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            min_new_tokens=count,
            max_new_tokens=count,
        )
    return whole[:, ids.shape[1] :].tolist()


def generate(model):
    replies = reply(model, [tokens(prompt, PROMPT_TOKENS) for prompt in range(PROMPTS)], REPLY_TOKENS)
    sampled = sum(map(len, replies))
    return sampled, PROMPTS * PROMPT_TOKENS + sampled


def group(model):
    """Turn by turn, each time with the whole conversation, as trainers do that call `generate` for a turn."""
    conversations = [tokens(0, PROMPT_TOKENS) for _ in range(GROUP)]
    sampled = 0
    for turn in range(1, TURNS + 1):
        for conversation, new in zip(conversations, reply(model, conversations, MOVE_TOKENS), strict=True):
            sampled += len(new)
            conversation += new
            if turn < TURNS:
                conversation += tokens(turn, TURN_TOKENS)
    return sampled, sum(map(len, conversations))


def stepper(model, folder, recompute):
    """TRL's trainer, one step for each item that is taken from it."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    # Texts of single letters, each one token, so that prompts have the length that they should.
    texts = [prompt_text(tokenizer, prompt) for prompt in range(STEP_PROMPTS)]
    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=STEP_ROWS,
        gradient_accumulation_steps=STEP_PROMPTS * STEP_COMPLETIONS // STEP_ROWS,
        num_generations=STEP_COMPLETIONS,
        max_completion_length=REPLY_TOKENS,
        generation_kwargs={"min_new_tokens": REPLY_TOKENS},
        beta=0.0,
        learning_rate=1e-6,
        max_steps=1,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=model.device.type == "cpu",
        bf16=model.dtype == torch.bfloat16,
        gradient_checkpointing=recompute,
        shuffle_dataset=False,
    )

    class Clock(TrainerCallback):
        def on_step_begin(self, *_args, **_kwargs):
            self.began = time.perf_counter()

        def on_step_end(self, *_args, **_kwargs):
            self.seconds = time.perf_counter() - self.began

    clock = Clock()

    def rewards(completions, **_):
        return [float(index % 2) for index in range(len(completions))]

    def step(_model):
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=rewards,
            args=config,
            train_dataset=Dataset.from_dict({"prompt": texts}),
            processing_class=tokenizer,
            callbacks=[clock],
        )
        trainer.train()
        sampled = STEP_PROMPTS * STEP_COMPLETIONS * REPLY_TOKENS
        return sampled, STEP_PROMPTS * STEP_COMPLETIONS * STEP_PROMPT_TOKENS + sampled, clock.seconds

    return step


def prompt_text(tokenizer, number):
    text = chr(ord("a") + number)
    while len(tokenizer(text)["input_ids"]) < STEP_PROMPT_TOKENS:
        text += " " + chr(ord("a") + (len(text) * 7 + number) % 26)
    return text


def main():
    work, folder, device, precision, threads = sys.argv[1:]
    if int(threads):
        torch.set_num_threads(int(threads))
    # TRL keeps its master weights in float32 and computes under autocast.
    dtype = torch.float32 if work.startswith("step") or precision == "float32" else torch.bfloat16
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device)
    # What trainers print is not for the one who reads our answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    do = {"generate": generate, "group": group}.get(work) or stepper(model, folder, work == "step-recomputed")
    for _ in sys.stdin:
        began = time.perf_counter()
        sampled, read, *seconds = do(model)
        # A trainer says itself how long its step took: making it is not a part of that.
        took = seconds[0] if seconds else time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(took, sampled, read, peak, file=answers, flush=True)


main()
