//! Runs the contenders side by side and prints what a person reads.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ludus_trainer::device::{self, DeviceChoice};
use ludus_trainer::memory::{self, MemoryNeeds};
use ludus_trainer::model::import::DEFAULT_MODEL;
use ludus_trainer::model::llama;
use ludus_trainer::recipe::{LoraRecipe, Precision};
use tch::{Device, Kind};

use crate::work::{LONG_TEXTS, LONG_TOKENS, RANK};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The pieces of work that peers do too, and what they are called.
const WORK: [(&str, &str); 4] = [
    ("generate", "16 prompts of 200 tokens, 64 new tokens each"),
    ("group", "a group of 16 with one opening of 200 tokens, 6 turns of 40 and replies of 8"),
    ("step", "a step of GRPO: 4 prompts of 131 tokens, 8 completions of 64 each"),
    ("step-recomputed", "the same step with activations recomputed"),
];

pub struct Options {
    pub rounds: usize,
    pub device: DeviceChoice,
    pub precision: Precision,
    pub threads: u32,
    pub contender: Option<String>,
    /// The one piece of work that is measured; all are without it.
    only: Option<String>,
    /// The work, name and shell command of each.
    peers: Vec<(String, String, String)>,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options {
            rounds: 3,
            device: DeviceChoice::Cpu,
            precision: Precision::Float32,
            threads: 0,
            contender: None,
            only: None,
            peers: Vec::new(),
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().cloned().ok_or_else(|| format!("`{argument}` needs a value"));
            let quoted = |text: String| serde_json::Value::String(text);
            match argument.as_str() {
                "contender" => options.contender = Some(value()?),
                "--only" => options.only = Some(value()?),
                "--rounds" => options.rounds = value()?.parse()?,
                "--threads" => options.threads = value()?.parse()?,
                "--device" => options.device = serde_json::from_value(quoted(value()?))?,
                "--precision" => options.precision = serde_json::from_value(quoted(value()?))?,
                "--peer" => options.peers.push((value()?, value()?, value()?)),
                other => return Err(format!("there is no option `{other}`").into()),
            }
        }
        Ok(options)
    }

    /// Whether this piece of work is measured.
    fn has(&self, work: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == work)
    }

    /// The options that a contender has to know, as arguments.
    fn for_contender(&self) -> Result<Vec<String>> {
        let word = |value: serde_json::Value| value.as_str().map(str::to_string).ok_or("a word");
        Ok(vec![
            "--device".to_string(),
            word(serde_json::to_value(self.device)?)?,
            "--precision".to_string(),
            word(serde_json::to_value(self.precision)?)?,
            "--threads".to_string(),
            self.threads.to_string(),
        ])
    }
}

/// A process that works when it is told to.
struct Contender {
    name: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    rounds: Vec<Round>,
}

#[derive(Clone, Copy)]
struct Round {
    seconds: f64,
    sampled: f64,
    read: f64,
    peak_bytes: f64,
}

impl Contender {
    /// Starts it, and lets it work once to warm up.
    fn start(name: &str, mut command: Command) -> Result<Contender> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut contender = Contender { name: name.to_string(), child, input, output, rounds: Vec::new() };
        contender.turn()?;
        Ok(contender)
    }

    fn own(work: &str, options: &Options) -> Result<Contender> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["contender", work]).args(options.for_contender()?);
        Contender::start("ludus", command)
    }

    fn turn(&mut self) -> Result<Round> {
        writeln!(self.input)?;
        self.input.flush()?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let numbers = line.split_whitespace().map(str::parse).collect::<std::result::Result<Vec<f64>, _>>();
        match numbers.as_deref() {
            Ok(&[seconds, sampled, read, peak_bytes]) => Ok(Round { seconds, sampled, read, peak_bytes }),
            _ => Err(format!("{} ended: {line:?}", self.name).into()),
        }
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // It ends by itself with its input; this only hurries it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prints a table for each piece of work, and how near the update comes to what the machine can do.
pub fn print(options: &Options) -> Result<()> {
    for (work, title) in WORK.into_iter().filter(|(work, _)| options.has(work)) {
        let mut contenders = Vec::new();
        for (_, name, command) in options.peers.iter().filter(|(theirs, ..)| theirs == work) {
            let mut shell = Command::new("sh");
            shell.args(["-c", command]);
            contenders.push(Contender::start(name, shell)?);
        }
        contenders.push(Contender::own(work, options)?);
        for round in 1..=options.rounds {
            eprintln!("{work}: round {round} of {}", options.rounds);
            for contender in &mut contenders {
                let round = contender.turn()?;
                contender.rounds.push(round);
            }
        }
        println!("| {title} | seconds | sampled tokens/s | beside the first | peak GiB | beside the first |");
        println!("|---|---|---|---|---|---|");
        for contender in &contenders {
            // Within a round all had the same machine.
            let pairs = contenders[0].rounds.iter().zip(&contender.rounds);
            let faster = pairs.map(|(first, round)| round.sampled / round.seconds / (first.sampled / first.seconds));
            let peak = contender.median(|round| round.peak_bytes);
            println!(
                "| {} | {:.2} | {:.1} | {:.2} | {:.2} | {:.2} |",
                contender.name,
                contender.median(|round| round.seconds),
                contender.median(|round| round.sampled / round.seconds),
                median(faster.collect()),
                peak / f64::from(1 << 30),
                peak / contenders[0].median(|round| round.peak_bytes),
            );
        }
        println!();
    }
    if options.has("update") {
        print_update(options)?;
    }
    if options.has("memory") { print_memory(options) } else { Ok(()) }
}

/// Twice for each parameter forward and four times backward (Kaplan et al., 2001.08361); attention comes on top and is left
/// out, so the share is a little too small.
fn print_update(options: &Options) -> Result<()> {
    const PARAMETERS: f64 = 134_515_008.0;
    let (mut product, mut update) = (Contender::own("product", options)?, Contender::own("update", options)?);
    for _ in 0..options.rounds {
        for contender in [&mut product, &mut update] {
            let round = contender.turn()?;
            contender.rounds.push(round);
        }
    }
    let most = product.median(|round| round.read / round.seconds / 1e9);
    let reached = update.median(|round| 6.0 * PARAMETERS * round.read / round.seconds / 1e9);
    println!("| an update on 16 texts of 200 tokens | |");
    println!("|---|---|");
    println!("| tokens/s | {:.0} |", update.median(|round| round.read / round.seconds));
    println!("| GFLOP/s | {reached:.0} |");
    println!("| GFLOP/s of a matrix product of 2048 x 2048 | {most:.0} |");
    println!("| the update beside it | {:.2} |", reached / most);
    Ok(())
}

/// What the plan says that an update takes, beside the most that it took.
fn print_memory(options: &Options) -> Result<()> {
    let device = device::choose(options.device)?;
    let shape = memory::known_shape(DEFAULT_MODEL).ok_or("the default model's shape is known")?;
    let lora = LoraRecipe { rank: RANK, ..LoraRecipe::default() }.adapters().ok_or("adapters have a rank")?;
    let compute = device::compute_kind(options.precision, device);
    let needs = MemoryNeeds {
        compute_bytes: if compute == Kind::Float { 4 } else { 2 },
        narrow_head: llama::has_narrow_head(device, compute),
        batch_rows: 1,
        context_tokens: LONG_TOKENS as u64,
        pack_tokens: (LONG_TEXTS * LONG_TOKENS) as u64,
        segments: LONG_TEXTS as u64,
        fused: device == Device::Cpu,
        keeps_start: false,
        recomputes: false,
        in_adapters: None,
        frozen_bytes: 0,
    };
    println!();
    println!(
        "| an update on {LONG_TEXTS} texts of {LONG_TOKENS} tokens | seconds | peak GiB | planned GiB | planned beside it |"
    );
    println!("|---|---|---|---|---|");
    for (name, work, needs) in [
        ("the whole network", "update-long", needs),
        ("activations recomputed", "update-recomputed", MemoryNeeds { recomputes: true, ..needs }),
        (
            "adapters of rank 16",
            "update-adapters",
            MemoryNeeds { in_adapters: Some(shape.in_adapters(&lora)), ..needs },
        ),
    ] {
        let mut contender = Contender::own(work, options)?;
        for _ in 0..options.rounds {
            let round = contender.turn()?;
            contender.rounds.push(round);
        }
        let gibibytes = |bytes: f64| bytes / f64::from(1 << 30);
        let peak = gibibytes(contender.median(|round| round.peak_bytes));
        let planned = gibibytes(memory::estimate(&shape, needs).peak as f64);
        let seconds = contender.median(|round| round.seconds);
        println!("| {name} | {seconds:.1} | {peak:.2} | {planned:.2} | {:.2} |", planned / peak);
    }
    Ok(())
}

/// The middle one, or the mean of the two in the middle.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = |at: usize| numbers.get(at).copied().unwrap_or(f64::NAN);
    (middle(numbers.len() / 2) + middle(numbers.len().saturating_sub(1) / 2)) / 2.0
}
