//! What a step sampled, kept so that it can be sampled again and compared token by token.
//!
//! ```text
//! STORE/runs/NAME/rollouts/step-000012.jsonl      a line an episode, in the order of groups and members
//! {"group":0,"member":2,"seed":17,"task":"matrix+tictactoe","episode":"3f9a…","replies":[
//!     {"at":312,"before":"91c0…","ids":[37,2],"log_probabilities":[-0.7,-0.1],"cut":false,"advantage":0.5}, …],"kept":true}
//! ```
//!
//! Of a further seat that the learner plays there is a line of its own, behind those of the learner's own seats, with
//! `"further":{"stage":0,"seat":1}`. `at` is the place of a reply's first token in the conversation, so the lines say which tokens are trained on. What stands
//! between replies follows from the game and the chat template and is much longer: of that only a digest is kept, of all
//! tokens before a reply. `episode` is the hash of the record in the store. Numbers read back as they were, bit for bit.
//! `advantage` and `kept` are what the update made of the episode; a replay, which makes none, does not look at them.

use serde::{Deserialize, Serialize};

use crate::learner::Step;
use crate::rollout::{FurtherSeat, Trajectory, Turn};

/// The learner's side of one episode of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampledEpisode {
    pub group: usize,
    pub member: u32,
    pub seed: u64,
    pub task: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub further: Option<FurtherSeat>,
    pub episode: String,
    pub replies: Vec<SampledReply>,
    /// Whether its group entered the update; None where none was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<bool>,
}

/// One reply, as it was sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampledReply {
    pub at: usize,
    /// blake3 of the ids of all tokens before it, as 64-bit little-endian numbers; the first 16 digits.
    pub before: String,
    pub ids: Vec<i64>,
    pub log_probabilities: Vec<f32>,
    /// Whether it met the length limit before it ended.
    pub cut: bool,
    /// The advantage of each of its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advantage: Option<f32>,
}

impl SampledEpisode {
    /// What a trajectory has of it.
    pub fn of(trajectory: &Trajectory) -> SampledEpisode {
        let Trajectory { job, tokens, log_probabilities, turns, .. } = trajectory;
        let mut seen = blake3::Hasher::new();
        let mut known = 0;
        let reply = |turn: &Turn| {
            let at = turn.tokens.start;
            tokens[known..at].iter().for_each(|token| {
                seen.update(&token.to_le_bytes());
            });
            known = at;
            SampledReply {
                at,
                before: seen.finalize().to_hex()[..16].to_owned(),
                ids: tokens[turn.tokens.clone()].to_vec(),
                log_probabilities: log_probabilities[turn.tokens.clone()].to_vec(),
                cut: turn.cut,
                advantage: None,
            }
        };
        let replies: Vec<SampledReply> = turns.iter().map(reply).collect();
        SampledEpisode {
            group: job.group,
            member: job.member,
            seed: job.seed,
            task: trajectory.task_name.clone(),
            further: trajectory.further,
            episode: trajectory.finished.record.hash().to_string(),
            replies,
            kept: None,
        }
    }

    /// The episodes of a step, with what its update made of them.
    pub fn of_step(step: &Step) -> Vec<SampledEpisode> {
        let mut episodes: Vec<SampledEpisode> = step.rolled_out.trajectories.iter().map(SampledEpisode::of).collect();
        for (group, members) in step.rolled_out.groups.iter().enumerate() {
            for member in members.clone() {
                let episode = &mut episodes[member];
                episode.kept = Some(step.kept.contains(&group));
                for reply in &mut episode.replies {
                    reply.advantage = step.advantages[member].get(reply.at).copied();
                }
            }
        }
        episodes
    }

    /// How many tokens were sampled.
    pub fn tokens(&self) -> usize {
        self.replies.iter().map(|reply| reply.ids.len()).sum()
    }
}

/// The episodes of a step as lines.
///
/// # Errors
/// Never with numbers that are finite.
pub fn to_lines(episodes: &[SampledEpisode]) -> serde_json::Result<String> {
    episodes.iter().map(|episode| serde_json::to_string(episode).map(|line| line + "\n")).collect()
}

/// The episodes of a step from their lines.
///
/// # Errors
/// Where a line is not one that [`to_lines`] writes.
pub fn from_lines(text: &str) -> serde_json::Result<Vec<SampledEpisode>> {
    let whole = |episode: SampledEpisode| {
        let is_whole = |reply: &SampledReply| reply.ids.len() == reply.log_probabilities.len();
        let has_parted = || serde::de::Error::custom("a reply has not as many log-probabilities as tokens");
        if episode.replies.iter().all(is_whole) { Ok(episode) } else { Err(has_parted()) }
    };
    text.lines().map(|line| serde_json::from_str(line).and_then(whole)).collect()
}

/// Where two rollouts of one step part first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Counted from 1.
    pub episode: usize,
    /// The place in the conversation of the first token that differs, counted from 0; None where no token does.
    pub token: Option<usize>,
    /// What differs and how, in words.
    pub what: String,
}

/// What differs between two episodes: the place of the token, where one does, and how, in words.
type Found = (Option<usize>, String);

/// Compares a rollout with the one that was kept. `text` is what a token means. Log-probabilities are looked at last, where
/// all tokens and episodes are the same.
pub fn difference(kept: &[SampledEpisode], now: &[SampledEpisode], text: &dyn Fn(i64) -> String) -> Option<Difference> {
    let first = |compare: &dyn Fn(&SampledEpisode, &SampledEpisode) -> Option<Found>| {
        let mut pairs = kept.iter().zip(now).enumerate();
        pairs.find_map(|(index, (kept, now))| {
            compare(kept, now).map(|(token, what)| Difference { episode: index + 1, token, what })
        })
    };
    first(&|kept, now| in_tokens(kept, now, text))
        .or_else(|| {
            let episode = kept.len().min(now.len()) + 1;
            let what = format!("there were {} episodes, now there are {}", kept.len(), now.len());
            (kept.len() != now.len()).then_some(Difference { episode, token: None, what })
        })
        .or_else(|| first(&in_log_probabilities))
}

fn in_tokens(kept: &SampledEpisode, now: &SampledEpisode, text: &dyn Fn(i64) -> String) -> Option<Found> {
    if (kept.seed, &kept.task) != (now.seed, &now.task) {
        let what = format!("it was {} of seed {}, now it is {} of seed {}", kept.task, kept.seed, now.task, now.seed);
        return Some((None, what));
    }
    for (index, (kept, now)) in kept.replies.iter().zip(&now.replies).enumerate() {
        let number = index + 1;
        if (kept.at, &kept.before) != (now.at, &now.before) {
            let what = format!("what the model read before its reply {number}, at token {} at the latest", kept.at);
            return Some((Some(kept.at.min(now.at)), what));
        }
        let parted = kept.ids.iter().zip(&now.ids).take_while(|(kept, now)| kept == now).count();
        if kept.ids != now.ids {
            let told = |ids: &[i64]| match ids.get(parted) {
                Some(&id) => format!("{id} {:?}", text(id)),
                None => "nothing".into(),
            };
            let (token, was, is) = (kept.at + parted, told(&kept.ids), told(&now.ids));
            return Some((Some(token), format!("token {token}, in reply {number}: it was {was}, now it is {is}")));
        }
    }
    if kept.replies.len() != now.replies.len() {
        let what = format!("there were {} replies, now there are {}", kept.replies.len(), now.replies.len());
        return Some((None, what));
    }
    let same = kept.episode == now.episode;
    (!same).then(|| (None, format!("its hash was {}, now it is {}", kept.episode, now.episode)))
}

fn in_log_probabilities(kept: &SampledEpisode, now: &SampledEpisode) -> Option<Found> {
    kept.replies.iter().zip(&now.replies).find_map(|(kept, now)| {
        let pairs = kept.log_probabilities.iter().zip(&now.log_probabilities);
        let (offset, (was, is)) = pairs.enumerate().find(|(_, (was, is))| was.to_bits() != is.to_bits())?;
        let token = kept.at + offset;
        let what = format!("the log-probability of token {token} was {was}, now it is {is}; all tokens are the same");
        Some((Some(token), what))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(at: usize, ids: &[i64]) -> SampledReply {
        let log_probabilities = ids.iter().map(|&id| -(id as f32) / 3.0).collect();
        SampledReply {
            at,
            before: format!("{at:016x}"),
            ids: ids.to_vec(),
            log_probabilities,
            cut: false,
            advantage: Some(0.1),
        }
    }

    fn rollout() -> Vec<SampledEpisode> {
        let episode = |member| SampledEpisode {
            group: 0,
            member,
            seed: u64::MAX,
            task: "matrix".into(),
            further: None,
            episode: format!("{member:064x}"),
            replies: vec![reply(10, &[4, 5, 2]), reply(20, &[7, 2])],
            kept: Some(true),
        };
        vec![episode(0), episode(1)]
    }

    /// What is said of a rollout that was changed.
    fn found(change: impl FnOnce(&mut Vec<SampledEpisode>)) -> (usize, Option<usize>, String) {
        let mut now = rollout();
        change(&mut now);
        let found = difference(&rollout(), &now, &|id| format!("<{id}>")).expect("a difference");
        (found.episode, found.token, found.what)
    }

    #[test]
    fn a_rollout_reads_back_as_it_was_and_does_not_differ_from_itself() {
        let read = from_lines(&to_lines(&rollout()).unwrap()).unwrap();
        assert_eq!(read, rollout());
        assert_eq!(difference(&read, &rollout(), &|_| String::new()), None);
    }

    #[test]
    fn what_an_update_made_of_an_episode_is_no_difference() {
        let mut replayed = rollout();
        for episode in &mut replayed {
            episode.kept = None;
            episode.replies.iter_mut().for_each(|reply| reply.advantage = None);
        }
        assert_eq!(difference(&rollout(), &replayed, &|_| String::new()), None);
    }

    #[test]
    fn the_first_token_that_differs_is_named_with_its_episode() {
        let what = "token 11, in reply 1: it was 5 \"<5>\", now it is 6 \"<6>\"";
        assert_eq!(found(|now| now[1].replies[0].ids[1] = 6), (2, Some(11), what.into()));
        let shorter = found(|now| _ = now[0].replies[1].ids.pop());
        assert_eq!(shorter, (1, Some(21), "token 21, in reply 2: it was 2 \"<2>\", now it is nothing".into()));
    }

    #[test]
    fn a_prompt_that_differs_is_named_by_the_reply_after_it() {
        let (episode, token, what) = found(|now| now[1].replies[1].before = "0".into());
        assert_eq!((episode, token), (2, Some(20)));
        assert!(what.contains("read before its reply 2"), "{what}");
    }

    #[test]
    fn what_differs_besides_tokens_is_told_too() {
        assert!(found(|now| drop(now.pop())).2.contains("there were 2 episodes, now there are 1"));
        assert!(found(|now| drop(now[0].replies.pop())).2.contains("there were 2 replies, now there are 1"));
        assert!(found(|now| now[0].seed = 3).2.contains("matrix of seed 3"));
        assert!(found(|now| now[1].episode = "ab".into()).2.ends_with("now it is ab"));
    }

    #[test]
    fn log_probabilities_count_where_all_else_is_the_same() {
        let nudge = |now: &mut Vec<SampledEpisode>| now[0].replies[0].log_probabilities[2] = -0.5;
        let (episode, token, what) = found(nudge);
        assert_eq!((episode, token), (1, Some(12)));
        assert!(what.starts_with("the log-probability of token 12"), "{what}");
        let both = found(|now| {
            nudge(now);
            now[1].replies[1].ids[0] = 8;
        });
        assert_eq!((both.0, both.1), (2, Some(20)));
    }
}
