//! What a recipe means: every game found, every option checked against its game, every size worked out.
//!
//! [`Plan::from_recipe`] is the one step from what was written to what is done; after it, the trainer needs no more
//! checks of settings. A plan is made without the model's weights and without a device, so `--dry-run` works anywhere.
//! Whether the plan fits this machine is asked apart, by [`Plan::check_memory`].

mod check;
mod identity;
mod players;
mod sizes;
mod table;
pub mod work;

pub use self::identity::differences;

use std::path::PathBuf;
use std::sync::Arc;

use ludus_host::component::{Component, ComponentError};
use ludus_host::hash::Hash;
use ludus_host::library::Library;
use ludus_host::stream::Stream;
use ludus_host::task::{LearnerSeat, StageSpec, Task, TaskError, TaskSpec};
use tch::{Device, Kind};

use crate::device;
use crate::machine::{self, format_bytes};
use crate::memory::{self, MemoryEstimate, MemoryNeeds, ModelShape};
use crate::model::config::ModelConfig;
use crate::model::{ModelError, import, llama};
use crate::recipe::{Example, Recipe, StageRecipe, TaskKind};

pub use sizes::{Sizes, kept_groups_max};
pub use table::thousands;

/// A checked recipe with everything that follows from it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub recipe: Recipe,
    /// What the plan is called when a run is resumed or compared.
    pub hash: Hash,
    /// One for each `[[stage]]`, in the recipe's order.
    pub stages: Vec<PlannedStage>,
    /// One task of all stages for `nested`, else one of each stage.
    pub tasks: Vec<PlannedTask>,
    /// One for each stage and each player of its `evaluate`.
    pub evaluations: Vec<PlannedEvaluation>,
    pub sizes: Sizes,
    /// The model's sizes: from its `config.json`, or known by its name. None where neither is there.
    pub shape: Option<ModelShape>,
    /// None where the shape is unknown.
    pub memory: Option<MemoryEstimate>,
    /// The kind in which passes will most likely compute.
    pub compute: Kind,
}

/// How the model is asked in one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedStage {
    /// The game's name, with `-2` and so on where a game comes again: what metrics call the stage.
    pub label: String,
    pub reply_tokens: u32,
    pub reply_prefix: String,
    pub examples: Vec<Example>,
}

/// What an episode may consist of.
#[derive(Clone, Debug)]
pub struct PlannedTask {
    pub task: Arc<Task>,
    /// For each stage of the task, its index among the recipe's stages.
    pub stages: Vec<usize>,
}

/// One stage against one player.
#[derive(Clone, Debug)]
pub struct PlannedEvaluation {
    /// `tictactoe against random`.
    pub name: String,
    /// The index among the recipe's stages.
    pub stage: usize,
    /// None for a game of one seat.
    pub player: Option<String>,
    pub episodes: u32,
    /// One, or one for each seat of the learner where every seat is played.
    pub tasks: Vec<Arc<Task>>,
    /// The players that are measured in the learner's place.
    pub references: Vec<String>,
}

/// Why a recipe is no plan. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("`{key}` is {value}: {allowed}")]
    OutOfRange { key: String, value: String, allowed: &'static str },
    #[error(transparent)]
    Game(#[from] ComponentError),
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error("too little memory: the plan needs about {} and {place} has {} left; {advice}", format_bytes(*needed), format_bytes(*left))]
    TooLittleMemory { needed: u64, left: u64, place: String, advice: String },
}

impl Plan {
    /// Checks a recipe against the games of a library.
    ///
    /// # Errors
    /// Where a value is out of range, a game or player is not there, or an option is not one of its game.
    pub fn from_recipe(recipe: Recipe, library: &Library) -> Result<Plan, PlanError> {
        check::ranges(&recipe)?;
        let components = recipe.stages.iter().map(|stage| library.game(&stage.game)).collect::<Result<Vec<_>, _>>()?;
        let labels = labels(&components);
        let stages: Vec<PlannedStage> =
            recipe.stages.iter().zip(&labels).map(|(stage, label)| planned_stage(&recipe, stage, label)).collect();
        let tasks = tasks(&recipe, &components, library)?;
        let evaluations = evaluations(&recipe, &components, &labels, library)?;
        let sizes = Sizes::of(&recipe, &components, &tasks, &evaluations);
        let shape = model_shape(&recipe.model.source)?;
        let frozen = frozen_shapes(&recipe)?;
        let expected = device::expected(recipe.model.device);
        let compute = device::compute_kind(recipe.model.precision, expected);
        let memory =
            shape.as_ref().map(|shape| memory::estimate(shape, needs(&recipe, shape, &frozen, expected, compute)));
        let hash = identity::hash(&recipe, &components);
        Ok(Plan { recipe, hash, stages, tasks, evaluations, sizes, shape, memory, compute })
    }

    /// The index of the task that a group plays: steps and groups count from 0, the groups of dynamic sampling go on
    /// counting. Draws depend on the recipe's seed alone.
    pub fn task_of_group(&self, step: u32, group: u32) -> usize {
        let count = self.tasks.len() as u32;
        let index = match self.recipe.task.kind {
            TaskKind::Nested | TaskKind::Single => 0,
            TaskKind::Alternate => step % count,
            TaskKind::Mixed => {
                let path = ["train".into(), step.into(), group.into(), "task".into()];
                Stream::derive(self.recipe.seed, &path).below(count)
            }
        };
        index as usize
    }

    /// The components of all games, in the stages' order, each once.
    pub fn components(&self) -> impl Iterator<Item = &Arc<Component>> {
        let mut components: Vec<&Arc<Component>> = Vec::new();
        for stage in self.tasks.iter().flat_map(|task| task.task.stages()) {
            if !components.iter().any(|known| known.hash == stage.component.hash) {
                components.push(&stage.component);
            }
        }
        components.into_iter()
    }

    /// The tasks that are trained on, then those of the evaluations.
    pub fn all_tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.tasks.iter().map(|planned| &planned.task).chain(self.evaluated_tasks())
    }

    pub fn evaluated_tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.evaluations.iter().flat_map(|evaluation| &evaluation.tasks)
    }

    /// Compares the estimate with what the device has left. A plan whose model is not known passes.
    ///
    /// # Errors
    /// Where it is too little; the sentence names the settings that make the largest part.
    pub fn check_memory(&self, device: Device) -> Result<(), PlanError> {
        self.check_memory_of_rank(device, 1, 1)
    }

    /// The same for one of so many ranks, of which `local_ranks` share this machine.
    ///
    /// # Errors
    /// As [`Plan::check_memory`].
    pub fn check_memory_of_rank(&self, device: Device, ranks: u32, local_ranks: u32) -> Result<(), PlanError> {
        let (place, left) = match device {
            Device::Cuda(number) => (format!("cuda:{number}"), device::cuda_memory_bytes(number).map(|(free, _)| free)),
            _ => {
                let left = machine::memory_available_bytes().map(|left| left / u64::from(local_ranks.max(1)));
                ("this machine".into(), left)
            }
        };
        let sharers = if self.recipe.optimizer.sharded { ranks } else { 1 };
        match (self.memory.map(|memory| memory.with_shared_optimizer(sharers)), left) {
            (Some(memory), Some(left)) => self.check_memory_against(&memory, &place, left),
            _ => Ok(()),
        }
    }

    fn check_memory_against(&self, memory: &MemoryEstimate, place: &str, left: u64) -> Result<(), PlanError> {
        if memory.peak <= left {
            return Ok(());
        }
        let (rollout, algorithm) = (&self.recipe.rollout, &self.recipe.algorithm);
        let advice = if memory.lasting() > left {
            let lasting = format_bytes(memory.lasting());
            let adapters = if self.recipe.lora.rank == 0 { ", or train adapters (lora.rank)" } else { "" };
            format!("the weights and the optimizer alone take {lasting}: name a smaller model.source{adapters}")
        } else {
            // A rollout and an update come one after the other, and either may be too large.
            let mut lower = Vec::new();
            if memory.rollout_peak() > left {
                lower.push(format!("rollout.batch_rows ({})", rollout.batch_rows));
            }
            if memory.update_peak() > left {
                lower.push(format!("algorithm.pack_tokens ({})", algorithm.pack_tokens));
            }
            let recompute = if memory.update_peak() > left && !algorithm.recompute {
                "set algorithm.recompute = true, or "
            } else {
                ""
            };
            format!("{recompute}lower {}, or rollout.context_tokens ({})", lower.join(" and "), rollout.context_tokens)
        };
        Err(PlanError::TooLittleMemory { needed: memory.peak, left, place: place.into(), advice })
    }
}

/// The folder of a model that is there already: the source itself, or what its name has in the cache.
pub fn model_folder(source: &str) -> Option<PathBuf> {
    let cached = import::standard_cache().ok().map(|cache| cache.join("models").join(source));
    [Some(PathBuf::from(source)), cached].into_iter().flatten().find(|folder| folder.join("config.json").is_file())
}

fn model_shape(source: &str) -> Result<Option<ModelShape>, PlanError> {
    match model_folder(source) {
        Some(folder) => Ok(Some(ModelShape::from(&ModelConfig::read(&folder)?))),
        None => import::Source::of(source).map(|_| memory::known_shape(source)).map_err(PlanError::Model),
    }
}

/// The tokens of a short turn.
const TURN_TOKENS: u64 = 32;

/// The shapes of the models that do not learn, as far as they are known.
fn frozen_shapes(recipe: &Recipe) -> Result<Vec<ModelShape>, PlanError> {
    let shapes: Result<Vec<Option<ModelShape>>, PlanError> =
        recipe.models.values().map(|model| model_shape(&model.source)).collect();
    Ok(shapes?.into_iter().flatten().collect())
}

fn needs(recipe: &Recipe, shape: &ModelShape, frozen: &[ModelShape], expected: Device, compute: Kind) -> MemoryNeeds {
    let context_tokens = u64::from(recipe.rollout.context_tokens);
    let compute_bytes = bytes_of(compute);
    let narrow_head = llama::has_narrow_head(expected, compute);
    let pack_tokens = u64::from(recipe.algorithm.pack_tokens).max(context_tokens);
    let trained = kept_groups_max(recipe) * u64::from(recipe.rollout.group_size);
    let pool = if recipe.self_play.every > 0 { u64::from(recipe.self_play.keep) } else { 0 };
    let held = |shape: &ModelShape| shape.held_bytes(compute_bytes, narrow_head);
    MemoryNeeds {
        compute_bytes,
        narrow_head,
        batch_rows: u64::from(recipe.rollout.batch_rows.min(recipe.rollout.groups * recipe.rollout.group_size)),
        context_tokens,
        pack_tokens,
        // Each conversation adds one, seldom shorter than a turn.
        segments: trained.min(pack_tokens / u64::from(recipe.reply.tokens).max(TURN_TOKENS) + 1),
        fused: expected == Device::Cpu,
        keeps_start: recipe.algorithm.keeps_start(),
        recomputes: recipe.algorithm.recompute,
        in_adapters: recipe.lora.adapters().map(|lora| shape.in_adapters(&lora)),
        frozen_bytes: frozen.iter().map(held).sum::<u64>() + pool * held(shape),
    }
}

/// The bytes of a number of the network's passes.
fn bytes_of(compute: Kind) -> u64 {
    if compute == Kind::Float { 4 } else { 2 }
}

fn labels(components: &[Arc<Component>]) -> Vec<String> {
    let name = |index: usize| &components[index].manifest.name;
    (0..components.len())
        .map(|index| match (0..index).filter(|earlier| name(*earlier) == name(index)).count() {
            0 => name(index).clone(),
            before => format!("{}-{}", name(index), before + 1),
        })
        .collect()
}

fn planned_stage(recipe: &Recipe, stage: &StageRecipe, label: &str) -> PlannedStage {
    PlannedStage {
        label: label.into(),
        reply_tokens: stage.reply_tokens.unwrap_or(recipe.reply.tokens),
        reply_prefix: stage.reply_prefix.clone().unwrap_or_else(|| recipe.reply.prefix.clone()),
        examples: stage.examples.clone(),
    }
}

fn tasks(recipe: &Recipe, components: &[Arc<Component>], library: &Library) -> Result<Vec<PlannedTask>, PlanError> {
    let all: Vec<usize> = (0..components.len()).filter(|index| recipe.stages[*index].train).collect();
    let chains: Vec<Vec<usize>> = match recipe.task.kind {
        TaskKind::Nested | TaskKind::Single => vec![all],
        TaskKind::Mixed | TaskKind::Alternate => all.into_iter().map(|index| vec![index]).collect(),
    };
    let mut tasks = Vec::new();
    for stages in chains {
        let names: Vec<&str> = stages.iter().map(|index| components[*index].manifest.name.as_str()).collect();
        let specs = stages
            .iter()
            .map(|index| {
                let stage = &recipe.stages[*index];
                stage_spec(stage, &components[*index], stage.players.clone())
            })
            .collect();
        let task = Task::resolve(&task_spec(recipe, names.join("+"), specs), library)?;
        tasks.push(PlannedTask { task, stages });
    }
    Ok(tasks)
}

fn evaluations(
    recipe: &Recipe,
    components: &[Arc<Component>],
    labels: &[String],
    library: &Library,
) -> Result<Vec<PlannedEvaluation>, PlanError> {
    let mut evaluations = Vec::new();
    for (stage, written) in recipe.stages.iter().enumerate() {
        let component = &components[stage];
        let alone = seats(written, component) == 1;
        let players: Vec<Option<String>> =
            if alone { vec![None] } else { written.evaluate.iter().cloned().map(Some).collect() };
        for player in players {
            let name = match &player {
                Some(player) => format!("{} against {player}", labels[stage]),
                None => labels[stage].clone(),
            };
            let spec = StageSpec {
                on_illegal: recipe.evaluation.on_illegal,
                ..stage_spec(written, component, player.iter().cloned().collect())
            };
            let learners: Vec<LearnerSeat> = match recipe.evaluation.every_seat {
                true => (0..seats(written, component)).map(LearnerSeat::Seat).collect(),
                false => vec![spec.learner],
            };
            let specs = learners.into_iter().map(|learner| StageSpec { learner, ..spec.clone() });
            let specs: Vec<TaskSpec> = specs.map(|spec| task_spec(recipe, name.clone(), vec![spec])).collect();
            for reference in &written.references {
                Task::resolve_for(&specs[0], library, players::reference(stage, reference)?)?;
            }
            let tasks = specs.iter().map(|spec| Task::resolve(spec, library)).collect::<Result<_, _>>()?;
            let episodes = written.evaluate_episodes.unwrap_or(recipe.evaluation.episodes);
            let references = written.references.clone();
            evaluations.push(PlannedEvaluation { name, stage, player, episodes, tasks, references });
        }
    }
    Ok(evaluations)
}

fn task_spec(recipe: &Recipe, name: String, stages: Vec<StageSpec>) -> TaskSpec {
    TaskSpec {
        name,
        stages,
        combine: recipe.task.combine,
        on_failure: recipe.task.on_failure,
        reveal: recipe.task.reveal,
        truncation: recipe.task.truncation,
        malformed_penalty: recipe.task.malformed_penalty,
        illegal_penalty: recipe.task.illegal_penalty,
        reply: recipe.reply.format,
        opponent_stream: recipe.task.opponent_stream,
    }
}

fn stage_spec(stage: &StageRecipe, component: &Component, players: Vec<String>) -> StageSpec {
    // A game of one seat has no others; the default of `players` must not name any.
    let players = if seats(stage, component) == 1 { Vec::new() } else { players };
    StageSpec {
        game: stage.game.clone(),
        options: stage.options.clone(),
        seats: stage.seats,
        learner: stage.learner,
        players,
        attempts: stage.attempts,
        on_illegal: stage.on_illegal,
        fallback: stage.fallback.clone(),
        threshold: stage.threshold,
    }
}

fn seats(stage: &StageRecipe, component: &Component) -> u32 {
    stage.seats.unwrap_or(component.manifest.seats_min)
}

#[cfg(test)]
mod tests;
