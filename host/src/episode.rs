//! One run of a task, as a state machine without I/O.
//!
//! An `Episode` plays the sandboxed players itself and stops where an external player has to decide: `pending` says who
//! is asked what, `answer` takes the raw reply, and when every pending seat has answered the episode plays on. It never
//! calls a model, a network or a clock. The trainer, `ludus play`, `ludus run` and replay all drive this same machine:
//!
//! ```text
//! let mut episode = Episode::new(task, seed, member);
//! while !episode.is_over() {
//!     for decision in episode.pending().to_vec() {
//!         episode.answer(decision.seat, &reply_to(&decision.prompt));
//!     }
//! }
//! let finished = episode.finish()?;     // record, result, fault
//! ```
//!
//! Its record is a pure function of task, components, seed, member and replies.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::canonical::to_canonical;
use crate::fault::{Fault, HostFailure};
use crate::hash::Hash;
use crate::journal::{Entry, Journal, Keep};
use crate::notices;
use crate::player::Player;
use crate::record::{Ended, FORMAT_VERSION, Line, Record};
use crate::result::{EpisodeResult, StageResult};
use crate::scoring::Penalties;
use crate::table::{Context, End, Status, Table};
use crate::task::{OnFailure, Task, Truncation};
use crate::voices::Recorded;

/// Replies that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// No move could be read from them.
    pub malformed: u32,
    /// The game did not take their moves.
    pub illegal: u32,
}

/// A decision that an external player has to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Counted from 0.
    pub stage: usize,
    pub seat: u32,
    /// An external one.
    pub player: Player,
    /// All that this seat newly gets to read: why its last try failed, how the last stage ended, the game's own words.
    pub prompt: String,
    /// 1 for the first try.
    pub attempt: u32,
}

/// One run of a task.
pub struct Episode {
    task: Arc<Task>,
    seed: u64,
    member: u32,
    journal: Journal,
    recorded: Option<VecDeque<Recorded>>,
    /// The stage being played; once the episode is over, the last one played.
    table: Option<Table>,
    pending: Vec<Decision>,
    results: Vec<StageResult>,
    /// What the stages before this one have computed.
    fuel_before: u64,
    fault: Option<Fault>,
    result: Option<EpisodeResult>,
    /// Why the episode was given up.
    host_failure: Option<HostFailure>,
}

/// What is left of an episode that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    pub record: Record,
    pub result: EpisodeResult,
    /// How the game misbehaved, if it did, with the detail that is not in the record.
    pub fault: Option<Fault>,
    pub seed: u64,
    pub member: u32,
}

impl Episode {
    /// Deals the episode with this seed and plays up to the first decision of an external player.
    ///
    /// Members of a group have the same seed and differ in `member`: they share the deal.
    pub fn new(task: Arc<Task>, seed: u64, member: u32) -> Episode {
        Episode::begin(task, seed, member, None, Keep::Nothing)
    }

    /// The same machine fed from a record: every reply comes from `recorded`, and nobody is waited for.
    pub(crate) fn replaying(
        task: Arc<Task>,
        seed: u64,
        member: u32,
        recorded: VecDeque<Recorded>,
        keep: Keep,
    ) -> Episode {
        Episode::begin(task, seed, member, Some(recorded), keep)
    }

    fn begin(task: Arc<Task>, seed: u64, member: u32, recorded: Option<VecDeque<Recorded>>, keep: Keep) -> Episode {
        let mut journal = Journal::new(keep);
        journal.line(Line::Episode {
            version: FORMAT_VERSION,
            task: task.spec().clone(),
            components: task.stages().iter().map(|stage| stage.component_hash).collect(),
            learner: task.learner().to_string(),
            seed,
            member,
        });
        let mut episode = Episode {
            task,
            seed,
            member,
            journal,
            recorded,
            table: None,
            pending: Vec::new(),
            results: Vec::new(),
            fuel_before: 0,
            fault: None,
            result: None,
            host_failure: None,
        };
        episode.deal(Vec::new());
        episode.play_on();
        episode
    }

    /// The decisions that are waited for: one a seat, in seat order, without those already answered.
    pub fn pending(&self) -> &[Decision] {
        &self.pending
    }

    /// Gives the reply to a pending decision, word for word. The last one makes the episode play on.
    ///
    /// # Panics
    /// Where this seat has no pending decision.
    pub fn answer(&mut self, seat: u32, reply: &str) {
        let position = self.pending.iter().position(|decision| decision.seat == seat);
        let position = position.expect("only a seat with a pending decision is answered for");
        self.pending.remove(position);
        if let Some(table) = &mut self.table {
            table.answer(seat, reply);
        }
        if self.pending.is_empty() {
            self.play_on();
        }
    }

    /// How many replies of a seat failed so far in a stage that was begun: no move could be read, or the game did not take it.
    /// The learner's seats are known in every stage, others in the last one that was begun.
    pub fn failed_replies(&self, stage: usize, seat: u32) -> Failed {
        // The table of the last stage is still there when it is over.
        if let Some(table) = self.table.as_ref().filter(|table| table.stage == stage) {
            let tally = table.seats[seat as usize].tally;
            return Failed { malformed: tally.malformed, illegal: tally.illegal };
        }
        match self.stage_results().get(stage) {
            Some(result) if result.learner_seat == seat => {
                Failed { malformed: result.malformed, illegal: result.illegal }
            }
            Some(result) => match result.further_seats.iter().find(|further| further.seat == seat) {
                Some(further) => Failed { malformed: further.malformed, illegal: further.illegal },
                None => Failed::default(),
            },
            None => Failed::default(),
        }
    }

    /// Ends the episode because the learner ran out of context or tokens: this stage scores 0, and those behind it are not
    /// played. Nothing happens where the episode is over.
    pub fn truncate(&mut self) {
        if !self.is_over() {
            self.with_table(|table, context| Err::<(), End>(table.truncate(context)));
        }
    }

    /// Every legal move of a seat that is asked to move now; `None` where any text may be one.
    ///
    /// A game that misbehaves here ends the episode; then, too, the answer is `None`.
    pub fn legal_moves(&mut self, seat: u32) -> Option<Vec<String>> {
        if self.is_over() {
            return None;
        }
        self.with_table(|table, context| table.legal_moves(context, seat)).flatten()
    }

    /// The position as one seat sees it, or as an onlooker who sees all. Still there when the episode is over.
    ///
    /// A game that misbehaves here ends the episode; then the answer is `None`.
    pub fn view(&mut self, viewer: Option<u32>) -> Option<String> {
        if self.is_over() {
            return self.table.as_mut().and_then(|table| table.last_view(viewer));
        }
        self.with_table(|table, context| table.view(context, viewer))
    }

    /// The position in which a seat is asked, as a hash of the stage, the seat and what the seat sees of the table: the same
    /// for every way that leads there.
    ///
    /// A game that misbehaves here ends the episode; then the answer is `None`.
    pub fn position(&mut self, seat: u32) -> Option<Hash> {
        let stage = self.table.as_ref()?.stage;
        let view = self.view(Some(seat))?;
        Some(Hash::of(to_canonical(&json!({ "stage": stage, "seat": seat, "view": view })).as_bytes()))
    }

    /// Whether nobody is asked any more: it was played to its end, or the host had to give it up.
    pub fn is_over(&self) -> bool {
        self.result.is_some() || self.host_failure.is_some()
    }

    pub fn task(&self) -> &Arc<Task> {
        &self.task
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn member(&self) -> u32 {
        self.member
    }

    /// The results of the stages that are finished so far.
    pub fn stage_results(&self) -> &[StageResult] {
        self.result.as_ref().map_or(&self.results, |result| &result.stages)
    }

    /// What the episode came to.
    ///
    /// # Errors
    /// Where this machine could not play it to its end: then there is nothing to keep.
    ///
    /// # Panics
    /// Where it is not over.
    pub fn finish(self) -> Result<Finished, HostFailure> {
        if let Some(failure) = self.host_failure {
            return Err(failure);
        }
        let result = self.result.expect("only an episode that is over can be finished");
        Ok(Finished {
            record: self.journal.into_parts().0,
            result,
            fault: self.fault,
            seed: self.seed,
            member: self.member,
        })
    }

    /// For replay: the record as far as it got, and the transcript.
    pub(crate) fn into_replayed(self) -> Result<(Record, Vec<Entry>, Option<EpisodeResult>), HostFailure> {
        let (record, transcript) = self.journal.into_parts();
        self.host_failure.map_or(Ok((record, transcript, self.result)), Err)
    }

    /// Does something at the table; an end that comes of it ends the stage.
    fn with_table<T>(&mut self, act: impl FnOnce(&mut Table, &mut Context<'_>) -> Result<T, End>) -> Option<T> {
        let (table, mut context) = self.table_and_context();
        match act(table?, &mut context) {
            Ok(value) => Some(value),
            Err(end) => {
                self.end_stage(end);
                self.play_on();
                None
            }
        }
    }

    fn table_and_context(&mut self) -> (Option<&mut Table>, Context<'_>) {
        let context = Context {
            task: &self.task,
            seed: self.seed,
            member: self.member,
            fuel_before: self.fuel_before,
            journal: &mut self.journal,
            recorded: self.recorded.as_mut(),
        };
        (self.table.as_mut(), context)
    }

    /// Plays until somebody has to answer or the episode is over.
    fn play_on(&mut self) {
        while !self.is_over() {
            let (Some(table), mut context) = self.table_and_context() else { return };
            match table.advance(&mut context) {
                Status::Ended(end) => self.end_stage(end),
                Status::Waiting => return self.collect_pending(),
            }
        }
    }

    fn collect_pending(&mut self) {
        let Some(table) = &self.table else { return };
        let decision = |seat: u32| {
            let state = &table.seats[seat as usize];
            Decision {
                stage: table.stage,
                seat,
                player: state.player.clone(),
                prompt: state.prompt.clone(),
                attempt: state.failed + 1,
            }
        };
        self.pending = table.open_seats(&self.task).into_iter().map(decision).collect();
    }

    /// Deals the next stage; the learner hears what was carried over from the one before.
    fn deal(&mut self, carried: Vec<String>) {
        let stage = self.results.len();
        let (_, mut context) = self.table_and_context();
        match Table::deal(&mut context, stage, carried) {
            Ok(table) => self.table = Some(table),
            Err(end) => self.end_stage(end),
        }
    }

    /// Writes down how the stage ended, and deals the next one or closes the episode.
    fn end_stage(&mut self, end: End) {
        self.pending.clear();
        let stage = self.results.len();
        let mut result = self.blank_result(stage);
        let mut carried = Vec::new();
        // A stage that could not even be dealt has no table of its own.
        if let Some(table) = self.table.as_mut().filter(|table| table.stage == stage) {
            let tally = table.seats[table.learner_seat as usize].tally;
            (result.decisions, result.moves) = (tally.decisions, tally.moves);
            (result.illegal, result.malformed) = (tally.illegal, tally.malformed);
            result.substituted = table.substituted_in_other_seats();
            result.further_seats = table.further_seats(self.task.learner());
            carried = table.undelivered();
            self.fuel_before = self.fuel_before.saturating_add(table.instance.fuel_spent());
        }
        let mut all_counts = Vec::new();
        match end {
            End::Over(outcome) => {
                result.ended = Ended::Over;
                result.score = outcome.scores[result.learner_seat as usize];
                result.scores = outcome.scores;
                result.summary = outcome.summary;
                all_counts = outcome.counts;
                let counts_of = |seat| all_counts.iter().filter(move |count| count.seat == seat).cloned().collect();
                result.counts = counts_of(result.learner_seat);
                for further in &mut result.further_seats {
                    further.score = result.scores[further.seat as usize];
                    further.counts = counts_of(further.seat);
                }
            }
            End::Forfeited => {
                result.ended = Ended::Forfeited;
                carried.push(notices::FORFEITED.to_string());
            }
            End::Truncated => result.ended = Ended::Truncated,
            End::Fault(fault) => {
                result.ended = Ended::Fault;
                self.fault = Some(fault);
            }
            End::HostFailed(failure) => {
                self.host_failure = Some(failure);
                return;
            }
        }
        self.journal.line(Line::StageEnd {
            stage: stage as u32,
            ended: result.ended,
            score: result.score,
            scores: result.scores.clone(),
            counts: all_counts,
            summary: result.summary.clone(),
        });
        if self.task.spec().reveal {
            carried.insert(0, notices::revealed(&result.game, result.score));
        }
        let goes_on = self.goes_on_after(&result);
        self.results.push(result);
        if goes_on { self.deal(carried) } else { self.close() }
    }

    fn goes_on_after(&self, result: &StageResult) -> bool {
        let stage = self.results.len();
        let stopped =
            self.task.spec().on_failure == OnFailure::Stop && result.score < self.task.stages()[stage].threshold;
        let is_last = stage + 1 == self.task.stages().len();
        !is_last && !stopped && matches!(result.ended, Ended::Over | Ended::Forfeited)
    }

    /// Makes a return of the scores.
    fn close(&mut self) {
        let task = Arc::clone(&self.task);
        while self.results.len() < task.stages().len() {
            let unplayed = self.blank_result(self.results.len());
            self.results.push(unplayed);
        }
        let spec = task.spec();
        let scores: Vec<f64> = self.results.iter().map(|result| result.score).collect();
        let thresholds: Vec<f64> = task.stages().iter().map(|stage| stage.threshold).collect();
        let was_truncated = self.results.iter().any(|result| result.ended == Ended::Truncated);
        let combined = if was_truncated && spec.truncation == Truncation::Forfeit {
            0.0
        } else {
            spec.combine.apply(&scores, &thresholds)
        };
        let mut result = EpisodeResult { task_return: combined, combined, stages: std::mem::take(&mut self.results) };
        let penalties = Penalties { malformed: spec.malformed_penalty, illegal: spec.illegal_penalty };
        result.task_return = penalties.apply(combined, result.malformed(), result.illegal());
        self.journal.line(Line::End { combined, task_return: result.task_return });
        self.result = Some(result);
    }

    fn blank_result(&self, stage: usize) -> StageResult {
        StageResult::blank(&self.task.stages()[stage].component.manifest.name, self.task.learner_seat(stage, self.seed))
    }
}
