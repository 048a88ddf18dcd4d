//! Everybody against everybody in one game for two: a cross-table, and ratings.
//!
//! Each pair meets on the same deals, and plays each from both sides. Whoever scores more has won, whatever the scores are. For
//! whoever has used up its attempts at a move, the stage's fallback player moves. How
//! a model is asked (examples, length of a reply, options of the game) is said by the stage of a recipe or a suite.

pub mod ratings;
mod table;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use ludus_host::episode::{Episode, Finished};
use ludus_host::fault::HostFailure;
use ludus_host::library::Library;
use ludus_host::player::Player;
use ludus_host::task::{OnIllegal, Task, TaskError};
use serde::Serialize;

use self::ratings::Rating;
use crate::device::{self, DeviceError};
use crate::evaluate;
use crate::model::{ModelError, import};
use crate::plan::{Plan, PlanError};
use crate::recipe::{FrozenRecipe, Recipe, StageRecipe};
use crate::rollout::RolloutError;
use crate::train::{self, TrainError};

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrant {
    /// For people.
    pub name: String,
    pub who: Who,
}

/// Who plays for an entrant.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// The host, without asking anybody.
    Sandboxed(Player),
    /// A checkpoint's folder, or whatever `model.source` may be.
    Model(String),
}

/// What two entrants came to, from the first one's side.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Meeting {
    /// 1 for a win, 0.5 for a draw, 0 for a loss, game by game.
    pub points: Vec<f64>,
}

/// A tournament that was played.
#[derive(Debug, Serialize)]
pub struct Tournament {
    pub game: String,
    pub names: Vec<String>,
    /// `meetings[a][b]` for a before b.
    #[serde(skip)]
    pub meetings: BTreeMap<(usize, usize), Meeting>,
    /// In percent of the points, row against column; none on the diagonal.
    pub shares: Vec<Vec<Option<f64>>>,
    pub ratings: Vec<Rating>,
}

/// Why a tournament cannot be played. Each is one sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum TournamentError {
    #[error("the {place} has no stage of the game `{game}`; its games are {known}")]
    NoStage { place: String, game: String, known: String },
    #[error("a tournament is for games of two, and the stage of `{game}` has {seats} seats")]
    Seats { game: String, seats: u32 },
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Host(#[from] HostFailure),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Rollout(#[from] RolloutError),
}

/// Plays all pairs: `recipe` has the game's stage alone, as [`stage_alone`] leaves it. `done` hears of every game that is over,
/// with how many there are.
///
/// # Errors
/// Where an entrant cannot play, or this machine cannot play a game to its end.
pub fn play(
    recipe: &Recipe,
    entrants: &[Entrant],
    library: &Library,
    done: &mut dyn FnMut(usize, usize),
) -> Result<Tournament, TournamentError> {
    let pairs = entrants.len() * entrants.len().saturating_sub(1) / 2;
    let of = pairs * recipe.evaluation.episodes as usize;
    let mut played = 0;
    let mut count = |games| {
        played += games;
        done(played, of);
    };
    let mut meetings: BTreeMap<(usize, usize), Meeting> = BTreeMap::new();
    // A model plays against all that come after it in this order, and models come first.
    let mut order: Vec<usize> = (0..entrants.len()).collect();
    order.sort_by_key(|index| matches!(entrants[*index].who, Who::Sandboxed(_)));
    for (place, &first) in order.iter().enumerate() {
        let others = &order[place + 1..];
        if others.is_empty() {
            break;
        }
        let plan = plan_of(recipe, &entrants[first], entrants, others, library)?;
        if plan.tasks[0].task.stages()[0].seats != 2 {
            let seats = plan.tasks[0].task.stages()[0].seats;
            return Err(TournamentError::Seats { game: recipe.stages[0].game.clone(), seats });
        }
        let points = match &entrants[first].who {
            Who::Sandboxed(player) => of_sandboxed(&plan, player, library, &mut count)?,
            Who::Model(source) => of_model(&plan, source, &mut count)?,
        };
        for (&second, points) in others.iter().zip(points) {
            // From the side of the one who was named first.
            let (pair, points) = match first < second {
                true => ((first, second), points),
                false => ((second, first), points.into_iter().map(|points| 1.0 - points).collect()),
            };
            meetings.insert(pair, Meeting { points });
        }
    }
    let names = entrants.iter().map(|entrant| entrant.name.clone()).collect();
    Ok(Tournament::of(recipe.stages[0].game.clone(), names, meetings))
}

/// A recipe with the stage of one game alone.
///
/// # Errors
/// Where it has none.
pub fn stage_alone(mut recipe: Recipe, place: &str, game: &str) -> Result<Recipe, TournamentError> {
    let known: Vec<String> = recipe.stages.iter().map(|stage| stage.game.clone()).collect();
    recipe.stages.retain(|stage| stage.game == game);
    if recipe.stages.is_empty() {
        return Err(TournamentError::NoStage { place: place.into(), game: game.into(), known: known.join(", ") });
    }
    recipe.stages.truncate(1);
    // A plan trains on something; here nothing of it is followed but its evaluations.
    recipe.stages[0].train = true;
    recipe.evaluation.every_seat = true;
    // Neither side forfeits: of two that meet, only one is the learner to the host, and an opponent never forfeits.
    recipe.evaluation.on_illegal = OnIllegal::Random;
    Ok(recipe)
}

/// The plan in which one entrant meets others: an evaluation for each of them.
fn plan_of(
    recipe: &Recipe,
    first: &Entrant,
    entrants: &[Entrant],
    others: &[usize],
    library: &Library,
) -> Result<Plan, TournamentError> {
    let mut recipe = recipe.clone();
    if let Who::Model(source) = &first.who {
        recipe.model.source.clone_from(source);
    }
    let mut evaluate = Vec::new();
    for &other in others {
        evaluate.push(match &entrants[other].who {
            Who::Sandboxed(player) => player.to_string(),
            Who::Model(source) => {
                let name = format!("entrant-{other}");
                recipe.models.insert(name.clone(), FrozenRecipe { source: source.clone() });
                format!("model:{name}")
            }
        });
    }
    let written = recipe.stages.remove(0);
    recipe.stages.push(StageRecipe {
        evaluate,
        evaluate_episodes: None,
        players: vec!["random".into()],
        references: Vec::new(),
        ..written
    });
    Ok(Plan::from_recipe(recipe, library)?)
}

/// The points of a player that the host plays, against each of the plan's opponents.
fn of_sandboxed(
    plan: &Plan,
    player: &Player,
    library: &Library,
    count: &mut dyn FnMut(usize),
) -> Result<Vec<Vec<f64>>, TournamentError> {
    let mut all = Vec::new();
    for evaluation in &plan.evaluations {
        let resolve = |task: &std::sync::Arc<Task>| Task::resolve_for(task.spec(), library, player.clone());
        let tasks = evaluation.tasks.iter().map(resolve).collect::<Result<Vec<_>, _>>()?;
        let mut points = Vec::new();
        for (task, seed) in evaluate::deals(plan, evaluation) {
            points.push(points_of(&Episode::new(tasks[task].clone(), seed, 0).finish()?));
            count(1);
        }
        all.push(points);
    }
    Ok(all)
}

/// The points of a model, against each of the plan's opponents.
fn of_model(plan: &Plan, source: &str, count: &mut dyn FnMut(usize)) -> Result<Vec<Vec<f64>>, TournamentError> {
    let device = device::choose(plan.recipe.model.device)?;
    device::set_threads(plan.recipe.model.threads);
    let folder = import::resolve(source, &import::standard_cache()?)?;
    let mut learner = train::load_to_play(plan, &folder, device)?;
    train::add_opponents(&mut learner, plan.evaluated_tasks())?;
    let mut points: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let never = AtomicBool::new(false);
    evaluate::evaluate(&learner, &never, count, &mut |played| {
        for trajectory in played {
            points.entry(trajectory.task_name.clone()).or_default().push(points_of(&trajectory.finished));
        }
    })?;
    Ok(plan.evaluations.iter().map(|evaluation| points.remove(&evaluation.name).unwrap_or_default()).collect())
}

/// 1 where the learner's seat has more than the other one, 0.5 where both have as much. A game that did not get to its end, since
/// the context ran out or the game failed, is lost by whoever it was measured for.
fn points_of(finished: &Finished) -> f64 {
    let stage = &finished.result.stages[0];
    let own = stage.learner_seat as usize;
    match stage.scores.as_slice() {
        [first, second] => {
            let (mine, others) = if own == 0 { (first, second) } else { (second, first) };
            if mine > others {
                1.0
            } else if mine < others {
                0.0
            } else {
                0.5
            }
        }
        _ => 0.0,
    }
}
