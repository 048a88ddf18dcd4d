//! What a sampled token is credited with: the return of the whole task, or what its own stage brought.
//!
//! GIFT (2601.05633) gives every token of a nested task the task's one return. Its noise is that of all stages together: a
//! good move in a short stage drowns in the luck of a long one. Under `stage` the members of a group are compared stage by
//! stage, and a token's advantage is that of its stage. Then no stage is blamed for another's luck, and none is credited with
//! what it did for a later one. `reply` does the same, and leaves the penalty for a failed reply to that reply's own tokens.

use ludus_host::result::EpisodeResult;
use ludus_host::task::Penalties;
use serde::{Deserialize, Serialize};

use crate::advantage::rae::Baselines;
use crate::advantage::{Advantage, mean, spread};

/// What the members of a group are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Credit {
    /// The return of the whole task.
    Task,
    /// The return of each stage: its score less the penalties for what happened in it.
    Stage,
    /// The score of each stage; the penalty for a failed reply falls on the tokens of that reply alone.
    Reply,
}

/// What of an episode is compared with others of its group. All lists are by stage of the task.
pub struct Played<'a> {
    pub result: &'a EpisodeResult,
    /// What long replies cost.
    pub overlong: Vec<f64>,
    /// Which game and seat it was: `tictactoe:1`; empty where none was played.
    pub roles: Vec<String>,
}

/// The returns of a group that are compared.
pub struct Compared {
    stages: usize,
    credit: Credit,
    members: usize,
    /// One for the task or for each stage.
    comparisons: Vec<Comparison>,
}

#[derive(Default)]
struct Comparison {
    /// Those that take part.
    members: Vec<usize>,
    /// What they got, penalties included.
    returns: Vec<f64>,
    /// What advantages are made of.
    compared: Vec<f64>,
    /// What each was got in.
    roles: Vec<String>,
}

impl Credit {
    /// What is compared in a group of episodes of one task.
    pub fn compare(self, group: &[Played], penalties: Penalties) -> Compared {
        let stages = group.first().map_or(0, |played| played.result.stages.len());
        let comparisons = match self {
            Credit::Task => vec![whole_tasks(group)],
            Credit::Stage | Credit::Reply => (0..stages).map(|stage| self.one_stage(group, stage, penalties)).collect(),
        };
        Compared { stages, credit: self, members: group.len(), comparisons }
    }

    /// The stages of a task whose tokens are compared, and weighed, together.
    pub fn parts(self, stages: usize) -> Vec<Vec<usize>> {
        match self {
            Credit::Task => vec![(0..stages).collect()],
            Credit::Stage | Credit::Reply => (0..stages).map(|stage| vec![stage]).collect(),
        }
    }

    fn one_stage(self, group: &[Played], stage: usize, penalties: Penalties) -> Comparison {
        let mut comparison = Comparison::default();
        for (member, played) in group.iter().enumerate() {
            let result = &played.result.stages[stage];
            // A stage in which the learner was never asked, as behind one that was not passed, is compared with none.
            if result.decisions > 0 {
                let earned = penalties.apply(result.score, result.malformed, result.illegal) - played.overlong[stage];
                comparison.members.push(member);
                comparison.returns.push(earned);
                comparison.compared.push(if self == Credit::Reply { result.score } else { earned });
                comparison.roles.push(played.roles[stage].clone());
            }
        }
        comparison
    }
}

fn whole_tasks(group: &[Played]) -> Comparison {
    let whole = |played: &Played| played.result.task_return - played.overlong.iter().sum::<f64>();
    let returns: Vec<f64> = group.iter().map(whole).collect();
    Comparison {
        members: (0..group.len()).collect(),
        compared: returns.clone(),
        returns,
        roles: group.iter().map(|played| role(&played.roles)).collect(),
    }
}

/// The role of a whole task.
fn role(roles: &[String]) -> String {
    roles.iter().filter(|role| !role.is_empty()).cloned().collect::<Vec<_>>().join("+")
}

impl Compared {
    /// How far the raw returns of the group differ: their standard deviation, under `stage` the mean of the stages'. Zero
    /// exactly where nothing differs.
    pub fn spread(&self) -> f64 {
        let spreads: Vec<f64> = self.comparisons.iter().map(|comparison| spread(&comparison.returns)).collect();
        mean(&spreads)
    }

    /// For each member, the advantage of the tokens that it sampled in each stage.
    pub fn advantages(&self, advantage: Advantage, baselines: &mut Baselines) -> Vec<Vec<f64>> {
        let mut found = vec![vec![0.0; self.stages]; self.members];
        for (index, Comparison { members, compared, roles, .. }) in self.comparisons.iter().enumerate() {
            for (&member, value) in members.iter().zip(advantage.of_group(compared, roles, baselines)) {
                match self.credit {
                    Credit::Task => found[member].fill(value),
                    Credit::Stage | Credit::Reply => found[member][index] = value,
                }
            }
        }
        found
    }

    /// For each stage, what the penalty of a reply counts in the advantage of its own tokens: under `reply` as much as a point
    /// of the scores; else it is in the returns already.
    pub fn penalty_scales(&self, advantage: Advantage) -> Vec<f64> {
        match self.credit {
            Credit::Task | Credit::Stage => vec![0.0; self.stages],
            Credit::Reply => self.comparisons.iter().map(|comparison| advantage.scale(&comparison.compared)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ludus_host::result::{Ended, StageResult};

    use super::*;

    const PENALTIES: Penalties = Penalties { malformed: 0.5, illegal: 0.25 };

    fn stage(score: f64, decisions: u32, illegal: u32) -> StageResult {
        StageResult {
            game: "game".into(),
            learner_seat: 0,
            score,
            scores: vec![score],
            summary: String::new(),
            ended: if decisions > 0 { Ended::Over } else { Ended::Unplayed },
            decisions,
            moves: decisions - illegal,
            illegal,
            malformed: 0,
            counts: Vec::new(),
            substituted: 0,
            further_seats: Vec::new(),
        }
    }

    fn compare(credit: Credit, group: &[&EpisodeResult]) -> Compared {
        let stages = group[0].stages.len();
        let role = |stage| format!("game:{stage}");
        let played: Vec<Played> = group
            .iter()
            .map(|result| Played { result, overlong: vec![0.0; stages], roles: (0..stages).map(role).collect() })
            .collect();
        credit.compare(&played, PENALTIES)
    }

    fn advantages(compared: &Compared) -> Vec<Vec<f64>> {
        compared.advantages(Advantage::DrGrpo, &mut Baselines::default())
    }

    fn episode(stages: Vec<StageResult>) -> EpisodeResult {
        let combined = mean(&stages.iter().map(|stage| stage.score).collect::<Vec<f64>>());
        let illegal: u32 = stages.iter().map(|stage| stage.illegal).sum();
        EpisodeResult { task_return: PENALTIES.apply(combined, 0, illegal), combined, stages }
    }

    #[test]
    fn task_credit_gives_every_stage_the_advantage_of_the_whole() {
        let (won, lost) = (episode(vec![stage(0.0, 1, 0), stage(1.0, 3, 0)]), episode(vec![stage(0.0, 1, 0); 2]));
        let compared = compare(Credit::Task, &[&won, &lost]);
        assert_eq!(advantages(&compared), [[0.25, 0.25], [-0.25, -0.25]]);
    }

    #[test]
    fn stage_credit_compares_each_stage_by_itself_with_its_own_penalties() {
        let first = episode(vec![stage(1.0, 1, 0), stage(0.0, 3, 0)]);
        let second = episode(vec![stage(0.5, 2, 1), stage(1.0, 3, 0)]);
        let compared = compare(Credit::Stage, &[&first, &second]);
        // 1 against 0.5 less 0.25, and 0 against 1.
        assert_eq!(advantages(&compared), [[0.375, -0.5], [-0.375, 0.5]]);
    }

    #[test]
    fn reply_credit_leaves_penalties_to_the_replies_that_failed() {
        let first = episode(vec![stage(1.0, 1, 0), stage(0.0, 3, 2)]);
        let second = episode(vec![stage(1.0, 2, 1), stage(1.0, 3, 0)]);
        let compared = compare(Credit::Reply, &[&first, &second]);
        assert_eq!(advantages(&compared), [[0.0, -0.5], [0.0, 0.5]]);
        assert_eq!(compared.penalty_scales(Advantage::DrGrpo), [1.0, 1.0]);
        // The scores of the second stage have a standard deviation of one over the root of two; those of the first do not differ.
        let scales = compared.penalty_scales(Advantage::Grpo);
        assert!(scales[0] == 1.0 && (scales[1] - 2f64.sqrt()).abs() < 1e-12, "{scales:?}");
        // The filter goes by the whole returns.
        assert!(compared.spread() > 0.5);
    }

    #[test]
    fn what_long_replies_cost_is_taken_from_the_return_that_is_compared() {
        let result = episode(vec![stage(1.0, 1, 0), stage(1.0, 3, 0)]);
        let played = |cost| Played { result: &result, overlong: vec![0.0, cost], roles: vec![String::new(); 2] };
        let of = |credit: Credit| credit.compare(&[played(0.0), played(0.5)], PENALTIES);
        assert_eq!(advantages(&of(Credit::Task)), [[0.25, 0.25], [-0.25, -0.25]]);
        assert_eq!(advantages(&of(Credit::Stage)), [[0.0, 0.25], [0.0, -0.25]]);
        // Under `reply` it is left to the reply's own tokens, but the filter sees it.
        assert_eq!(advantages(&of(Credit::Reply)), [[0.0; 2]; 2]);
        assert!(of(Credit::Reply).spread() > 0.0);
    }

    #[test]
    fn under_rae_a_role_is_a_game_and_a_seat_or_all_of_a_task() {
        let result = episode(vec![stage(1.0, 1, 0), stage(0.5, 3, 0)]);
        let roles = ["nim:0", "spy:2"].map(String::from).to_vec();
        let known = |credit: Credit| -> Vec<(String, f64)> {
            let mut baselines = Baselines::new(0.5);
            let group = [Played { result: &result, overlong: vec![0.0; 2], roles: roles.clone() }];
            credit.compare(&group, PENALTIES).advantages(Advantage::Rae, &mut baselines);
            baselines.values.into_iter().collect()
        };
        assert_eq!(known(Credit::Task), [("nim:0+spy:2".to_string(), 0.375)]);
        assert_eq!(known(Credit::Stage), [("nim:0".to_string(), 0.5), ("spy:2".to_string(), 0.25)]);
    }

    #[test]
    fn a_member_that_did_not_get_to_a_stage_is_left_out_of_its_comparison() {
        let stopped = episode(vec![stage(0.0, 1, 0), stage(0.0, 0, 0)]);
        let (won, lost) =
            (episode(vec![stage(1.0, 1, 0), stage(1.0, 3, 0)]), episode(vec![stage(1.0, 1, 0), stage(0.0, 3, 0)]));
        let compared = compare(Credit::Stage, &[&stopped, &won, &lost]);
        let second: Vec<f64> = advantages(&compared).iter().map(|member| member[1]).collect();
        assert_eq!(second, [0.0, 0.5, -0.5]);
    }

    #[test]
    fn a_group_whose_stages_differ_has_spread_even_where_its_task_returns_are_equal() {
        let (one, other) =
            (episode(vec![stage(1.0, 1, 0), stage(0.0, 3, 0)]), episode(vec![stage(0.0, 1, 0), stage(1.0, 3, 0)]));
        assert_eq!(compare(Credit::Task, &[&one, &other]).spread(), 0.0);
        assert!(compare(Credit::Stage, &[&one, &other]).spread() > 0.5);
    }
}
