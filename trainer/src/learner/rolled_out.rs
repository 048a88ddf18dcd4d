//! What a step rolls out: its jobs, and the groups that they come to.

use std::collections::BTreeMap;
use std::ops::Range;

use ludus_host::stream::Stream;
use ludus_host::task::Penalties;

use super::Learner;
use super::step::Progress;
use crate::advantage::Advantage;
use crate::credit::{Compared, Played};
use crate::filter::{Contender, Filter, Kept};
use crate::generate::Sampling;
use crate::out_of_memory::{OutOfMemory, guarded};
use crate::rollout::{AskedTask, FurtherSeat, Job, Network, Rollout, RolloutError, Trajectory};
use crate::token_advantages;

/// The trajectories of a step.
#[derive(Default)]
pub struct RolledOut {
    /// Those of the learner's own seat in the order of groups and members, then those of its further seats, where they are
    /// trained on.
    pub trajectories: Vec<Trajectory>,
    /// The place of each group's trajectories. Those of a further seat are a group of their own.
    pub groups: Vec<Range<usize>>,
    /// How many episodes were played.
    pub episodes: usize,
}

impl RolledOut {
    /// `size` trajectories of the learner's own seat make a group; of a further seat those of the same group, stage and seat.
    fn of(own: Vec<Trajectory>, further: Vec<Trajectory>, size: usize) -> RolledOut {
        let episodes = own.len();
        let mut groups: Vec<Range<usize>> =
            (0..episodes / size).map(|group| group * size..(group + 1) * size).collect();
        let mut seats: BTreeMap<(usize, Option<FurtherSeat>), Vec<Trajectory>> = BTreeMap::new();
        for trajectory in further {
            seats.entry((trajectory.job.group, trajectory.further)).or_default().push(trajectory);
        }
        let mut trajectories = own;
        for seat in seats.into_values() {
            let first = trajectories.len();
            trajectories.extend(seat);
            groups.push(first..trajectories.len());
        }
        RolledOut { trajectories, groups, episodes }
    }

    /// The trajectories of the learner's own seat: one an episode.
    pub fn own(&self) -> &[Trajectory] {
        &self.trajectories[..self.episodes]
    }

    /// The groups of the learner's own seat.
    pub fn own_groups(&self) -> &[Range<usize>] {
        let own = self.groups.iter().take_while(|group| group.start < self.episodes).count();
        &self.groups[..own]
    }
}

impl Learner<'_> {
    /// Plays tasks with the network as it is, for evaluation.
    ///
    /// # Errors
    /// As `Rollout::play`.
    pub fn play(
        &self,
        tasks: &[AskedTask],
        jobs: &[Job],
        temperature: f64,
        done: &mut dyn FnMut(usize),
    ) -> Result<Vec<Trajectory>, RolloutError> {
        let sampling = Sampling { temperature, ..self.sampling() };
        let rollout = self.rollout(tasks, sampling, "evaluation");
        let networks = self.opponents.networks(self.network());
        let model_of = |name: &str, _: &Job| self.opponents.place_of(name);
        let rollout = Rollout { notes_positions: false, frozen: &networks, model_of: &model_of, ..rollout };
        let mut played = self.play_shares(&rollout, jobs.len(), |share| jobs[share].to_vec(), done)?;
        played.retain(|trajectory| trajectory.further.is_none());
        Ok(played)
    }

    /// Plays this process's share of so many things in a row, each of which is some jobs. What all ranks played comes back.
    fn play_shares(
        &self,
        rollout: &Rollout<'_>,
        of: usize,
        jobs: impl Fn(Range<usize>) -> Vec<Job>,
        done: &mut dyn FnMut(usize),
    ) -> Result<Vec<Trajectory>, RolloutError> {
        let mut own = Vec::new();
        for share in self.ranks.shares(of) {
            let play = || rollout.play(&jobs(share), done);
            own.extend(guarded(|| OutOfMemory::in_rollout(&self.plan.recipe), play)?);
        }
        let episodes = |played: &[Trajectory]| played.iter().filter(|one| one.further.is_none()).count();
        let played_here = episodes(&own);
        let all: Vec<Trajectory> = self.ranks.each(own)?.into_iter().flatten().collect();
        if episodes(&all) > played_here {
            done(episodes(&all) - played_here);
        }
        Ok(all)
    }

    /// Rolls out a step, counted from 0.
    ///
    /// # Errors
    /// As `Rollout::play`.
    pub fn roll_out(&self, step: u32, progress: &mut dyn FnMut(Progress)) -> Result<RolledOut, RolloutError> {
        let recipe = &self.plan.recipe;
        let networks = self.opponents.networks(self.network());
        let model_of = |name: &str, job: &Job| self.opponents.place_in_step(name, recipe, step, job);
        let rollout = self.rollout(&self.tasks, self.sampling(), "training");
        let rollout = Rollout { frozen: &networks, model_of: &model_of, ..rollout };
        let (mut own, mut further): (Vec<Trajectory>, Vec<Trajectory>) = (Vec::new(), Vec::new());
        let mut episodes = 0;
        for round in 0..recipe.algorithm.oversample_max.max(1) {
            let jobs = |share: Range<usize>| {
                let numbers = share.map(|group| round * recipe.rollout.groups + group as u32);
                numbers.flat_map(|group| self.group_jobs(step, group)).collect()
            };
            let mut done = |count| {
                episodes += count;
                progress(Progress::Rollout { episodes });
            };
            let played = self.play_shares(&rollout, recipe.rollout.groups as usize, jobs, &mut done)?;
            let (of_own, of_further): (Vec<_>, Vec<_>) = played.into_iter().partition(|one| one.further.is_none());
            own.extend(of_own);
            further.extend(of_further);
            let size = recipe.rollout.group_size as usize;
            let groups: Vec<Range<usize>> =
                (0..own.len() / size).map(|group| group * size..(group + 1) * size).collect();
            let spread = |group: &Range<usize>| self.compared(&own[group.clone()]).spread();
            let spreads: Vec<f64> = groups.iter().map(spread).collect();
            if self.filter(&own, &groups, &spreads).is_full {
                break;
            }
        }
        if !recipe.algorithm.train_further_seats {
            further.clear();
        }
        Ok(RolledOut::of(own, further, recipe.rollout.group_size as usize))
    }

    /// What the members of a group are compared by.
    pub(super) fn compared(&self, group: &[Trajectory]) -> Compared {
        let recipe = &self.plan.recipe;
        let played: Vec<Played> =
            group.iter().map(|trajectory| token_advantages::played(self.plan, trajectory)).collect();
        let penalties = Penalties { malformed: recipe.task.malformed_penalty, illegal: recipe.task.illegal_penalty };
        recipe.algorithm.credit.compare(&played, penalties)
    }

    /// Which groups enter the update.
    pub(super) fn filter(&self, trajectories: &[Trajectory], groups: &[Range<usize>], spreads: &[f64]) -> Kept {
        let recipe = &self.plan.recipe;
        let (keep, scope) = (recipe.algorithm.keep_fraction, recipe.algorithm.filter_scope);
        let contender = |(group, &spread): (&Range<usize>, &f64)| {
            let Trajectory { job, further, .. } = &trajectories[group.start];
            Contender { task: job.task, further: further.map(|seat| seat.stage), group: job.group, spread }
        };
        let contenders: Vec<Contender> = groups.iter().zip(spreads).map(contender).collect();
        Filter { keep, scope, planned: recipe.rollout.groups as usize }.choose(&contenders)
    }

    fn group_jobs(&self, step: u32, group: u32) -> impl Iterator<Item = Job> + use<> {
        let recipe = &self.plan.recipe;
        let path = ["train".into(), step.into(), group.into(), "seed".into()];
        let seed = Stream::derive(recipe.seed, &path).next_u64();
        let task = self.plan.task_of_group(step, group);
        (0..recipe.rollout.group_size).map(move |member| Job { task, group: group as usize, seed, member })
    }

    fn network(&self) -> Network<'_> {
        Network { llama: &self.llama, weights: &self.weights, chat: &self.chat }
    }

    fn rollout<'b>(&'b self, tasks: &'b [AskedTask], sampling: Sampling, purpose: &str) -> Rollout<'b> {
        let recipe = &self.plan.recipe;
        Rollout {
            learner: self.network(),
            frozen: &[],
            calls: self.opponents.calls(),
            model_of: &|_, _| 0,
            tasks,
            sampling,
            sampling_seed: Stream::derive(recipe.seed, &["sampling".into(), purpose.into()]).next_u64(),
            context_tokens: recipe.rollout.context_tokens as usize,
            rows_max: recipe.rollout.batch_rows as usize,
            notes_positions: recipe.algorithm.advantage == Advantage::Gigpo,
            stop: &recipe.reply.stop,
        }
    }

    fn sampling(&self) -> Sampling {
        let rollout = &self.plan.recipe.rollout;
        Sampling {
            temperature: rollout.temperature,
            top_p: rollout.top_p,
            top_k: i64::from(rollout.top_k),
            min_p: rollout.min_p,
        }
    }
}
