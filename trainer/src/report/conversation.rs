//! An episode as a conversation: what the learner read, the tokens that it sampled, what became of them, and the board.

use std::collections::BTreeSet;

use ludus_host::journal::Entry;
use ludus_host::record::{Ended, Line, Ruling};
use ludus_host::replay::{Transcript, Verdict};
use serde::Serialize;

use super::texts::{Texts, readable};
use crate::chat::Chat;
use crate::overlong::CutReplies;
use crate::recipe::{Recipe, TaskKind};
use crate::run_log::{Line as Numbers, RunLog};
use crate::sampled::{SampledEpisode, SampledReply};

/// Of whom a conversation is told.
pub struct Told<'a> {
    /// The number of its run among those of the report.
    pub run: usize,
    pub step: u32,
    pub log: &'a RunLog,
    /// See [`stages_with_results`].
    pub with_results: &'a BTreeSet<String>,
    pub chat: &'a Chat,
}

/// An episode, as the page knows it.
#[derive(Serialize)]
pub struct Conversation {
    run: usize,
    step: u32,
    group: usize,
    member: u32,
    /// In words: JavaScript has no 64-bit numbers.
    seed: String,
    task: usize,
    hash: String,
    task_return: Option<f64>,
    combined: Option<f64>,
    /// Whether its group entered the update, where that was kept.
    kept: Option<bool>,
    /// Where the replay is not what was recorded.
    differs: Option<String>,
    /// What every conversation of its task begins with.
    system: Option<usize>,
    /// Those that were played.
    stages: Vec<Stage>,
}

/// One stage.
#[derive(Serialize)]
struct Stage {
    #[serde(skip)]
    game: String,
    #[serde(skip)]
    prefix: String,
    /// As metrics call it: the game's name, with `-2` and so on where it comes again.
    label: String,
    seat: u32,
    players: Vec<String>,
    options: String,
    /// `won`, `drawn`, `lost` or, where scores are no results, `scored`; `forfeited`, `truncated`, `fault`.
    result: &'static str,
    score: Option<f64>,
    summary: usize,
    /// Name, times and chances.
    counts: Vec<(String, u32, u32)>,
    events: Vec<Event>,
}

/// One thing that happened. Texts are numbers of texts.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "is", rename_all = "lowercase")]
enum Event {
    /// The position as an onlooker sees it, from here on.
    Board { text: usize },
    /// What the learner is asked.
    Prompt { text: usize },
    /// What the learner sampled.
    Reply(Reply),
    /// What somebody else said, or somebody in the learner's place.
    Move { seat: u32, by: String, text: usize },
    /// A reply that was not taken.
    Refused { seat: u32, illegal: bool, reason: usize },
    /// The game misbehaved.
    Fault { what: String },
    /// The learner ran out of context or tokens.
    Truncated,
}

/// A sampled reply. Lists have an entry for each piece of text: a token, or several that share a character.
#[derive(Debug, PartialEq, Serialize)]
struct Reply {
    /// What the recipe put in front of it.
    prefix: String,
    pieces: Vec<String>,
    /// Tokens of each piece; empty where it is one of each.
    tokens: Vec<usize>,
    /// The sum over the piece's tokens, in nats, to three digits.
    log_probabilities: Vec<f64>,
    /// Of each of its tokens, where it was kept.
    advantage: Option<f64>,
    /// Whether the update trained on it, where that was kept.
    trained: Option<bool>,
    /// It met the length limit.
    cut: bool,
}

impl Conversation {
    /// Of an episode that was replayed.
    pub fn of(told: &Told<'_>, sampled: &SampledEpisode, transcript: &Transcript, texts: &mut Texts) -> Conversation {
        let recipe = told.log.recipe.as_ref();
        let mut stages: Vec<Stage> = Vec::new();
        let mut replies = sampled.replies.iter();
        let mut told_here = true;
        for entry in &transcript.entries {
            if let Entry::Line(Line::Stage { game, learner_seat, players, options, .. }) = entry {
                let before = stages.iter().filter(|stage| stage.game == *game).count();
                // What a further seat said stands in lines of its own, and is of one stage.
                let seat =
                    sampled.further.filter(|seat| seat.stage == stages.len()).map_or(*learner_seat, |one| one.seat);
                told_here = sampled.further.is_none_or(|seat| seat.stage == stages.len());
                stages.push(Stage {
                    game: game.clone(),
                    prefix: recipe.map(|recipe| prefix(recipe, stages.len(), game)).unwrap_or_default(),
                    label: if before == 0 { game.clone() } else { format!("{game}-{}", before + 1) },
                    seat,
                    players: players.iter().map(|player| readable(player)).collect(),
                    options: readable(&options.to_string()),
                    result: "unplayed",
                    score: None,
                    summary: texts.number(""),
                    counts: Vec::new(),
                    events: Vec::new(),
                });
            }
            let Some(stage) = stages.last_mut() else { continue };
            let mut none = [].iter();
            let said = if told_here { &mut replies } else { &mut none };
            stage.add(entry, said, told, sampled.kept, texts);
        }
        let result = transcript.result.as_ref();
        Conversation {
            run: told.run,
            step: told.step,
            group: sampled.group,
            member: sampled.member,
            seed: sampled.seed.to_string(),
            task: texts.number(&sampled.task),
            hash: sampled.episode.clone(),
            task_return: result.map(|result| result.task_return),
            combined: result.map(|result| result.combined),
            kept: sampled.kept,
            differs: match &transcript.verdict {
                Verdict::Identical => None,
                Verdict::Differs(difference) => Some(readable(&difference.place)),
            },
            system: recipe
                .map(|recipe| &recipe.reply.system)
                .filter(|text| !text.is_empty())
                .map(|text| texts.number(text)),
            stages,
        }
    }
}

impl Stage {
    fn add<'s>(
        &mut self,
        entry: &Entry,
        replies: &mut impl Iterator<Item = &'s SampledReply>,
        told: &Told<'_>,
        kept: Option<bool>,
        texts: &mut Texts,
    ) {
        let event = match entry {
            Entry::View(view) => Event::Board { text: texts.number(view.trim_matches('\n')) },
            Entry::Prompt { seat, text } if *seat == self.seat => Event::Prompt { text: texts.number(text) },
            Entry::Line(Line::Reply { seat, by, text }) => {
                let sampled = if by == "learner" && *seat == self.seat { replies.next() } else { None };
                match sampled {
                    Some(reply) => Event::Reply(Reply::of(reply, &self.prefix, told, kept)),
                    None => Event::Move { seat: *seat, by: by.clone(), text: texts.number(text) },
                }
            }
            Entry::Line(Line::Verdict { seat, verdict, reason }) if *verdict != Ruling::Taken => {
                Event::Refused { seat: *seat, illegal: *verdict == Ruling::Illegal, reason: texts.number(reason) }
            }
            Entry::Line(Line::Fault { kind, call, .. }) => Event::Fault { what: format!("{kind} in `{call}`") },
            Entry::Line(Line::Truncated) => Event::Truncated,
            Entry::Line(Line::StageEnd { ended, score, counts, summary, .. }) => {
                self.score = Some(*score);
                self.result = result(*ended, *score, told.with_results.contains(&self.label));
                self.summary = texts.number(summary);
                let own = counts.iter().filter(|count| count.seat == self.seat && count.chances > 0);
                self.counts = own.map(|count| (readable(&count.name), count.times, count.chances)).collect();
                return;
            }
            _ => return,
        };
        self.events.push(event);
    }
}

impl Reply {
    fn of(reply: &SampledReply, prefix: &str, told: &Told<'_>, kept: Option<bool>) -> Reply {
        let pieces = told.chat.pieces(&reply.ids);
        let mut log_probabilities = reply.log_probabilities.iter();
        let sum = |tokens: usize| log_probabilities.by_ref().take(tokens).map(|value| f64::from(*value)).sum::<f64>();
        let masks = |recipe: &Recipe| recipe.algorithm.cut_replies == CutReplies::Mask;
        let is_masked = reply.cut && told.log.recipe.as_ref().is_some_and(masks);
        Reply {
            prefix: readable(prefix),
            log_probabilities: pieces.iter().map(|(_, tokens)| *tokens).map(sum).map(in_thousandths).collect(),
            tokens: match pieces.iter().all(|(_, tokens)| *tokens == 1) {
                true => Vec::new(),
                false => pieces.iter().map(|(_, tokens)| *tokens).collect(),
            },
            pieces: pieces.iter().map(|(text, _)| readable(text)).collect(),
            advantage: reply.advantage.map(f64::from).map(in_thousandths),
            trained: kept.map(|kept| kept && !is_masked),
            cut: reply.cut,
        }
    }
}

/// What replies begin with in a stage of a task.
fn prefix(recipe: &Recipe, stage: usize, game: &str) -> String {
    let stages = &recipe.stages;
    let written = match recipe.task.kind {
        TaskKind::Nested | TaskKind::Single => stages.get(stage),
        TaskKind::Mixed | TaskKind::Alternate => stages.iter().find(|stage| stage.game == game),
    };
    written.and_then(|stage| stage.reply_prefix.clone()).unwrap_or_else(|| recipe.reply.prefix.clone())
}

fn in_thousandths(value: f64) -> f64 {
    // Without the sign of a zero.
    (value * 1000.0).round() / 1000.0 + 0.0
}

fn result(ended: Ended, score: f64, has_results: bool) -> &'static str {
    match ended {
        Ended::Over if !has_results => "scored",
        Ended::Over if score == 1.0 => "won",
        Ended::Over if score == 0.5 => "drawn",
        Ended::Over => "lost",
        other => other.word(),
    }
}

/// The stages of a run whose scores are those of wins, draws and losses: they were in every step. A payoff is never called a
/// win.
pub fn stages_with_results(metrics: &[Numbers]) -> BTreeSet<String> {
    let (mut with, mut without) = (BTreeSet::new(), BTreeSet::new());
    for line in metrics {
        for seat in
            line.values.keys().filter_map(|name| name.strip_prefix("train/stages/")?.strip_suffix("/score_mean"))
        {
            let Some((stage, _)) = seat.rsplit_once("/seats/") else { continue };
            let has_wins = line.values.contains_key(&format!("train/stages/{seat}/win_share"));
            if has_wins { &mut with } else { &mut without }.insert(stage.to_string());
        }
    }
    with.difference(&without).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_a_result_only_where_the_stage_had_results_in_every_step() {
        let line = |step: u32, names: &[&str]| Numbers {
            step,
            values: names.iter().map(|name| (format!("train/stages/{name}"), 0.5)).collect(),
        };
        let nim = ["nim/seats/0/score_mean", "nim/seats/0/win_share"];
        let matrix = ["matrix/seats/1/score_mean", "matrix/seats/1/win_share"];
        let both = [nim, matrix].concat();
        let found = stages_with_results(&[line(1, &both), line(2, &[nim[0], nim[1], matrix[0]])]);
        assert_eq!(found, BTreeSet::from(["nim".to_string()]));
    }

    #[test]
    fn only_a_stage_that_ended_is_won_or_lost() {
        let results = [1.0, 0.5, 0.0].map(|score| result(Ended::Over, score, true));
        assert_eq!(results, ["won", "drawn", "lost"]);
        assert_eq!(result(Ended::Over, 1.0, false), "scored");
        assert_eq!(result(Ended::Forfeited, 0.0, true), "forfeited");
    }
}
