//! `ludus-train evaluate MODEL…`: plays the evaluations of a recipe or a suite with models as they are, and prints them beside
//! reference players and beside each other.

use std::sync::atomic::AtomicBool;

use ludus_host::library::Library;
use ludus_trainer::device;
use ludus_trainer::evaluate::paired::{self, Paired};
use ludus_trainer::evaluate::{self, Evaluated};
use ludus_trainer::model::import;
use ludus_trainer::plan::Plan;
use ludus_trainer::progress::Display;
use ludus_trainer::ranks::Ranks;
use ludus_trainer::recipe::{Recipe, read};
use ludus_trainer::train::endpoints::Tallies;
use ludus_trainer::train::{self, endpoints};
use ludus_trainer::watch::{Phase, Watch as _};
use serde::Serialize;

use super::model_names::short_names;
use super::output::{FilesToo, print};
use super::{Places, RecipeArguments};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The models: checkpoints' folders, or whatever model.source of a recipe may be. Several are compared deal by deal
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<String>,
    /// The recipe whose stages are played: a path, or the name of a shipped recipe [default: quickstart]
    #[arg(long, conflicts_with = "suite")]
    recipe: Option<String>,
    /// The suite that is played instead: ladder (six games against players of rising strength, from every seat)
    #[arg(long, value_name = "NAME")]
    suite: Option<String>,
    #[command(flatten)]
    changes: RecipeArguments,
    #[command(flatten)]
    files: FilesToo,
}

const EXAMPLES: &str = "Examples:
  ludus-train evaluate smollm2-135m-instruct
  ludus-train evaluate smollm2-135m-instruct .ludus/runs/quickstart/checkpoints/step-000024
  ludus-train evaluate MODEL --suite ladder --json ladder.json --markdown ladder.md
  ludus-train evaluate MODEL --suite ladder --set evaluation.episodes=1000";

/// What `--json` gets.
#[derive(Serialize)]
struct Report<'a> {
    /// The recipe's or the suite's name.
    played: &'a str,
    references: Vec<Column>,
    models: Vec<Column>,
    /// Of every two models, in order.
    comparisons: Vec<Comparison>,
}

#[derive(Serialize)]
struct Column {
    name: String,
    evaluated: Vec<Evaluated>,
}

#[derive(Serialize)]
struct Comparison {
    first: String,
    second: String,
    paired: Vec<Paired>,
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<()> {
    let files = arguments.files.open()?;
    let library = super::open_library(places)?;
    // All plans before the first model plays: a mistake in the last one is told at once.
    let plans = arguments.models.iter().map(|model| {
        let mut recipe = arguments.recipe()?;
        recipe.model.source.clone_from(model);
        super::plan(recipe, &library)
    });
    let plans = plans.collect::<anyhow::Result<Vec<Plan>>>()?;
    let names = short_names(&arguments.models);

    let references = references(&plans[0], &library)?;
    let mut models = Vec::new();
    for (plan, name) in plans.iter().zip(&names) {
        models.push(Column { name: name.clone(), evaluated: measure(plan)? });
    }
    let mut comparisons = Vec::new();
    for (index, first) in models.iter().enumerate() {
        for second in &models[index + 1..] {
            let paired = paired::compare(&first.evaluated, &second.evaluated);
            comparisons.push(Comparison { first: first.name.clone(), second: second.name.clone(), paired });
        }
    }
    let report = Report { played: &plans[0].recipe.name, references, models, comparisons };
    let columns: Vec<evaluate::Column<'_>> = report
        .references
        .iter()
        .chain(&report.models)
        .map(|column| (column.name.as_str(), column.evaluated.as_slice()))
        .collect();
    print(evaluate::table(&columns))?;
    for Comparison { first, second, paired } in &report.comparisons {
        print(format_args!("{}\n", paired::lines(first, second, paired)))?;
    }
    files.write(&report, || report.markdown(&columns))
}

impl Arguments {
    fn recipe(&self) -> anyhow::Result<Recipe> {
        match &self.suite {
            Some(suite) => Ok(read::suite(suite, self.changes.assignments())?),
            None => self.changes.read(self.recipe.as_deref().unwrap_or("quickstart")),
        }
    }
}

impl Report<'_> {
    fn markdown(&self, columns: &[evaluate::Column<'_>]) -> String {
        let mut text = format!("## {}\n\n{}", evaluate::escaped(self.played), evaluate::markdown(columns));
        for Comparison { first, second, paired } in &self.comparisons {
            text.push_str(&paired::markdown(first, second, paired));
        }
        text
    }
}

/// What every player that a stage names as a reference reaches on the same deals.
fn references(plan: &Plan, library: &Library) -> anyhow::Result<Vec<Column>> {
    let mut players: Vec<&String> = Vec::new();
    for player in plan.evaluations.iter().flat_map(|evaluation| &evaluation.references) {
        if !players.contains(&player) {
            players.push(player);
        }
    }
    let mut columns = Vec::new();
    for player in players {
        let name = if player == "random" { "random play".to_string() } else { player.clone() };
        columns.push(Column { name, evaluated: evaluate::reference(plan, library, player)? });
    }
    Ok(columns)
}

/// Plays the evaluations of a plan with its model.
fn measure(plan: &Plan) -> anyhow::Result<Vec<Evaluated>> {
    let device = device::choose(plan.recipe.model.device)?;
    let folder = import::resolve(&plan.recipe.model.source, &import::standard_cache()?)?;
    device::set_threads(plan.recipe.model.threads);
    let mut learner = train::load_to_play(plan, &folder, device)?;
    train::add_opponents(&mut learner, plan.evaluated_tasks())?;
    let mut display = Display::new(0);
    let (mut done, of) = (0, plan.sizes.evaluation_episodes as usize);
    let mut count = |episodes| {
        done += episodes;
        display.progress(Phase::Evaluation, done, of);
    };
    // Nothing is kept of it, so Ctrl-C just ends the program.
    let never = AtomicBool::new(false);
    let evaluated = evaluate::evaluate(&learner, &never, &mut count, &mut |_| {})?.unwrap_or_default();
    // Where calls failed, somebody else moved for the endpoint.
    let counted = endpoints::tallies(learner.opponents.calls(), &Ranks::alone())?;
    endpoints::failures(&counted, &Tallies::new()).iter().for_each(|sentence| display.say(sentence));
    display.finish();
    Ok(evaluated)
}
