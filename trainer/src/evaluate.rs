//! How well a model plays: each stage's game against fixed players, on fixed seeds that training never sees.
//!
//! The score is the game's own, from 0 to 1. Wins, draws and losses are reported only where every score is 1, 1/2 or 0: a
//! payoff is no win. Legal and malformed replies are shares of all replies, so that learning to answer and learning to
//! play can be told apart. What a game counts (`wins-taken`) is shown as times out of chances.
//!
//! Intervals are Wilson's at 95 %. For a mean of scores between 0 and 1 Wilson's is on the safe side, since no such score
//! varies more than a win-or-loss with the same mean. Two players that met the same deals are compared deal by deal ([`paired`]).

mod evaluated;
pub mod paired;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ludus_host::episode::{Episode, Finished};
use ludus_host::fault::HostFailure;
use ludus_host::library::Library;
use ludus_host::player::Player;
use ludus_host::task::{Task, TaskError};

pub use self::evaluated::{Evaluated, Results, Share};
pub use self::table::{Column, escaped, markdown, one_line, table};
use crate::learner::{Learner, asked_task};
use crate::plan::{Plan, PlannedEvaluation};
use crate::rollout::{AskedTask, Job, RolloutError, Trajectory};

/// Evaluates the network as it is, in the order of the plan's evaluations. `played` is handed trajectories as they are
/// finished, `done` the number of episodes that just ended. None where `stop` was set before the end.
///
/// # Errors
/// As `Rollout::play`.
pub fn evaluate(
    learner: &Learner<'_>,
    stop: &AtomicBool,
    done: &mut dyn FnMut(usize),
    played: &mut dyn FnMut(Vec<Trajectory>),
) -> Result<Option<Vec<Evaluated>>, RolloutError> {
    let plan = learner.plan;
    let mut evaluated = Vec::new();
    for evaluation in &plan.evaluations {
        // The model gets to see the examples that it saw in training, so that a conversation begins as it did there.
        let trained = plan.tasks.iter().find(|task| task.stages.contains(&evaluation.stage));
        let alone = [evaluation.stage];
        let shown = trained.map_or(alone.as_slice(), |task| &task.stages);
        let tasks: Vec<AskedTask> = evaluation.tasks.iter().map(|task| asked_task(plan, &alone, shown, task)).collect();
        let job = |(task, seed)| Job { task, group: 0, seed, member: 0 };
        let jobs: Vec<Job> = deals(plan, evaluation).map(job).collect();
        let mut finished: Vec<(Finished, u64)> = Vec::with_capacity(jobs.len());
        // One batch at a time, so that it can be stopped in between.
        let rows = plan.recipe.rollout.batch_rows.max(1) * learner.ranks().count();
        for jobs in jobs.chunks(rows as usize) {
            if learner.ranks().any(stop.load(Ordering::Relaxed))? {
                return Ok(None);
            }
            let trajectories = learner.play(&tasks, jobs, plan.recipe.evaluation.temperature, done)?;
            finished.extend(trajectories.iter().map(|played| (played.finished.clone(), u64::from(played.replies))));
            played(trajectories);
        }
        let finished = finished.iter().map(|(finished, replies)| (finished, *replies));
        evaluated.push(Evaluated::of(&evaluation.name, finished));
    }
    Ok(Some(evaluated))
}

/// Why a player could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Host(#[from] HostFailure),
}

/// What a sandboxed player reaches in the learner's place, on the same seeds. Left out are evaluations against models, and
/// those of stages that do not name it among their references.
///
/// # Errors
/// Where a game of the plan is not there any more or has no such player, or this machine cannot play it to its end.
pub fn reference(plan: &Plan, library: &Library, player: &str) -> Result<Vec<Evaluated>, ReferenceError> {
    let mut evaluated = Vec::new();
    for (evaluation, tasks) in measurable(plan, library, player)? {
        let finished: Result<Vec<Finished>, HostFailure> =
            deals(plan, evaluation).map(|(task, seed)| Episode::new(tasks[task].clone(), seed, 0).finish()).collect();
        let finished = finished?;
        let replies = |finished: &Finished| {
            finished.result.stages.iter().map(|stage| u64::from(stage.moves + stage.illegal)).sum()
        };
        let finished = finished.iter().map(|finished| (finished, replies(finished)));
        evaluated.push(Evaluated::of(&evaluation.name, finished));
    }
    Ok(evaluated)
}

/// The names of the evaluations in which a sandboxed player is measured, as [`reference()`] does it.
///
/// # Errors
/// As [`reference()`].
pub fn referenced<'a>(plan: &'a Plan, library: &Library, player: &str) -> Result<Vec<&'a str>, ReferenceError> {
    let measurable = measurable(plan, library, player)?;
    Ok(measurable.into_iter().map(|(evaluation, _)| evaluation.name.as_str()).collect())
}

/// An evaluation, and its tasks with somebody else in the learner's place.
type Reseated<'a> = (&'a PlannedEvaluation, Vec<Arc<Task>>);

/// The evaluations in which a sandboxed player can sit in the learner's place.
fn measurable<'a>(plan: &'a Plan, library: &Library, player: &str) -> Result<Vec<Reseated<'a>>, TaskError> {
    let who = Player::parse(player).unwrap_or(Player::Random);
    let mut all = Vec::new();
    for evaluation in plan.evaluations.iter().filter(|evaluation| evaluation.references.iter().any(|one| one == player))
    {
        let resolve = |task: &Arc<Task>| Task::resolve_for(task.spec(), library, who.clone());
        let tasks = evaluation.tasks.iter().map(resolve).collect::<Result<Vec<_>, _>>()?;
        if tasks.iter().all(|task| task.refuse_unasked(|_| false).is_ok()) {
            all.push((evaluation, tasks));
        }
    }
    Ok(all)
}

/// The task and the seed of each episode: where every seat is played, each deal once from each.
pub(crate) fn deals(plan: &Plan, evaluation: &PlannedEvaluation) -> impl Iterator<Item = (usize, u64)> + use<> {
    let first = plan.recipe.evaluation.seed;
    let tasks = evaluation.tasks.len();
    (0..u64::from(evaluation.episodes)).map(move |index| {
        let (task, deal) = (index as usize % tasks, index / tasks as u64);
        (task, first.wrapping_add(deal))
    })
}
