//! `ludus-train evaluate MODEL`: plays a recipe's evaluations with a model as it is, and prints them beside random play.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use ludus_trainer::chat::Chat;
use ludus_trainer::device;
use ludus_trainer::evaluate;
use ludus_trainer::learner::Learner;
use ludus_trainer::model::import;
use ludus_trainer::model::llama::Llama;
use ludus_trainer::progress::Display;
use ludus_trainer::train;
use ludus_trainer::watch::{Phase, Watch as _};

use super::output::{JsonFile, print};
use super::{Places, RecipeArguments};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The model: a checkpoint's folder, or whatever model.source of a recipe may be
    model: String,
    /// The recipe whose stages are played: a path, or the name of a shipped recipe
    #[arg(long, default_value = "quickstart")]
    recipe: String,
    #[command(flatten)]
    changes: RecipeArguments,
    /// Also write the numbers to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<()> {
    let json = JsonFile::open(arguments.json.as_deref())?;
    let mut recipe = arguments.changes.read(&arguments.recipe)?;
    recipe.model.source.clone_from(&arguments.model);
    let library = super::open_library(places)?;
    let plan = super::plan(recipe, &library)?;
    let device = device::choose(plan.recipe.model.device)?;
    let folder = import::resolve(&plan.recipe.model.source, &import::standard_cache()?)?;
    device::set_threads(plan.recipe.model.threads);
    let compute = device::compute_kind(plan.recipe.model.precision, device);
    let mut learner = Learner::new(&plan, Llama::load(&folder, device, compute)?, Chat::open(&folder)?);
    train::add_models(&mut learner)?;

    let random = evaluate::reference(&plan, &library)?;
    let mut display = Display::new(0);
    let (mut done, of) = (0, plan.sizes.evaluation_episodes as usize);
    let mut count = |episodes| {
        done += episodes;
        display.progress(Phase::Evaluation, done, of);
    };
    // Nothing is kept of it, so Ctrl-C just ends the program.
    let never = AtomicBool::new(false);
    let evaluated = evaluate::evaluate(&learner, &never, &mut count, &mut |_| {})?.unwrap_or_default();
    display.finish();
    print(evaluate::table(&[("random play", &random), ("model", &evaluated)]))?;
    json.write(&evaluated)
}
