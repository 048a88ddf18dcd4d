//! `ludus-train ask MODEL TEXT`: one reply of a model, for looking at a checkpoint.

use ludus_host::shown::clean;
use ludus_host::stream::Stream;
use ludus_trainer::chat::Chat;
use ludus_trainer::device::{self, DeviceChoice};
use ludus_trainer::generate::{Sampling, Session};
use ludus_trainer::model::import;
use ludus_trainer::model::llama::Llama;
use tch::Kind;

use super::output::line;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A checkpoint's folder, or any model as a recipe names it
    model: String,
    /// What the user says
    text: String,
    /// The system text
    #[arg(long)]
    system: Option<String>,
    /// An earlier turn: what the user said and what was replied; may be given several times
    #[arg(long, num_args = 2, value_names = ["USER", "REPLY"])]
    turn: Vec<String>,
    /// Print what the model would read, special tokens included, and ask nothing
    #[arg(long)]
    prompt: bool,
    /// The most tokens of the reply
    #[arg(long, default_value_t = 64)]
    tokens: usize,
    /// Divides the logits before sampling; 0 takes the likeliest token
    #[arg(long, default_value_t = 0.0)]
    temperature: f64,
    /// Sampled replies with the same seed are the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    anyhow::ensure!(
        arguments.temperature == 0.0 || (0.01..=100.0).contains(&arguments.temperature),
        "--temperature is {}: it must be 0, or from 0.01 to 100",
        arguments.temperature
    );
    anyhow::ensure!(arguments.tokens > 0, "--tokens is 0: ask for at least one");
    let folder = import::resolve(&arguments.model, &import::standard_cache()?)?;
    let chat = Chat::open(&folder)?;
    let earlier: Vec<(String, String)> =
        arguments.turn.chunks_exact(2).map(|turn| (turn[0].clone(), turn[1].clone())).collect();
    let tokens = chat.opening(arguments.system.as_deref(), &earlier, &arguments.text, "")?;
    if arguments.prompt {
        return line(clean(&chat.decode_all(&tokens)));
    }
    let llama = Llama::load(&folder, device::choose(DeviceChoice::Auto)?, Kind::Float)?;
    let weights = tch::no_grad(|| llama.weights());
    let sampling = Sampling { temperature: arguments.temperature, top_p: 1.0, top_k: 0, min_p: 0.0 };
    let mut session = Session::new(&llama, &weights, sampling, chat.end_ids());
    let possible = llama.config.max_positions as usize;
    anyhow::ensure!(
        arguments.tokens <= possible && tokens.len() + arguments.tokens <= possible,
        "text and reply together are longer than the {possible} tokens that the model was made for: shorten one"
    );
    let row = session.join(&tokens, Stream::derive(arguments.seed, &["ask".into()]));
    session.ask(row, &[], arguments.tokens);
    session.complete().values().try_for_each(|reply| line(clean(&chat.decode(&reply.tokens))))
}
