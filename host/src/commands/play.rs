//! `ludus play`: a person plays in the terminal.
//!
//! The dialogue runs on any reader and writer, so tests and pipes play as people do. A game that is finished is stored;
//! one that was left is not.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal as _, Write};
use std::process::ExitCode;
use std::sync::Arc;

use ludus_host::drive;
use ludus_host::endpoint::{Calls, Conversation, Reply, Stopped};
use ludus_host::episode::{Decision, Episode, Finished};
use ludus_host::library::Library;
use ludus_host::player::Player;
use ludus_host::program;
use ludus_host::store::{Labels, Store, StoredEpisode};
use ludus_host::task::Task;

use crate::Places;
use crate::clock;
use crate::commands::open_library;
use crate::commands::seating::{Opponent, Seating};
use crate::terminal::{self, BAD, BOLD, DIM, GOOD, NAME, NOTE, clean, styled};

/// Up to so many legal moves are listed without being asked for.
const MOVES_LISTED_MAX: usize = 12;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A game's name or a component's file, or a task file
    game: String,
    #[command(flatten)]
    seating: Seating,
    /// The same seed deals the same game [default: a new one]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
}

const EXAMPLES: &str = "Examples:
  ludus play tictactoe
  ludus play tictactoe --seat 1 --against house:optimal
  ludus play tictactoe --options '{\"rows\": 4, \"columns\": 4}' --seed 5
  ludus play spy --seats 4 --against house:clues

`ludus games GAME` shows a game's options and house players.";

const HELP: &str = "Type your move and press Enter.
  :moves   the moves that are legal now
  :board   the position again
  :quit    leave; the game is not kept";

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let library = open_library(places)?;
    let (task, endpoints) = arguments.seating.task(&arguments.game, &library, Player::Person, Opponent::House)?;
    task.refuse_unasked(|player| matches!(player, Player::Person | Player::Endpoint(_)))?;
    // Nobody plays a whole game to learn that it cannot be kept.
    Store::try_open(&places.store)?;
    let mut rivals = Rivals { calls: drive::open_calls(&task, &endpoints)?, conversations: BTreeMap::new() };
    let seed = arguments.seed.unwrap_or_else(clock::fresh_seed);
    let episode = Episode::new(Arc::clone(&task), seed, 0);
    let mut output = terminal::output();
    greet(&task, seed, &mut output)?;
    let Some(finished) = converse(episode, &mut rivals, &mut std::io::stdin().lock(), &mut output)? else {
        writeln!(output, "You left the game, so it was not kept.")?;
        return Ok(ExitCode::SUCCESS);
    };
    keep(places, &library, &task, finished, &mut output)?;
    Ok(ExitCode::SUCCESS)
}

/// Models behind servers that play along.
struct Rivals {
    calls: Calls,
    /// By stage and seat.
    conversations: BTreeMap<(usize, u32), Conversation>,
}

impl Rivals {
    /// What a model says; nothing where its call failed, and somebody else moves for it in the end.
    fn reply(&mut self, endpoint: &str, decision: &Decision) -> Result<String, Stopped> {
        let conversation = self.conversations.entry((decision.stage, decision.seat)).or_default();
        conversation.prompt(&decision.prompt);
        self.calls.ask(0, endpoint, conversation.messages());
        let text = match self.calls.next(true)?.map(|answer| answer.reply) {
            Some(Reply::Said(text)) => text,
            _ => String::new(),
        };
        conversation.reply(&text);
        Ok(text)
    }
}

fn greet(task: &Task, seed: u64, output: &mut dyn Write) -> std::io::Result<()> {
    for (index, stage) in task.stages().iter().enumerate() {
        let manifest = &stage.component.manifest;
        writeln!(output, "{} {}", styled(BOLD, &manifest.name), styled(DIM, &manifest.summary))?;
        for (seat, player) in task.players(index, seed).iter().enumerate() {
            let name = match player {
                Player::Person => styled(NAME, "you"),
                player => clean(&player.to_string()),
            };
            writeln!(output, "  seat {seat}: {name}")?;
        }
    }
    writeln!(output, "{}", styled(DIM, format!("Seed {seed}. :help tells what you can type.")))
}

/// Plays to the end, or to where the person leaves: then `None`.
fn converse(
    mut episode: Episode,
    rivals: &mut Rivals,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> anyhow::Result<Option<Finished>> {
    while !episode.is_over() {
        let Some(decision) = episode.pending().first().cloned() else { break };
        if let Player::Endpoint(name) = &decision.player {
            let reply = rivals.reply(name, &decision)?;
            episode.answer(decision.seat, &reply);
            continue;
        }
        present(&mut episode, &decision, output)?;
        // A game that fails while it draws its board is over.
        if episode.is_over() {
            break;
        }
        match read_move(&mut episode, &decision, input, output)? {
            Some(text) if !episode.is_over() => episode.answer(decision.seat, &text),
            Some(_) => {}
            None => return Ok(None),
        }
    }
    if let Some(view) = episode.view(None) {
        writeln!(output)?;
        draw(&view, output)?;
    }
    Ok(Some(episode.finish()?))
}

/// Shows what a decision is about. After a failed try the board is still in sight, so the reason is enough.
fn present(episode: &mut Episode, decision: &Decision, output: &mut dyn Write) -> std::io::Result<()> {
    writeln!(output)?;
    if decision.attempt > 1 {
        return writeln!(output, "{}", styled(NOTE, &decision.prompt));
    }
    writeln!(output, "{}", clean(&decision.prompt))?;
    if let Some(view) = episode.view(Some(decision.seat)) {
        draw(&view, output)?;
    }
    if !episode.is_over()
        && let Some(moves) = episode.legal_moves(decision.seat)
        && moves.len() <= MOVES_LISTED_MAX
    {
        writeln!(output, "{} {}", styled(DIM, "moves:"), clean(&moves.join("  ")))?;
    }
    Ok(())
}

/// Reads until there is a move. `None`: the person leaves, or there is nothing more to read.
fn read_move(
    episode: &mut Episode,
    decision: &Decision,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> anyhow::Result<Option<String>> {
    loop {
        write!(output, "{} ", styled(NAME, ">"))?;
        output.flush()?;
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            writeln!(output)?;
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        if !std::io::stdin().is_terminal() {
            // What was piped in is not echoed by a terminal.
            write!(output, "{line}")?;
        }
        match line.trim() {
            "" => continue,
            ":quit" | ":q" => return Ok(None),
            ":help" | ":h" => writeln!(output, "{HELP}")?,
            ":board" | ":b" => match episode.view(Some(decision.seat)) {
                Some(view) => draw(&view, output)?,
                None => return Ok(Some(String::new())),
            },
            ":moves" | ":m" => match episode.legal_moves(decision.seat) {
                Some(moves) => writeln!(output, "{}", clean(&moves.join("  ")))?,
                None if episode.is_over() => return Ok(Some(String::new())),
                None => writeln!(output, "Any text may be a move here.")?,
            },
            command if command.starts_with(':') => writeln!(output, "There is no `{}`. {HELP}", clean(command))?,
            text => return Ok(Some(text.to_string())),
        }
    }
}

fn draw(view: &str, output: &mut dyn Write) -> std::io::Result<()> {
    view.lines().try_for_each(|line| writeln!(output, "  {}", styled(NAME, line)))
}

/// Says how it ended, stores the episode, and says how to see it again.
fn keep(
    places: &Places,
    library: &Library,
    task: &Task,
    finished: Finished,
    output: &mut dyn Write,
) -> anyhow::Result<()> {
    for stage in &finished.result.stages {
        let style = match stage.score {
            score if score > 0.5 => GOOD,
            score if score < 0.5 => BAD,
            _ => NOTE,
        };
        let summary = if stage.summary.is_empty() { stage.ended.word() } else { &stage.summary };
        writeln!(output, "{}: {}. Your score: {}", stage.game, clean(summary), styled(style, stage.score))?;
    }
    if let Some(fault) = &finished.fault {
        writeln!(output, "{}", styled(BAD, format!("The game failed: {fault}")))?;
    }
    let mut store = Store::open(&places.store)?;
    for stage in task.stages() {
        store.put_component(stage.component.bytes())?;
    }
    let hash = finished.record.hash();
    store.append(&[StoredEpisode {
        finished,
        labels: Labels { run: String::new(), step: None, task: task.name().to_string() },
        engine: library.engine_fingerprint(),
        created_at_s: clock::now_s(),
    }])?;
    writeln!(output, "Kept as {hash}")?;
    let (ludus, hash) = (program::ludus(&places.store), hash.short());
    writeln!(output, "{}", styled(DIM, format!("{ludus} replay {hash}   {ludus} show {hash}")))?;
    Ok(())
}
