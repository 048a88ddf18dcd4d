//! What a person writes of an experiment, and the runs that it means.
//!
//! ```toml
//! name = "nesting"
//! recipe = "quickstart-spy"            # what all arms have in common
//! set = ["steps=12"]                   # changed in all of them
//! seeds = [1, 2, 3]
//! equal = "trajectories"
//! baseline = "mixed"                   # what the others are held against
//! [quick]                              # --quick: a smaller size, to see that it works
//! set = ["steps=4"]
//! seeds = [1]
//! [[arm]]
//! name = "mixed"
//! set = ["task.kind=mixed"]
//! ```

use std::path::{Path, PathBuf};

use ludus_host::library::Library;
use ludus_host::task_spec::StageSpec;
use serde::{Deserialize, Serialize};

use super::Planned;
use crate::plan::{Plan, PlanError, PlannedEvaluation, PlannedStage};
use crate::recipe::keys::nearest;
use crate::recipe::read::{self, RecipeError};

/// The experiments of `trainer/experiments/`: name and text.
pub const SHIPPED: [(&str, &str); 3] = [
    ("nesting", include_str!("../../experiments/nesting.toml")),
    ("nesting-1.5b", include_str!("../../experiments/nesting-1.5b.toml")),
    ("nesting-7b", include_str!("../../experiments/nesting-7b.toml")),
];

/// Several recipes that are to be compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    pub name: String,
    /// The recipe of all arms: a path, or the name of a shipped one.
    pub recipe: String,
    /// Values changed in all arms, written as for `--set`.
    #[serde(default)]
    pub set: Vec<String>,
    pub seeds: Vec<u64>,
    #[serde(default)]
    pub equal: Equal,
    /// The arm that the others are held against; the first one where none is named.
    #[serde(default)]
    pub baseline: Option<String>,
    #[serde(default)]
    pub quick: Option<Quick>,
    #[serde(rename = "arm")]
    pub arms: Vec<Arm>,
}

/// What all arms have as much of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Equal {
    /// Steps, and trajectories in each.
    #[default]
    Trajectories,
    /// Sampled tokens: `sampled_tokens_max` ends each run.
    SampledTokens,
}

/// A smaller size of the same experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quick {
    /// Changed after all else.
    #[serde(default)]
    pub set: Vec<String>,
    pub seeds: Vec<u64>,
}

/// One recipe of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Letters, digits, `-` and `_`: a part of its runs' names.
    pub name: String,
    #[serde(default)]
    pub set: Vec<String>,
}

/// Why an experiment cannot be made. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    #[error(
        "there is no experiment `{wanted}`{}: give the path of a .toml file, or one of {}",
        meant(wanted),
        SHIPPED.map(|(name, _)| name).join(", ")
    )]
    NotFound { wanted: String },
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("{place}: {reason}")]
    Malformed { place: String, reason: String },
    #[error("arm {arm}: {error}")]
    Recipe { arm: String, error: RecipeError },
    #[error("arm {arm}: {error}")]
    Plan { arm: String, error: PlanError },
    #[error("{place}: `{key}` follows from the experiment's own `{instead}`: leave it out of what is set")]
    NotToBeSet { place: String, key: &'static str, instead: &'static str },
    #[error(
        "the arms {first} and {second} do not have as many {what} ({of_first} and {of_second}): change steps, rollout.groups or rollout.group_size, or write equal = \"sampled-tokens\""
    )]
    Unequal { first: String, second: String, what: &'static str, of_first: u64, of_second: u64 },
    #[error(
        "the arm {arm} may end early, by its sampled_tokens_max: leave that out, or write equal = \"sampled-tokens\""
    )]
    EndsEarly { arm: String },
    #[error(
        "the arm {arm} has sampled_tokens_max = {most}, and {first} has {of_first}: with equal = \"sampled-tokens\" write the same number above 0 for all"
    )]
    UnequalTokens { first: String, arm: String, of_first: u64, most: u64 },
    #[error(
        "the arms {first} and {second} are not evaluated alike: leave the stages, how replies are read and what is evaluated to the recipe, and choose by stage.N.train what an arm trains on"
    )]
    OtherEvaluation { first: String, second: String },
}

/// The shipped experiment that was probably meant.
fn meant(wanted: &str) -> String {
    let names = SHIPPED.map(|(name, _)| name);
    nearest(wanted, &names).map_or(String::new(), |name| format!(" (did you mean `{name}`?)"))
}

impl Experiment {
    /// Reads the experiment that `wanted` names: a path, or a shipped one's name. `quick` takes its smaller size.
    ///
    /// # Errors
    /// Where there is none, or it is not right.
    pub fn read(wanted: &str, quick: bool) -> Result<Experiment, ExperimentError> {
        let text = match SHIPPED.iter().find(|(name, _)| *name == wanted) {
            Some((_, text)) => (*text).to_string(),
            None => {
                let path = Path::new(wanted);
                if !path.is_file() {
                    return Err(ExperimentError::NotFound { wanted: wanted.into() });
                }
                std::fs::read_to_string(path)
                    .map_err(|error| ExperimentError::Unreadable { path: path.into(), error })?
            }
        };
        let malformed = |reason: String| ExperimentError::Malformed { place: wanted.into(), reason };
        let mut experiment: Experiment =
            toml::from_str(&text).map_err(|error| malformed(error.message().replace('\n', ", ")))?;
        experiment.check().map_err(malformed)?;
        if quick {
            let quick = experiment.quick.take().ok_or_else(|| malformed("it has no [quick] size".into()))?;
            experiment.name += "-quick";
            experiment.seeds = quick.seeds;
            experiment.arms.iter_mut().for_each(|arm| arm.set.extend(quick.set.iter().cloned()));
        }
        Ok(experiment)
    }

    fn check(&self) -> Result<(), String> {
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
        };
        let names: Vec<&str> = self.arms.iter().map(|arm| arm.name.as_str()).collect();
        if !is_name(&self.name) {
            return Err(format!("`name` is `{}`: write letters, digits, `-`, `_` and `.`", self.name));
        }
        if let Some(wrong) = names.iter().find(|name| !is_name(name)) {
            return Err(format!("an arm is called `{wrong}`: write letters, digits, `-`, `_` and `.`"));
        }
        if let Some((_, twice)) = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
            return Err(format!("two arms are called {twice}: give each a name of its own"));
        }
        if names.len() < 2 {
            return Err("it needs two [[arm]] or more to compare".into());
        }
        if self.baseline.as_ref().is_some_and(|name| !names.contains(&name.as_str())) {
            return Err(format!("`baseline` is none of the arms; write one of {}", names.join(", ")));
        }
        for seeds in [Some(&self.seeds), self.quick.as_ref().map(|quick| &quick.seeds)].into_iter().flatten() {
            let twice = seeds.iter().enumerate().any(|(index, seed)| seeds[..index].contains(seed));
            if seeds.is_empty() || twice {
                return Err("`seeds` needs at least one number, and each once".into());
            }
        }
        Ok(())
    }

    /// The index of the arm that the others are held against.
    pub fn baseline(&self) -> usize {
        let named = self.baseline.as_ref().and_then(|name| self.arms.iter().position(|arm| arm.name == *name));
        named.unwrap_or(0)
    }

    /// All runs, seed by seed, so that what was done when it was stopped can be compared. `assignments` change all arms.
    ///
    /// # Errors
    /// Where an arm is no plan, or the arms cannot be compared.
    pub fn plan(&self, assignments: &[String], library: &Library) -> Result<Vec<Planned>, ExperimentError> {
        let mut runs = Vec::new();
        for &seed in &self.seeds {
            for (index, arm) in self.arms.iter().enumerate() {
                let name = format!("{}.{}.{seed}", self.name, arm.name);
                let mut set = [&self.set[..], &arm.set, assignments].concat();
                refuse_what_follows(&set, &arm.name)?;
                set.extend([format!("seed={seed}"), format!("name={name}")]);
                let recipe = read::read(&self.recipe, &set)
                    .map_err(|error| ExperimentError::Recipe { arm: arm.name.clone(), error })?;
                let plan = Plan::from_recipe(recipe, library)
                    .map_err(|error| ExperimentError::Plan { arm: arm.name.clone(), error })?;
                runs.push(Planned { arm: index, seed, name, plan });
            }
        }
        self.check_budgets(&runs)?;
        Ok(runs)
    }

    fn check_budgets(&self, runs: &[Planned]) -> Result<(), ExperimentError> {
        let Some(first) = runs.first() else { return Ok(()) };
        let name = |run: &Planned| self.arms[run.arm].name.clone();
        for run in runs {
            let (one, other) = (&first.plan, &run.plan);
            if !are_evaluated_alike(one, other) {
                return Err(ExperimentError::OtherEvaluation { first: name(first), second: name(run) });
            }
            let budgets = [
                ("steps", u64::from(one.recipe.steps), u64::from(other.recipe.steps)),
                ("trajectories a run", one.sizes.episodes_of_run, other.sizes.episodes_of_run),
            ];
            let unequal = budgets.into_iter().find(|(_, of_first, of_second)| of_first != of_second);
            let (tokens, most) = (one.recipe.sampled_tokens_max, other.recipe.sampled_tokens_max);
            match (self.equal, unequal) {
                (Equal::Trajectories, Some((what, of_first, of_second))) => {
                    let (first, second) = (name(first), name(run));
                    return Err(ExperimentError::Unequal { first, second, what, of_first, of_second });
                }
                (Equal::Trajectories, None) if most > 0 => {
                    return Err(ExperimentError::EndsEarly { arm: name(run) });
                }
                (Equal::SampledTokens, _) if most == 0 || most != tokens => {
                    let (first, arm) = (name(first), name(run));
                    return Err(ExperimentError::UnequalTokens { first, arm, of_first: tokens, most });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Seeds and names are what tells an experiment's runs apart.
fn refuse_what_follows(set: &[String], arm: &str) -> Result<(), ExperimentError> {
    let keys = [("seed", "seeds"), ("name", "name")];
    let is_set = |key: &str| set.iter().any(|one| one.split('=').next().is_some_and(|written| written.trim() == key));
    match keys.into_iter().find(|(key, _)| is_set(key)) {
        Some((key, instead)) => Err(ExperimentError::NotToBeSet { place: format!("arm {arm}"), key, instead }),
        None => Ok(()),
    }
}

/// Whether two arms meet the same players in the same games, and are asked and read alike. Which examples they are shown may
/// differ: those are of the games that an arm trains on.
fn are_evaluated_alike(one: &Plan, other: &Plan) -> bool {
    let reads_alike = |one: &PlannedStage, other: &PlannedStage| {
        (one.reply_tokens, &one.reply_prefix) == (other.reply_tokens, &other.reply_prefix)
    };
    let is_alike = |(left, right): (&PlannedEvaluation, &PlannedEvaluation)| {
        let stages = |evaluation: &PlannedEvaluation| -> Vec<Vec<StageSpec>> {
            evaluation.tasks.iter().map(|task| task.spec().stages.clone()).collect()
        };
        (&left.name, left.episodes) == (&right.name, right.episodes)
            && stages(left) == stages(right)
            && reads_alike(&one.stages[left.stage], &other.stages[right.stage])
    };
    one.evaluations.len() == other.evaluations.len()
        && one.evaluations.iter().zip(&other.evaluations).all(is_alike)
        && one.recipe.evaluation == other.recipe.evaluation
        && one.recipe.reply.format == other.recipe.reply.format
}
