//! What the end-to-end tests share: a small random model with the default model's tokenizer, the games, and a server
//! that models are behind.

pub mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::stream::Stream;
use ludus_trainer::chat::Chat;
use ludus_trainer::device::{self, DeviceChoice};
use ludus_trainer::evaluate::Evaluated;
use ludus_trainer::learner::Learner;
use ludus_trainer::metrics::StepMetrics;
use ludus_trainer::model::config::ModelConfig;
use ludus_trainer::model::import::{DEFAULT_MODEL, resolve, standard_cache};
use ludus_trainer::model::llama::Llama;
use ludus_trainer::model::weights;
use ludus_trainer::plan::Plan;
use ludus_trainer::recipe::read;
use ludus_trainer::train::{Outcome, TrainError, TrainOptions, train};
pub use ludus_trainer::watch::Silent;
use ludus_trainer::watch::{Phase, Timing, Watch};
use tch::{Device, Kind, Tensor};

/// Asks a run to stop as soon as a step is done.
pub struct StopAfterOneStep<'a>(pub &'a AtomicBool);

impl Watch for StopAfterOneStep<'_> {
    fn progress(&mut self, _: Phase, _: usize, _: usize) {}
    fn step(&mut self, _: &StepMetrics, _: &Timing) {
        self.0.store(true, Ordering::Relaxed);
    }
    fn evaluated(&mut self, _: &str, _: &[Evaluated]) {}
    fn say(&mut self, _: &str) {}
}

/// Where the tests' networks compute: on the CPU, or where `LUDUS_TEST_DEVICE` says, as in a recipe (`cuda`, `cuda:1`).
///
/// # Panics
/// Where there is no such device.
pub fn device() -> Device {
    device::choose(device_choice()).expect("the device of LUDUS_TEST_DEVICE")
}

fn device_choice() -> DeviceChoice {
    let named = std::env::var("LUDUS_TEST_DEVICE").unwrap_or_else(|_| "cpu".to_string());
    named.parse().expect("LUDUS_TEST_DEVICE is `cpu`, `cuda` or `cuda:N`")
}

/// The games that set-up builds.
///
/// # Panics
/// Where the library cannot be opened.
pub fn library() -> Library {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Library::open(LibraryOptions {
        games_dirs: vec![root.join("games-wasm/built")],
        cache_dir: Library::standard_cache_dir(),
        limits: Limits::STANDARD,
    })
    .expect("`./just games` builds the games")
}

/// Writes a Llama of some thousand random numbers, besides its embedding, to `folder`. It speaks the default model's tokens.
///
/// # Panics
/// Where the default model is not there or the folder cannot be written.
pub fn small_model(folder: &Path) -> PathBuf {
    let base =
        standard_cache().and_then(|cache| resolve(DEFAULT_MODEL, &cache)).expect("`./just setup` brings the model");
    for file in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"] {
        fs::copy(base.join(file), folder.join(file)).expect("the default model has a tokenizer");
    }
    let config = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 49152, "hidden_size": 32,
        "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 2048, "tie_word_embeddings": true,
        "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2}"#;
    fs::write(folder.join("config.json"), config).expect("the folder can be written");
    let config = ModelConfig::read(folder).expect("the config is right");
    let mut stream = Stream::derive(7, &["small model".into()]);
    let tensors: Vec<(String, Tensor)> = config
        .tensors()
        .into_iter()
        .map(|(name, shape)| {
            let count: i64 = shape.iter().product();
            let norm = name.contains("norm");
            let numbers: Vec<f32> =
                (0..count).map(|_| if norm { 1.0 } else { (stream.unit_f64() as f32 - 0.5) * 0.5 }).collect();
            (name, Tensor::from_slice(&numbers).view(shape.as_slice()))
        })
        .collect();
    let borrowed: Vec<(String, &Tensor)> = tensors.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
    weights::save(folder, &borrowed, Kind::Float).expect("the folder can be written");
    folder.to_path_buf()
}

/// A recipe for two steps of a nested task on a model in `folder`, with one update each.
pub fn small_recipe(folder: &Path) -> String {
    format!(
        r#"
name = "small"
steps = 2
[model]
source = "{}"
precision = "float32"
device = "{}"
[task]
kind = "nested"
# The model's replies are noise: without luck of their own, the members of a group would all end alike.
opponent_stream = "episode"
[reply]
system = "Play."
tokens = 2
[[stage]]
game = "matrix"
options = {{ game = "prisoners-dilemma" }}
on_illegal = "random"
[[stage]]
game = "tictactoe"
attempts = 2
on_illegal = "random"
[rollout]
groups = 2
group_size = 4
[algorithm]
keep_fraction = 1.0
[optimizer]
learning_rate = 1e-3
[evaluation]
episodes = 4
[checkpoint]
every = 1
keep = 3
"#,
        folder.display(),
        device_choice()
    )
}

/// The plan of the small recipe with some values changed.
///
/// # Panics
/// Where it is none.
pub fn plan(folder: &Path, library: &Library, changes: &[&str]) -> Plan {
    let changes: Vec<String> = changes.iter().map(|change| (*change).to_string()).collect();
    let recipe = read::parse(&small_recipe(folder), "the test's recipe", &changes).expect("a recipe");
    Plan::from_recipe(recipe, library).expect("a plan")
}

/// A learner at the start, in float32.
///
/// # Panics
/// Where the folder holds no model.
pub fn learner<'a>(plan: &'a Plan, folder: &Path) -> Learner<'a> {
    let llama = Llama::load(folder, device(), Kind::Float).expect("a model");
    Learner::new(plan, llama, Chat::open(folder).expect("a tokenizer"))
}

/// Begins or goes on with the run `small` of a store.
///
/// # Errors
/// As [`train`].
pub fn run(
    plan: &Plan,
    library: &Library,
    store: &Path,
    resume: bool,
    watch: &mut dyn Watch,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let options = TrainOptions { library, store: store.to_path_buf(), name: "small".into(), resume, stop, place: None };
    train(plan, &options, watch)
}

/// Runs a plan to its end, which is a good one.
///
/// # Panics
/// Where it is not.
pub fn run_to_its_end(plan: &Plan, library: &Library, store: &Path) -> Outcome {
    run(plan, library, store, false, &mut Silent, &AtomicBool::new(false)).expect("a run")
}
