//! A task that is known to be playable.
//!
//! What was written (`TaskSpec`) becomes what is meant (`Task`) in one checked step: games are found, options pass their
//! schemas, seats and players exist, and the games themselves take them. After it nothing about a task can fail but the
//! games.

use std::sync::Arc;

use serde_json::Value;

use crate::component::{Component, ComponentError};
use crate::hash::Hash;
use crate::library::Library;
use crate::player::{Player, PlayerError};
use crate::rehearsal::rehearse;
use crate::stream::Stream;
use crate::suggest;

pub use crate::scoring::{Combine, Penalties};
pub use crate::task_spec::{LearnerSeat, OnFailure, OnIllegal, OpponentStream, StageSpec, TaskSpec, Truncation};

/// More tries than this teach nobody anything.
const ATTEMPTS_MAX: u32 = 1_000;

/// Scores are from 0 to 1, so a larger penalty says nothing more; and returns stay finite, as a record needs them.
const PENALTY_MAX: f64 = 100.0;

/// A checked task. Shared by all its episodes.
#[derive(Debug)]
pub struct Task {
    spec: TaskSpec,
    learner: Player,
    stages: Vec<Stage>,
}

/// A checked stage.
#[derive(Debug)]
pub struct Stage {
    pub component: Arc<Component>,
    /// The name of the component in records.
    pub component_hash: Hash,
    pub seats: u32,
    /// Canonical JSON.
    pub options: String,
    pub learner: LearnerSeat,
    /// Who sits in the seats that are not the learner's own, in seat order. The learner may be there, too.
    pub others: Vec<Player>,
    pub attempts: u32,
    pub on_illegal: OnIllegal,
    /// `Random` or `House`.
    pub fallback: Player,
    pub threshold: f64,
}

/// Why a task cannot be played. Each is one sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error("the task has no stages; give it at least one [[stages]] with a `game`")]
    NoStages,
    #[error("`{name}` is {value:?}, but must be from 0 to {most}")]
    OutOfRange { name: String, value: f64, most: f64 },
    #[error(
        "stage {stage} ({game}) seats `{player}`, and nobody is there to ask; use random, house:NAME or script:MOVE,MOVE"
    )]
    Unasked { stage: usize, game: String, player: Player },
    #[error(transparent)]
    Component(#[from] ComponentError),
    #[error("stage {stage} ({game}): {reason}")]
    Stage { stage: usize, game: String, reason: String },
}

impl Task {
    /// Checks a task and finds its games. The learner's seat is waited for.
    ///
    /// # Errors
    /// Where anything that the task names is not there or not allowed.
    pub fn resolve(spec: &TaskSpec, library: &Library) -> Result<Arc<Task>, TaskError> {
        Task::resolve_for(spec, library, Player::Learner)
    }

    /// As `resolve`, with somebody else in the learner's seat: a person, or a sandboxed player whose level is measured.
    ///
    /// # Errors
    /// As `resolve`; also where a game has no such player.
    pub fn resolve_for(spec: &TaskSpec, library: &Library, learner: Player) -> Result<Arc<Task>, TaskError> {
        let mut components = Vec::new();
        for stage in &spec.stages {
            components.push(library.game(&stage.game)?);
        }
        let task = Task::assemble(spec.clone(), components, learner)?;
        for index in 0..task.stages.len() {
            let game = || spec.stages[index].game.clone();
            rehearse(&task, index).map_err(|reason| TaskError::Stage { stage: index + 1, game: game(), reason })?;
        }
        Ok(Arc::new(task))
    }

    /// For programs that can ask some external players and not others: an episode would wait for ever for one of those in any
    /// of its seats.
    ///
    /// # Errors
    /// Where a stage seats an external player that cannot be asked, the learner's own seat included.
    pub fn refuse_unasked(&self, can_be_asked: impl Fn(&Player) -> bool) -> Result<(), TaskError> {
        for (index, stage) in self.stages.iter().enumerate() {
            let others = stage.others.iter().filter(|player| **player != Player::Learner);
            let mut players = others.chain([&self.learner]);
            if let Some(player) = players.find(|player| player.is_external() && !can_be_asked(player)) {
                let game = stage.component.manifest.name.clone();
                return Err(TaskError::Unasked { stage: index + 1, game, player: player.clone() });
            }
        }
        Ok(())
    }

    /// Checks a task against components that are already there, one a stage. Nothing is rehearsed: a replay shows by itself
    /// what the games say.
    ///
    /// # Errors
    /// As `resolve`.
    pub(crate) fn assemble(
        mut spec: TaskSpec,
        components: Vec<Arc<Component>>,
        learner: Player,
    ) -> Result<Task, TaskError> {
        assert_eq!(spec.stages.len(), components.len(), "one component a stage");
        if components.is_empty() {
            return Err(TaskError::NoStages);
        }
        for (name, value) in [("malformed_penalty", spec.malformed_penalty), ("illegal_penalty", spec.illegal_penalty)]
        {
            if !(0.0..=PENALTY_MAX).contains(&value) {
                return Err(TaskError::OutOfRange { name: name.to_string(), value, most: PENALTY_MAX });
            }
        }
        let mut stages = Vec::new();
        for (index, component) in components.into_iter().enumerate() {
            let written = &mut spec.stages[index];
            let stage = Stage::check(written, component, &learner).map_err(|reason| TaskError::Stage {
                stage: index + 1,
                game: written.game.clone(),
                reason,
            })?;
            stage.fill_in(written);
            stages.push(stage);
        }
        Ok(Task { spec, learner, stages })
    }

    /// For replay: records go on naming the components that they were made with.
    pub(crate) fn with_component_hashes(mut self, hashes: &[Hash]) -> Task {
        for (stage, hash) in self.stages.iter_mut().zip(hashes) {
            stage.component_hash = *hash;
        }
        self
    }

    /// The task as written, with every default filled in and games by their own names.
    pub fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Who plays the learner's seat.
    pub fn learner(&self) -> &Player {
        &self.learner
    }

    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Where the learner sits in a stage of the episode with this seed.
    pub fn learner_seat(&self, stage: usize, seed: u64) -> u32 {
        match self.stages[stage].learner {
            LearnerSeat::Seat(seat) => seat,
            LearnerSeat::Random => {
                Stream::derive(seed, &[stage.into(), "learner-seat".into()]).below(self.stages[stage].seats)
            }
        }
    }

    /// Whether a seat of a stage is the learner's own or another one that it plays too. Somebody with the same name may sit in
    /// other seats, as an opponent.
    pub fn is_learners_seat(&self, stage: usize, seat: u32, seed: u64) -> bool {
        let mut own: Vec<bool> = self.stages[stage].others.iter().map(|player| *player == Player::Learner).collect();
        own.insert(self.learner_seat(stage, seed) as usize, true);
        own[seat as usize]
    }

    /// Who sits where in a stage of the episode with this seed. Whoever plays the learner's seat plays all that are called so.
    pub fn players(&self, stage: usize, seed: u64) -> Vec<Player> {
        let who = |player: &Player| if *player == Player::Learner { &self.learner } else { player }.clone();
        let mut players: Vec<Player> = self.stages[stage].others.iter().map(who).collect();
        players.insert(self.learner_seat(stage, seed) as usize, self.learner.clone());
        players
    }
}

impl Stage {
    /// A game may take options and seats, but only its manifest says which.
    fn check(written: &StageSpec, component: Arc<Component>, learner: &Player) -> Result<Stage, String> {
        let manifest = &component.manifest;
        let seats = written.seats.unwrap_or(manifest.seats_min);
        if seats < manifest.seats_min || seats > manifest.seats_max {
            return Err(match (manifest.seats_min, manifest.seats_max) {
                (least, most) if least == most => format!("it is played with {least} seats, not with {seats}"),
                (least, most) => format!("it is played with {least} to {most} seats, not with {seats}"),
            });
        }
        if let LearnerSeat::Seat(seat) = written.learner
            && seat >= seats
        {
            return Err(format!(
                "the learner cannot have seat {seat}: with {seats} seats the last one is {}",
                seats - 1
            ));
        }
        if !(1..=ATTEMPTS_MAX).contains(&written.attempts) {
            return Err(format!("`attempts` is {}, but must be from 1 to {ATTEMPTS_MAX}", written.attempts));
        }
        if !(0.0..=1.0).contains(&written.threshold) {
            return Err(format!("`threshold` is {}, but must be from 0 to 1", written.threshold));
        }
        check_house_player(learner, &component)?;
        let options = component.check_options(&written.options)?;
        let others = other_players(&written.players, seats, &component)?;
        let fallback = Player::parse(&written.fallback).map_err(|error| error.to_string())?;
        if !matches!(fallback, Player::Random | Player::House(_)) {
            return Err(format!("`fallback` is {fallback}, but must be random or house:NAME"));
        }
        check_house_player(&fallback, &component)?;
        Ok(Stage {
            component_hash: component.hash,
            seats,
            options,
            learner: written.learner,
            others,
            attempts: written.attempts,
            on_illegal: written.on_illegal,
            fallback,
            threshold: written.threshold,
            component,
        })
    }

    /// Writes back what the defaults stood for. A game that was given as a path is called by its name from here on: a
    /// record must not depend on where a file lies, and the component's hash says which one it was.
    fn fill_in(&self, written: &mut StageSpec) {
        written.game = self.component.manifest.name.clone();
        written.seats = Some(self.seats);
        written.players = self.others.iter().map(Player::to_string).collect();
        written.options = serde_json::from_str::<Value>(&self.options).unwrap_or(Value::Null);
    }
}

/// The players of all seats but the learner's; the last one that was written repeats.
fn other_players(written: &[String], seats: u32, component: &Component) -> Result<Vec<Player>, String> {
    let wanted = seats as usize - 1;
    // A game for one has no other seat for the default opponent.
    let written = if wanted == 0 && written == ["random"] { &[] } else { written };
    if written.len() > wanted {
        return Err(format!("it names {} `players` for {wanted} other seats", written.len()));
    }
    let mut players = Vec::new();
    for text in written {
        let player = Player::parse(text).map_err(|error: PlayerError| error.to_string())?;
        check_house_player(&player, component)?;
        players.push(player);
    }
    let last = players.last().cloned().unwrap_or(Player::Random);
    players.resize(wanted, last);
    Ok(players)
}

/// A house player must be one that the game lists. One with a parameter is listed as `name:p` or `name`, and written
/// with a value: `fallible:0.2`.
fn check_house_player(player: &Player, component: &Component) -> Result<(), String> {
    let Player::House(name) = player else { return Ok(()) };
    let listed = &component.manifest.house_players;
    let stem = |text: &str| text.split(':').next().unwrap_or_default().to_string();
    if listed.contains(name) || (name.contains(':') && listed.iter().any(|other| stem(other) == stem(name))) {
        return Ok(());
    }
    let hint = suggest::hint(name, listed.iter().map(String::as_str));
    Err(format!("it has no house player `{name}`; {hint}"))
}
