//! Re-executing an episode from its record.
//!
//! A record holds every move, so no player is needed: not the model, not the house players, not even the streams that
//! they drew from. The episode machine is run again on the recorded components with every reply taken from the record, and
//! writes a record of its own. Where that one is the same, byte for byte, the episode is `Identical`; else `Differs` names
//! the first line that is not, and where in the episode that is.
//!
//! What a record says of itself (seed, task, replies, where the learner's tokens or the episode's fuel ran out) is what is
//! replayed; prompts, verdicts, scores and the return are what is checked. Whether its bytes are the ones once stored is
//! the store's business: it knows their hash.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Deserialize;

use crate::component::Component;
use crate::episode::Episode;
use crate::fault::{Call, FaultKind, HostFailure};
use crate::hash::Hash;
use crate::journal::{Entry, Keep};
use crate::player::{Player, PlayerError};
use crate::record::{Line, RecordError, Ruling, read_head, read_lines, split_head, unreadable};
use crate::result::EpisodeResult;
use crate::task::{Task, TaskError};
use crate::voices::Recorded;

/// Any error of a component source.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Where a replay finds the components that a record names.
pub trait ComponentSource {
    /// The component with this hash. One with another hash may be given to see what would change: the replay then
    /// differs, at the first turn that does.
    ///
    /// # Errors
    /// Where it is missing, damaged, or no game.
    fn component(&self, hash: &Hash) -> Result<Arc<Component>, SourceError>;
}

/// What came out of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every byte is the same.
    Identical,
    Differs(Difference),
}

/// The first line that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Counted from 1.
    pub line: usize,
    /// Empty where the record has ended before.
    pub recorded: String,
    /// Empty where the replay has ended before.
    pub replayed: String,
    /// For people: stage, turn, and what is not the same.
    pub place: String,
}

/// An episode as a person would read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    /// Every line of the record, with the prompts and the views of the positions between them.
    pub entries: Vec<Entry>,
    /// `None` where the replay did not get to the end.
    pub result: Option<EpisodeResult>,
    pub verdict: Verdict,
}

/// Why a record cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("the component {} cannot be had: {source}", .hash.short())]
    Component { hash: Hash, source: SourceError },
    #[error("the record names {components} components for {stages} stages")]
    ComponentCount { components: usize, stages: usize },
    #[error("the record's task cannot be played: {0}")]
    Task(#[from] TaskError),
    #[error("the record's learner is not known: {0}")]
    Learner(#[from] PlayerError),
    #[error(transparent)]
    Host(#[from] HostFailure),
}

/// Re-executes a record.
///
/// # Errors
/// Where the record cannot be read, or a component cannot be had. That it replays differently is no error.
pub fn replay(record: &[u8], source: &dyn ComponentSource) -> Result<Verdict, ReplayError> {
    Replayer::new(source).replay(record)
}

/// Re-executes a record and keeps all that was said and seen.
///
/// # Errors
/// As `replay`.
pub fn transcribe(record: &[u8], source: &dyn ComponentSource) -> Result<Transcript, ReplayError> {
    let mut replayer = Replayer::new(source);
    let transcript = replayer.run(record, Keep::PromptsAndViews)?;
    if transcript.verdict == Verdict::Identical {
        return Ok(transcript);
    }
    // Views are calls that nobody made when the episode was recorded, and a game may fail in them.
    let without_views = replayer.run(record, Keep::Prompts)?;
    Ok(if without_views.verdict == Verdict::Identical { without_views } else { transcript })
}

/// Re-executes one record after the other. Records of one task begin alike, and most are replayed together, so the task of
/// the last one is kept: to read and check it takes as long as several turns.
pub struct Replayer<'a> {
    source: &'a dyn ComponentSource,
    /// The beginning of the last record, and what it means.
    last: Option<(Vec<u8>, Recipe)>,
}

/// What a record was made from.
#[derive(Clone)]
struct Recipe {
    task: Arc<Task>,
    /// Whether the components are the very ones that the record names.
    are_the_recorded: bool,
}

impl<'a> Replayer<'a> {
    pub fn new(source: &'a dyn ComponentSource) -> Replayer<'a> {
        Replayer { source, last: None }
    }

    /// Re-executes a record.
    ///
    /// # Errors
    /// As the function `replay`.
    pub fn replay(&mut self, record: &[u8]) -> Result<Verdict, ReplayError> {
        self.run(record, Keep::Nothing).map(|transcript| transcript.verdict)
    }

    fn run(&mut self, record: &[u8], keep: Keep) -> Result<Transcript, ReplayError> {
        let (recipe, seed, member) = self.recipe(record)?;
        let episode = Episode::replaying(recipe.task, seed, member, replies(record)?, keep);
        let (replayed, entries, result) = episode.into_replayed()?;
        let verdict = match first_difference(record, replayed.bytes())? {
            Some(difference) => Verdict::Differs(difference),
            None if recipe.are_the_recorded => Verdict::Identical,
            None => Verdict::Differs(Difference {
                line: 1,
                recorded: text_of_line(record, 0),
                replayed: String::new(),
                place: "every turn is the same, but the component is another one".to_string(),
            }),
        };
        Ok(Transcript { entries, result, verdict })
    }

    /// What a record was made from, its seed and its member.
    fn recipe(&mut self, record: &[u8]) -> Result<(Recipe, u64, u32), ReplayError> {
        let (beginning, deal) = split_head(record);
        if let (Some((last, recipe)), Some((seed, member))) = (&self.last, deal)
            && last == beginning
        {
            return Ok((recipe.clone(), seed, member));
        }
        let Line::Episode { task, components: hashes, learner, seed, member, .. } = read_head(record)? else {
            unreachable!("`read_head` reads nothing else");
        };
        if hashes.len() != task.stages.len() {
            return Err(ReplayError::ComponentCount { components: hashes.len(), stages: task.stages.len() });
        }
        let mut components = Vec::new();
        for hash in &hashes {
            let component =
                self.source.component(hash).map_err(|source| ReplayError::Component { hash: *hash, source })?;
            components.push(component);
        }
        let are_the_recorded = components.iter().zip(&hashes).all(|(component, hash)| component.hash == *hash);
        let task = Task::assemble(task, components, Player::parse(&learner)?)?.with_component_hashes(&hashes);
        let recipe = Recipe { task: Arc::new(task), are_the_recorded };
        self.last = Some((beginning.to_vec(), recipe.clone()));
        Ok((recipe, seed, member))
    }
}

/// All that reached the episode from outside, in order. Lines of other kinds are what the replay writes anew: it compares
/// them, and needs not read them.
fn replies(record: &[u8]) -> Result<VecDeque<Recorded>, RecordError> {
    /// A line `reply`. Reading it as a `Line` takes several times as long, and most of what is read are replies.
    #[derive(Deserialize)]
    struct Reply {
        seat: u32,
        text: String,
    }
    let mut replies = VecDeque::new();
    for (index, line) in record.split(|byte| *byte == b'\n').enumerate() {
        if line.starts_with(br#"{"line":"reply","#) {
            let Reply { seat, text } = serde_json::from_slice(line).map_err(|error| unreadable(index, &error))?;
            replies.push_back(Recorded::Reply { seat, text });
        } else if line.starts_with(br#"{"line":"fault","#) || line.starts_with(br#"{"line":"truncated""#) {
            replies.extend(match serde_json::from_slice(line).map_err(|error| unreadable(index, &error))? {
                Line::Truncated => Some(Recorded::Truncated),
                Line::Fault { kind: FaultKind::EpisodeOutOfFuel, .. } => Some(Recorded::OutOfFuel),
                Line::Fault {
                    call: call @ (Call::LegalMoves | Call::HouseMove | Call::View), seat, player, ..
                } => Some(Recorded::Fault { call, seat, player }),
                // Faults in the other calls come again by themselves.
                _ => None,
            });
        }
    }
    Ok(replies)
}

/// # Errors
/// Where they differ because the recorded bytes are no record.
fn first_difference(recorded: &[u8], replayed: &[u8]) -> Result<Option<Difference>, RecordError> {
    if recorded == replayed {
        return Ok(None);
    }
    read_lines(recorded)?;
    let recorded_lines: Vec<&[u8]> = recorded.split_inclusive(|byte| *byte == b'\n').collect();
    let replayed_lines: Vec<&[u8]> = replayed.split_inclusive(|byte| *byte == b'\n').collect();
    let same = recorded_lines.iter().zip(&replayed_lines).take_while(|(one, other)| one == other).count();
    Ok(Some(Difference {
        line: same + 1,
        recorded: text_of_line(recorded, same),
        replayed: text_of_line(replayed, same),
        place: place(recorded, replayed, same),
    }))
}

/// Says in words where two records part.
fn place(recorded: &[u8], replayed: &[u8], index: usize) -> String {
    let before: Vec<Line> = replayed.split(|byte| *byte == b'\n').take(index).filter_map(parsed).collect();
    let here = [recorded, replayed].map(|record| parsed(line(record, index)));
    let [was, is] = here.map(|line| line.as_ref().map_or("nothing more".to_string(), describe));
    let where_it_is = match before.iter().rposition(|line| matches!(line, Line::Stage { .. })) {
        None => "before the first stage".to_string(),
        Some(start) => {
            let Line::Stage { stage, game, .. } = &before[start] else { unreachable!("found as a stage") };
            let turn = before[start..].iter().filter(|line| matches!(line, Line::Ask { .. })).count();
            match turn {
                0 => format!("stage {} ({game}), as it is dealt", stage + 1),
                turn => format!("stage {} ({game}), turn {turn}", stage + 1),
            }
        }
    };
    if was == is {
        return format!("{where_it_is}: {was}, but the lines are not written alike");
    }
    format!("{where_it_is}: recorded is {was}; replayed is {is}")
}

fn parsed(line: &[u8]) -> Option<Line> {
    serde_json::from_str(&String::from_utf8_lossy(line)).ok()
}

/// Goes through all lines before it.
fn line(record: &[u8], index: usize) -> &[u8] {
    record.split(|byte| *byte == b'\n').nth(index).unwrap_or_default()
}

fn text_of_line(record: &[u8], index: usize) -> String {
    String::from_utf8_lossy(line(record, index)).into_owned()
}

fn describe(line: &Line) -> String {
    match line {
        Line::Episode { task, seed, .. } => format!("the task `{}` with seed {seed}", task.name),
        Line::Stage { stage, game, players, .. } => {
            format!("stage {} ({game}) dealt to {}", stage + 1, players.join(", "))
        }
        Line::Ask { seat, prompt } => format!("seat {seat} asked with the prompt {}", prompt.short()),
        Line::Reply { seat, by, text } => format!("the reply {text:?} of seat {seat} ({by})"),
        Line::Verdict { seat, verdict: Ruling::Taken, .. } => format!("the move of seat {seat} taken"),
        Line::Verdict { seat, verdict: Ruling::Malformed, reason } => {
            format!("the reply of seat {seat} malformed ({reason})")
        }
        Line::Verdict { seat, verdict: Ruling::Illegal, reason } => {
            format!("the move of seat {seat} illegal ({reason})")
        }
        Line::Fault { kind, call, .. } => format!("a fault of the game ({kind} in `{call}`)"),
        Line::Truncated => "the learner out of tokens".to_string(),
        Line::StageEnd { ended, score, scores, .. } => {
            format!("the end of the stage ({}, score {score}, all scores {scores:?})", ended.word())
        }
        Line::End { combined, task_return } => format!("the return {task_return} from the combined score {combined}"),
    }
}
