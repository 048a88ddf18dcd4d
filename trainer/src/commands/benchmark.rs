//! `ludus-train benchmark MODEL… --task TASK --data FILE_OR_FOLDER`: what models know and can work out, measured on files that
//! lie here.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::ensure;
use indicatif::{ProgressBar, ProgressStyle};
use ludus_host::shown::clean;
use ludus_trainer::benchmark::asked::Asked;
use ludus_trainer::benchmark::compare::compare;
use ludus_trainer::benchmark::prompt::Prompter;
use ludus_trainer::benchmark::questions::{Questions, Source};
use ludus_trainer::benchmark::reply::prompt_room;
use ludus_trainer::benchmark::report::{Report, Settings};
use ludus_trainer::benchmark::table;
use ludus_trainer::benchmark::task::Task;
use ludus_trainer::device::{self, DeviceChoice};
use ludus_trainer::model::config::ModelConfig;
use ludus_trainer::model::import;
use ludus_trainer::model::llama::Llama;
use serde_json::json;
use tch::{Device, Kind};

use super::output::{FilesToo, print};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Checkpoints' folders, or models as a recipe names them; several are compared on the same items
    #[arg(required = true)]
    models: Vec<String>,
    #[arg(long, value_enum)]
    task: Task,
    /// A Parquet, JSON or CSV file with the items, or a folder with those of the benchmark's splits
    #[arg(long, value_name = "FILE_OR_FOLDER")]
    data: PathBuf,
    /// The split that is asked, of a folder [default: test, else what the benchmark has]
    #[arg(long)]
    split: Option<String>,
    /// So many solved examples before each question, the first ones of their split without the item itself [default: 5 for
    /// mmlu-pro and gsm8k, else 0]
    #[arg(long, value_name = "N")]
    shots: Option<usize>,
    /// Where the examples lie, if not in --data
    #[arg(long, value_name = "FILE_OR_FOLDER")]
    examples: Option<PathBuf>,
    /// Ask at most so many items of each subject
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// Put questions through the model's chat template
    #[arg(long)]
    chat: bool,
    /// The most tokens of a reply [default: 2048 for mmlu-pro, 64 for common-gen, else 256]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    tokens: Option<usize>,
    /// Replies that are made at a time
    #[arg(long, value_name = "N", default_value = "16", value_parser = at_least_one)]
    rows: usize,
    /// Tokens that go through the network at once where choices are scored
    #[arg(long, value_name = "N", default_value = "4096", value_parser = at_least_one)]
    pack_tokens: usize,
    /// The number format of the network's passes
    #[arg(long, value_enum, default_value_t = Format::Float32)]
    precision: Format,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    #[command(flatten)]
    files: FilesToo,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Float32,
    Bfloat16,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::Float32 => "float32",
            Format::Bfloat16 => "bfloat16",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Format::Float32 => Kind::Float,
            Format::Bfloat16 => Kind::BFloat16,
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "it must be a whole number from 1 on".to_owned())
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let files = arguments.files.open()?;
    let questions = Questions::read(&Source {
        task: arguments.task,
        data: &arguments.data,
        split: arguments.split.as_deref(),
        examples: arguments.examples.as_deref(),
        shots: arguments.shots,
        limit: arguments.limit,
    })?;
    let are_replies = !questions.are_choices();
    ensure!(
        are_replies || arguments.tokens.is_none(),
        "--tokens is for replies, and this benchmark scores choices: leave it out"
    );
    let settings = Settings {
        task: arguments.task.name().to_owned(),
        data: arguments.data.display().to_string(),
        split: questions.split.clone(),
        shots: questions.shots,
        examples: questions.examples_split.clone(),
        chat: arguments.chat,
        reply_tokens: are_replies.then(|| arguments.tokens.unwrap_or(arguments.task.defaults().reply_tokens)),
        limit: arguments.limit,
        precision: arguments.precision.name().to_owned(),
    };
    let device = device::choose(arguments.device)?;
    device::set_threads(0);
    // All models before the first question: a mistake in the last one is told at once.
    let cache = import::standard_cache()?;
    let found = arguments.models.iter().map(|model| find(model, arguments.chat, settings.reply_tokens, &cache));
    let found = found.collect::<anyhow::Result<Vec<Found<'_>>>>()?;
    let reports = found.iter().map(|model| of_model(model, device, arguments, &questions, &settings));
    let reports: Vec<Report> = reports.collect::<anyhow::Result<_>>()?;
    let comparisons = compare(&reports);
    print(clean(&table::plain(&reports, &comparisons)))?;
    let all = json!({ "reports": reports, "comparisons": comparisons });
    files.write(&all, || table::markdown(&reports, &comparisons))
}

/// A model that can be asked. Its weights are loaded when its turn comes.
struct Found<'a> {
    name: &'a str,
    folder: PathBuf,
    prompter: Prompter,
}

fn find<'a>(name: &'a str, chat: bool, reply_tokens: Option<usize>, cache: &Path) -> anyhow::Result<Found<'a>> {
    let folder = import::resolve(name, cache)?;
    let config = ModelConfig::read(&folder)?;
    if let Some(tokens) = reply_tokens {
        prompt_room(&config, tokens)?;
    }
    let prompter = Prompter::open(&folder, chat)?;
    Ok(Found { name, folder, prompter })
}

fn of_model(
    model: &Found<'_>,
    device: Device,
    arguments: &Arguments,
    questions: &Questions,
    settings: &Settings,
) -> anyhow::Result<Report> {
    let llama = Llama::load(&model.folder, device, arguments.precision.kind())?;
    let weights = tch::no_grad(|| llama.weights());
    let asked = Asked {
        name: model.name,
        llama: &llama,
        weights: &weights,
        prompter: &model.prompter,
        pack_tokens: arguments.pack_tokens,
        rows: arguments.rows,
    };
    let bar = bar(questions.work(), model.name);
    let report = asked.answer(questions, settings, &mut |done| bar.inc(done as u64));
    bar.finish_and_clear();
    Ok(report?)
}

/// A bar where a terminal can draw it.
fn bar(work: usize, model: &str) -> ProgressBar {
    if !io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(work as u64).with_prefix(clean(model));
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {eta}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
