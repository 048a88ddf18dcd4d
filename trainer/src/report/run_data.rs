//! What a report says of a run besides its episodes: what it is, its curves and its evaluations.

use std::collections::BTreeMap;

use ludus_host::program;
use serde::Serialize;

use crate::evaluate::Evaluated;
use crate::plan;
use crate::run;
use crate::run_log::{Line, RunLog};

/// A run, as the page knows it.
#[derive(Serialize)]
pub struct RunData {
    name: String,
    /// `goes on`, `finished` or `stopped`.
    state: &'static str,
    steps: Option<u32>,
    steps_done: u32,
    /// What it is, in words and hashes.
    facts: Vec<(&'static str, String)>,
    /// What of its recipe differs from that of the first run.
    differences: Vec<String>,
    recipe: String,
    commands: Commands,
    curves: Vec<Table>,
    evaluations: Vec<EvaluationData>,
}

/// What to type, each as a shell takes it.
#[derive(Serialize)]
struct Commands {
    /// None where it is finished, or goes on.
    resume: Option<String>,
    repeat: String,
    /// The hash of an episode goes behind it.
    replay_episode: String,
    /// The number of a step goes behind it.
    replay_step: String,
}

/// Numbers of steps, a column each.
#[derive(Debug, PartialEq, Serialize)]
struct Table {
    steps: Vec<u32>,
    columns: BTreeMap<String, Vec<Option<f64>>>,
}

#[derive(Serialize)]
struct EvaluationData {
    title: String,
    /// How many steps were done; none for random play.
    step: Option<u32>,
    evaluated: Vec<Evaluated>,
}

impl RunData {
    /// Of a run; `first` is the one that it is compared with.
    pub fn of(log: &RunLog, first: &RunLog) -> RunData {
        RunData {
            name: log.name(),
            state: match log {
                _ if log.goes_on => "goes on",
                _ if log.is_finished() => "finished",
                _ => "stopped",
            },
            steps: log.steps(),
            steps_done: log.steps_done(),
            facts: facts(log),
            differences: match (&log.recipe, &first.recipe) {
                (Some(recipe), Some(first)) => plan::differences(recipe, first),
                _ => Vec::new(),
            },
            recipe: log.recipe_text.clone(),
            commands: commands(log),
            curves: vec![Table::of(&log.metrics), Table::of(&log.timing), Table::of(&results(&log.metrics))],
            evaluations: log
                .evaluations
                .iter()
                .map(|evaluation| EvaluationData {
                    title: title(&evaluation.name),
                    step: evaluation.step,
                    evaluated: evaluation.evaluated.clone(),
                })
                .collect(),
        }
    }
}

impl Table {
    fn of(lines: &[Line]) -> Table {
        let mut columns: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
        for (row, line) in lines.iter().enumerate() {
            for (name, value) in &line.values {
                let column = columns.entry(name.clone()).or_insert_with(|| vec![None; lines.len()]);
                column[row] = Some(*value);
            }
        }
        Table { steps: lines.iter().map(|line| line.step).collect(), columns }
    }
}

/// Wins, draws and losses of each stage in which scores are such. A score is 1, 1/2 or 0 then, so the mean score and the
/// share of wins give the other two.
fn results(metrics: &[Line]) -> Vec<Line> {
    metrics.iter().map(|line| Line { step: line.step, values: results_of_step(&line.values) }).collect()
}

fn results_of_step(values: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    // For each stage: episodes, wins, scores.
    let mut stages: BTreeMap<&str, (f64, f64, f64)> = BTreeMap::new();
    for (name, win_share) in values {
        let Some(seat) = name.strip_suffix("/win_share") else { continue };
        let Some((stage, _)) = seat.strip_prefix("train/stages/").and_then(|seat| seat.rsplit_once("/seats/")) else {
            continue;
        };
        let of_seat = |what: &str| values.get(&format!("{seat}/{what}")).copied().unwrap_or_default();
        let episodes = of_seat("episodes");
        let sums = stages.entry(stage).or_default();
        *sums = (sums.0 + episodes, sums.1 + episodes * win_share, sums.2 + episodes * of_seat("score_mean"));
    }
    let shares = |(stage, (episodes, wins, scores)): (&str, (f64, f64, f64))| {
        let draws = 2.0 * (scores - wins);
        let share = |what: &str, part: f64| (format!("results/{stage}/{what}"), (part / episodes).clamp(0.0, 1.0));
        [share("win", wins), share("draw", draws), share("loss", episodes - wins - draws)]
    };
    stages.into_iter().filter(|(_, (episodes, ..))| *episodes > 0.0).flat_map(shares).collect()
}

fn title(name: &str) -> String {
    match name {
        "random" => "random play".into(),
        other => match other.strip_prefix("step-").and_then(|step| step.parse::<u32>().ok()) {
            Some(step) => format!("after step {step}"),
            None => other.into(),
        },
    }
}

fn facts(log: &RunLog) -> Vec<(&'static str, String)> {
    let description = &log.description;
    let mut facts = Vec::new();
    if let Some(recipe) = &log.recipe {
        let stages: Vec<&str> = recipe.stages.iter().map(|stage| stage.game.as_str()).collect();
        facts.push(("recipe", recipe.name.clone()));
        facts.push(("stages", stages.join(", ")));
        facts.push(("model", recipe.model.source.clone()));
        facts.push(("seed", recipe.seed.to_string()));
    }
    facts.push(("plan", description.plan.clone()));
    facts.push(("weights it began with", description.model.clone()));
    let games = description.games.iter();
    facts.extend(games.map(|game| ("game", format!("{} {}, component {}", game.name, game.version, game.component))));
    let entries = description.made_with.iter();
    facts.extend(entries.map(|made_with| ("made with", format!("{made_with}, from step {}", made_with.from_step))));
    facts.push(("folder", log.folder.display().to_string()));
    facts
}

fn commands(log: &RunLog) -> Commands {
    let trainer = program::on_store("ludus-train", &log.store);
    let recipe = program::quoted(&log.folder.join(run::RECIPE).to_string_lossy());
    let name = program::quoted(&log.name());
    let again = program::quoted(&format!("{}-again", log.name()));
    Commands {
        resume: (!log.is_finished() && !log.goes_on)
            .then(|| format!("{trainer} train {recipe} --name {name} --resume")),
        repeat: format!("{trainer} train {recipe} --name {again}"),
        replay_episode: format!("{} replay", program::ludus(&log.store)),
        replay_step: format!("{trainer} replay {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u32, values: &[(&str, f64)]) -> Line {
        Line { step, values: values.iter().map(|(name, value)| ((*name).to_string(), *value)).collect() }
    }

    #[test]
    fn a_step_without_a_number_has_a_gap_in_its_column() {
        let table = Table::of(&[line(1, &[("a", 1.0)]), line(3, &[("a", 2.0), ("b", 0.5)])]);
        let columns = [("a".to_string(), vec![Some(1.0), Some(2.0)]), ("b".to_string(), vec![None, Some(0.5)])].into();
        assert_eq!(table, Table { steps: vec![1, 3], columns });
    }

    #[test]
    fn wins_draws_and_losses_are_those_of_all_seats_and_a_payoff_has_none() {
        // Of four episodes in the first seat two were won and one was drawn; of one in the second none.
        let found = results(&[line(
            1,
            &[
                ("train/stages/nim/seats/0/episodes", 4.0),
                ("train/stages/nim/seats/0/score_mean", 0.625),
                ("train/stages/nim/seats/0/win_share", 0.5),
                ("train/stages/nim/seats/1/episodes", 1.0),
                ("train/stages/nim/seats/1/score_mean", 0.0),
                ("train/stages/nim/seats/1/win_share", 0.0),
                ("train/stages/matrix/seats/0/episodes", 4.0),
                ("train/stages/matrix/seats/0/score_mean", 0.7),
            ],
        )]);
        let expected = [("results/nim/draw", 0.2), ("results/nim/loss", 0.4), ("results/nim/win", 0.4)];
        let values: Vec<(&str, f64)> = found[0].values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(values, expected);
    }
}
