//! Who plays what against whom: the options that `play` and `run` share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use ludus_host::endpoint::{EndpointConfig, EndpointConfigs};
use ludus_host::library::Library;
use ludus_host::player::Player;
use ludus_host::task::{LearnerSeat, Task, TaskSpec};
use ludus_host::task_file::TaskFile;

#[derive(Debug, Default, clap::Args)]
pub struct Seating {
    /// The seat to sit in, counted from 0 [default: drawn from the seed]
    #[arg(long, value_name = "SEAT")]
    seat: Option<u32>,
    /// How many seats the table has [default: as few as the game allows]
    #[arg(long, value_name = "NUMBER")]
    seats: Option<u32>,
    /// Who plays the other seats, in order; the last one takes all that remain: random, house:NAME, script:MOVE,MOVE,
    /// search:PLAYOUTS or endpoint:NAME [default: for `run` random players, for `play` the first of the house players that
    /// `ludus games` lists]
    #[arg(long, value_name = "PLAYER")]
    against: Vec<String>,
    /// The game's options, as a JSON object
    #[arg(long, value_name = "JSON")]
    options: Option<String>,
    /// A TOML file with a table [endpoints.NAME] for each `endpoint:NAME` that plays; a task file may hold them itself
    #[arg(long, value_name = "FILE")]
    endpoints: Option<PathBuf>,
}

/// Who plays the other seats of a single game where nobody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opponent {
    Random,
    /// The first house player that the game lists; random where it has none.
    House,
}

impl Seating {
    fn is_given(&self) -> bool {
        self.seat.is_some() || self.seats.is_some() || !self.against.is_empty() || self.options.is_some()
    }

    /// The task of one game with these seats, players and options.
    fn spec(&self, named: &str, library: &Library, opponent: Opponent) -> anyhow::Result<TaskSpec> {
        let manifest = &library.game(named)?.manifest;
        // A game that was given as a file is called by its own name.
        let mut spec = TaskSpec { name: manifest.name.clone(), ..TaskSpec::single(named) };
        let stage = &mut spec.stages[0];
        stage.seats = self.seats;
        stage.learner = self.seat.map_or(LearnerSeat::Random, LearnerSeat::Seat);
        if !self.against.is_empty() {
            stage.players = self.against.clone();
        } else if let (Opponent::House, Some(name)) = (opponent, manifest.house_players.first()) {
            stage.players = if manifest.seats_max == 1 { Vec::new() } else { vec![format!("house:{name}")] };
        }
        if let Some(text) = &self.options {
            stage.options = serde_json::from_str(text).with_context(|| {
                format!("the options `{text}` are not JSON; write an object like '{{\"rows\": 4}}'")
            })?;
        }
        Ok(spec)
    }

    /// The task that was named (a task file, a game's name, or a component's file), and the endpoints that are known.
    pub fn task(
        &self,
        named: &str,
        library: &Library,
        learner: Player,
        opponent: Opponent,
    ) -> anyhow::Result<(Arc<Task>, EndpointConfigs)> {
        let path = Path::new(named);
        let is_task_file = path.extension().is_some_and(|extension| extension == "toml" || extension == "json");
        if is_task_file && self.is_given() {
            bail!("{named} says itself who plays what; --seat, --seats, --against and --options are for a single game");
        }
        let mut file = if is_task_file {
            TaskFile::read(path)?
        } else {
            TaskFile { task: self.spec(named, library, opponent)?, endpoints: EndpointConfigs::new() }
        };
        if let Some(path) = &self.endpoints {
            file.endpoints.extend(EndpointConfig::read_file(path)?);
        }
        Ok((Task::resolve_for(&file.task, library, learner)?, file.endpoints))
    }
}
