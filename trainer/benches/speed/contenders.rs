//! Our own rows.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use ludus_host::stream::Stream;
use ludus_trainer::device;
use ludus_trainer::environment::give_back_memory;
use ludus_trainer::generate::{Reply, Row, Sampling, Session};
use ludus_trainer::gradients;
use ludus_trainer::model::import::{DEFAULT_MODEL, resolve, standard_cache};
use ludus_trainer::model::llama::{Llama, Weights};
use ludus_trainer::objective::Objective;
use ludus_trainer::optimizer::{AdamW, AdamWSettings};
use ludus_trainer::pack::{Pack, Sample};
use ludus_trainer::recipe::LoraRecipe;
use tch::{Device, Kind, Tensor};

use crate::table::Options;
use crate::work::*;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a piece of work came to.
#[derive(Default)]
struct Done {
    sampled: usize,
    read: usize,
}

const SAMPLING: Sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 0, min_p: 0.0 };

/// Does the work for each line of the input.
pub fn serve(work: &str, options: &Options) -> Result<()> {
    let device = device::choose(options.device)?;
    device::set_threads(options.threads);
    let folder = resolve(DEFAULT_MODEL, &standard_cache()?)?;
    let compute = device::compute_kind(options.precision, device);
    let mut llama = match work {
        "update-adapters" => {
            let llama = Llama::load_frozen(&folder, device, compute)?;
            let lora = LoraRecipe { rank: RANK, ..LoraRecipe::default() }.adapters().ok_or("adapters have a rank")?;
            let begun = lora.begin(&llama.config, 1, device);
            llama.with_adapters(lora, begun)?
        }
        _ => Llama::load(&folder, device, compute)?,
    };
    let mut optimizer =
        AdamW::new(AdamWSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }, &llama.parameters);
    match work {
        "generate" | "group" => {
            // Cast once, as transformers loads them.
            let weights = tch::no_grad(|| llama.weights());
            let of = if work == "generate" { generate } else { group };
            serve_lines(|| of(&llama, &weights))
        }
        "step" => serve_lines(|| step(&mut llama, &mut optimizer, false)),
        "step-recomputed" => serve_lines(|| step(&mut llama, &mut optimizer, true)),
        "update" => serve_lines(|| update(&mut llama, &mut optimizer, (PROMPTS, PROMPT_TOKENS), false)),
        "update-long" | "update-adapters" => {
            serve_lines(|| update(&mut llama, &mut optimizer, (LONG_TEXTS, LONG_TOKENS), false))
        }
        "update-recomputed" => serve_lines(|| update(&mut llama, &mut optimizer, (LONG_TEXTS, LONG_TOKENS), true)),
        "product" => serve_lines(|| product(device, llama.compute)),
        _ => Err(format!("there is no work `{work}`").into()),
    }
}

/// Works once for each line of the input, and writes down how long it took.
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn serve_lines(mut work: impl FnMut() -> Done) -> Result<()> {
    for line in std::io::stdin().lock().lines() {
        let _ = line?;
        let began = Instant::now();
        let done = work();
        println!("{} {} {} {}", began.elapsed().as_secs_f64(), done.sampled, done.read, peak_bytes()?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Prompts that differ, one reply each.
fn generate(llama: &Llama, weights: &Weights) -> Done {
    let mut session = Session::new(llama, weights, SAMPLING, &[]);
    for prompt in 0..PROMPTS {
        let row = session.join(&tokens(prompt, PROMPT_TOKENS), Stream::derive(prompt as u64, &[]));
        session.ask(row, &[], REPLY_TOKENS);
    }
    let replies: Vec<Reply> = session.complete().into_values().collect();
    Done { sampled: sampled(&replies), read: PROMPTS * PROMPT_TOKENS + sampled(&replies) }
}

/// One opening, many turns.
fn group(llama: &Llama, weights: &Weights) -> Done {
    let mut session = Session::new(llama, weights, SAMPLING, &[]);
    let opening = tokens(0, PROMPT_TOKENS);
    let mut turns: BTreeMap<Row, usize> = BTreeMap::new();
    for member in 0..GROUP {
        let row = session.join(&opening, Stream::derive(member as u64, &[]));
        session.ask(row, &[], MOVE_TOKENS);
        turns.insert(row, 1);
    }
    let mut done = Done { sampled: 0, read: GROUP * PROMPT_TOKENS };
    while !turns.is_empty() {
        for (row, reply) in session.advance() {
            done.sampled += reply.tokens.len();
            let turn = turns[&row];
            if turn == TURNS {
                turns.remove(&row);
                session.leave(row);
            } else {
                session.ask(row, &tokens(turn, TURN_TOKENS), MOVE_TOKENS);
                done.read += TURN_TOKENS;
                turns.insert(row, turn + 1);
            }
        }
    }
    done.read += done.sampled;
    done
}

/// Completions of a few prompts, and an update on them.
fn step(llama: &mut Llama, optimizer: &mut AdamW, recompute: bool) -> Done {
    let prompts: Vec<Vec<i64>> = (0..STEP_PROMPTS).map(|prompt| tokens(prompt, STEP_PROMPT_TOKENS)).collect();
    let weights = tch::no_grad(|| llama.weights());
    let mut session = Session::new(llama, &weights, SAMPLING, &[]);
    let mut texts = Vec::new();
    for prompt in &prompts {
        for member in 0..STEP_COMPLETIONS {
            let row = session.join(prompt, Stream::derive(member as u64, &[]));
            session.ask(row, &[], REPLY_TOKENS);
            texts.push(prompt);
        }
    }
    let replies: Vec<Reply> = session.complete().into_values().collect();
    drop(session);
    drop(weights);
    // As a run does.
    give_back_memory();
    let samples: Vec<(Vec<i64>, Vec<f32>)> = texts
        .iter()
        .zip(&replies)
        .map(|(prompt, reply)| {
            let log_probabilities =
                std::iter::repeat_n(0.0, prompt.len()).chain(reply.log_probabilities.iter().copied());
            (prompt.iter().chain(&reply.tokens).copied().collect(), log_probabilities.collect())
        })
        .collect();
    learn(llama, optimizer, &samples, STEP_PROMPT_TOKENS, STEP_PACK_TOKENS, recompute);
    let read = samples.iter().map(|(tokens, _)| tokens.len()).sum();
    Done { sampled: sampled(&replies), read }
}

/// An update alone, on so many texts of so many tokens that have nothing in common.
fn update(llama: &mut Llama, optimizer: &mut AdamW, (texts, length): (usize, usize), recompute: bool) -> Done {
    let samples: Vec<(Vec<i64>, Vec<f32>)> =
        (0..texts).map(|text| (tokens(text, length), vec![-5.0; length])).collect();
    learn(llama, optimizer, &samples, 1, PACK_TOKENS, recompute);
    Done { sampled: 0, read: texts * length }
}

/// One update on texts whose tokens after the prompt were sampled.
fn learn(
    llama: &mut Llama,
    optimizer: &mut AdamW,
    samples: &[(Vec<i64>, Vec<f32>)],
    prompt_tokens: usize,
    pack_tokens: usize,
    recompute: bool,
) {
    let objective = Objective { recompute, ..Objective::clipped(0.2, 0.2) };
    let sampled: Vec<Vec<bool>> =
        samples.iter().map(|(tokens, _)| (0..tokens.len()).map(|place| place >= prompt_tokens).collect()).collect();
    let advantages: Vec<Vec<f32>> = samples
        .iter()
        .enumerate()
        .map(|(index, (tokens, _))| vec![if index % 2 == 0 { 1.0 } else { -1.0 }; tokens.len()])
        .collect();
    let count: usize = samples.iter().map(|(tokens, _)| tokens.len() - prompt_tokens).sum();
    let weights: Vec<Vec<f32>> = samples.iter().map(|(tokens, _)| vec![1.0 / count as f32; tokens.len()]).collect();
    let sequences: Vec<Vec<usize>> = samples.iter().map(|(tokens, _)| vec![0; tokens.len()]).collect();
    let samples: Vec<Sample> = samples
        .iter()
        .enumerate()
        .map(|(index, (tokens, log_probabilities))| Sample {
            tokens,
            trained: &sampled[index],
            log_probabilities,
            advantages: &advantages[index],
            weights: &weights[index],
            sequences: &sequences[index],
        })
        .collect();
    let weights = llama.weights();
    for pack in Pack::all(&samples, pack_tokens) {
        let _ = objective.backward_telling(llama, &weights, &pack, || {});
    }
    drop(weights);
    let _ = gradients::clip(&llama.parameters, 1.0);
    optimizer.step(&mut llama.parameters, 1e-6);
    gradients::clear(&mut llama.parameters);
}

/// A matrix product as large as it likes, `read` being the number of its multiplications and additions: what the machine can do.
fn product(device: Device, compute: Kind) -> Done {
    const SIZE: i64 = 2_048;
    let matrix = Tensor::ones([SIZE, SIZE], (compute, device));
    for _ in 0..4 {
        // Reading one number waits for a device that works on its own.
        let _ = matrix.matmul(&matrix).double_value(&[0, 0]);
    }
    Done { sampled: 0, read: 4 * 2 * (SIZE * SIZE * SIZE) as usize }
}

fn sampled(replies: &[Reply]) -> usize {
    replies.iter().map(|reply| reply.tokens.len()).sum()
}

/// The most memory that this process has had.
fn peak_bytes() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak in /proc/self/status")?;
    let kibibytes: u64 = line.split_whitespace().next().ok_or("no number")?.parse()?;
    Ok(kibibytes * 1_024)
}
