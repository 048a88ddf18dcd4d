//! `ludus-train train RECIPE`: plans, trains, and says what was learned and where it lies.

use std::process::ExitCode;

use ludus_host::program;
use ludus_trainer::device;
use ludus_trainer::evaluate;
use ludus_trainer::plan::Plan;
use ludus_trainer::progress::Display;
use ludus_trainer::ranks::Place;
use ludus_trainer::run;
use ludus_trainer::train::endpoints::told;
use ludus_trainer::train::{Outcome, TrainOptions, train};
use ludus_trainer::watch::Silent;

use super::output::{line, print};
use super::{Places, RecipeArguments, interrupt, time};

const EXAMPLES: &str = "Examples:
  ludus-train train quickstart --dry-run           what it would do, and what it takes
  ludus-train train quickstart --name short --set steps=2 --set rollout.groups=4 \\
      --set evaluation.episodes=20 --set stage.0.evaluate_episodes=20
                                                   a short run, to see one
  ludus-train train quickstart --set lora.rank=16  adapters instead of the whole network
  ludus-train train my.toml --resume               go on with a run that was stopped

Shipped recipes are files of trainer/recipes; docs/recipe.md has every key with its default.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A recipe: a path, or the name of a shipped recipe (quickstart, quickstart-spy, gift-1.5b-nested, …)
    #[arg(default_value = "quickstart")]
    recipe: String,
    #[command(flatten)]
    changes: RecipeArguments,
    /// Go on with a run that was stopped
    #[arg(long)]
    resume: bool,
    /// The run's name [default: the recipe's]
    #[arg(long)]
    name: Option<String>,
    /// Check the recipe and print the plan, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut recipe = arguments.changes.read(&arguments.recipe)?;
    if let Some(name) = &arguments.name {
        recipe.name.clone_from(name);
    }
    let library = super::open_library(places)?;
    if arguments.resume {
        run::play_its_games(&places.store, &recipe.name, &recipe, &library);
    }
    let plan = super::plan(recipe, &library)?;
    if arguments.dry_run {
        print(&plan)?;
        print(format_args!("\n{}", time::told(&plan)))?;
        // A plan may be made for another machine.
        let device = device::expected(plan.recipe.model.device);
        if device.is_cuda() && !device::gpu_driver_is_present() {
            line(format_args!("\nthis machine has no GPU: the plan is one for a machine that has"))?;
        }
        if let Err(error) = plan.check_memory(device) {
            line(format_args!("\n{error}"))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let place = Place::from_environment()?;
    let is_first = place.as_ref().is_none_or(|place| place.rank == 0);
    interrupt::listen(is_first)?;
    let options = TrainOptions {
        library: &library,
        store: places.store.clone(),
        name: plan.recipe.name.clone(),
        resume: arguments.resume,
        stop: &interrupt::STOP,
        place,
    };
    // Of several ranks the first one tells what happens to all.
    if !is_first {
        train(&plan, &options, &mut Silent)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut display = Display::new(plan.recipe.steps);
    let outcome = train(&plan, &options, &mut display);
    display.finish();
    let outcome = outcome?;
    print(report(&plan, places, arguments, &outcome))?;
    // Whoever starts several ranks takes any other code for the failure of one.
    let is_interrupted = outcome.stopped && options.place.is_none();
    Ok(if is_interrupted { ExitCode::from(interrupt::INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// What a person wants to know of a run that has ended.
fn report(plan: &Plan, places: &Places, arguments: &Arguments, outcome: &Outcome) -> String {
    let what_came = if outcome.stopped {
        let (done, of) = (outcome.steps_done, plan.recipe.steps);
        let evaluation = if done < of { "" } else { ", before the evaluation" };
        format!("stopped after {done} of {of} steps{evaluation}; go on with\n  {}\n\n", resume_command(arguments))
    } else {
        let columns: [(&str, &[_]); 3] =
            [("random play", &outcome.random), ("before", &outcome.before), ("after", &outcome.after)];
        evaluate::table(&columns)
    };
    let replay_all = format!("{} replay --all   executes every one of them again", program::ludus(&places.store));
    let (trainer, name) = (program::on_store("ludus-train", &places.store), program::quoted(&plan.recipe.name));
    let lines = [
        ("checkpoint", outcome.checkpoint.display().to_string()),
        ("weights", outcome.weights.to_string()),
        ("metrics", outcome.folder.join("metrics.jsonl").display().to_string()),
        ("tensorboard", outcome.folder.join("tensorboard").display().to_string()),
        ("episodes", places.store.display().to_string()),
        ("", replay_all),
        ("report", format!("{trainer} report {name}   writes curves and conversations into a page for a browser")),
    ];
    // What failed before a stop was told then.
    let since = if arguments.resume { "since --resume, " } else { "" };
    let endpoints = outcome.endpoints.iter();
    let endpoints = endpoints.map(|(name, tally)| ("endpoint", format!("{since}{}", told(name, tally))));
    let lines: String =
        lines.into_iter().chain(endpoints).map(|(name, value)| format!("{name:12} {value}\n")).collect();
    format!("\n{what_came}{lines}")
}

/// The command as it was given, and `--resume`.
fn resume_command(arguments: &Arguments) -> String {
    let mut words: Vec<String> = std::env::args().map(|word| program::quoted(&word)).collect();
    if !arguments.resume {
        words.push("--resume".into());
    }
    words.join(" ")
}
