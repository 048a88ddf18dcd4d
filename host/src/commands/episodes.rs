//! `ludus episodes`: lists what is in the store.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use ludus_host::catalogue::{Filter, Listed};
use ludus_host::shown;
use ludus_host::store::Store;
use serde_json::json;

use crate::Places;
use crate::clock;
use crate::commands::BROKEN;
use crate::terminal::{self, Columns, DIM, complain, styled};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ludus episodes --game spy --limit 5\n  ludus episodes --run first-try --min-return 0.9\n  ludus episodes --fault --json"
)]
pub struct Arguments {
    /// Only those with a stage of this game
    #[arg(long, value_name = "NAME")]
    game: Option<String>,
    /// Only those of this run
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Only those in which a game misbehaved
    #[arg(long)]
    fault: bool,
    /// Only those with at least this return
    #[arg(long, value_name = "RETURN", allow_negative_numbers = true)]
    min_return: Option<f64>,
    /// At most so many, the newest first; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
    /// Print everything that the store knows of them besides the records, as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(least) = arguments.min_return.filter(|least| !least.is_finite()) {
        bail!("--min-return is {least}, but must be a number like 0.5");
    }
    let store = Store::open_read_only(&places.store)?;
    // One more than wanted tells whether there are more.
    let limit = (arguments.limit > 0).then_some(arguments.limit.saturating_add(1));
    let mut listed = store.list(&Filter {
        game: arguments.game.clone(),
        run: arguments.run.clone(),
        faults_only: arguments.fault,
        return_min: arguments.min_return,
        limit,
    })?;
    let there_are_more = limit.is_some_and(|limit| listed.len() == limit);
    if there_are_more {
        listed.pop();
    }
    let (readable, broken): (Vec<_>, Vec<_>) = listed.into_iter().partition(Result::is_ok);
    let listed: Vec<Listed> = readable.into_iter().flatten().collect();
    write(&listed, there_are_more, arguments.json, broken.is_empty())?;
    if listed.is_empty() && broken.is_empty() && !arguments.json {
        writeln!(terminal::output(), "{}", what_there_is(&store)?)?;
    }
    broken.iter().flat_map(|entry| entry.as_ref().err()).for_each(|error| complain(error));
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(BROKEN) })
}

/// The games and runs of a store's newest episodes, for whoever asked for others.
fn what_there_is(store: &Store) -> anyhow::Result<String> {
    let all: Vec<Listed> =
        store.list(&Filter { limit: Some(10_000), ..Filter::default() })?.into_iter().flatten().collect();
    let names = |of: &dyn Fn(&Listed) -> Vec<String>| {
        let names: BTreeSet<String> = all.iter().flat_map(of).filter(|name| !name.is_empty()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let games = names(&|episode| episode.result.stages.iter().map(|stage| stage.game.clone()).collect());
    let runs = names(&|episode| vec![episode.labels.run.clone()]);
    Ok(match (games.is_empty(), runs.is_empty()) {
        (true, _) => "The store has no episodes.".to_string(),
        (false, true) => format!("The store has episodes of {games}."),
        (false, false) => format!("The store has episodes of {games}, from the runs {runs}."),
    })
}

fn write(listed: &[Listed], there_are_more: bool, as_objects: bool, is_whole: bool) -> anyhow::Result<()> {
    let mut output = terminal::output();
    if as_objects {
        let all: Vec<serde_json::Value> = listed.iter().map(as_json).collect();
        writeln!(output, "{}", shown::json(&all)?)?;
        return Ok(());
    }
    if listed.is_empty() && is_whole {
        writeln!(output, "No episode passes this filter.")?;
        return Ok(());
    }
    let mut rows = Columns::new(&["hash", "made (UTC)", "task", "run", ">step", ">seed", ">return", "stages"]);
    for episode in listed {
        rows.row(row(episode));
    }
    rows.write(&mut output)?;
    if there_are_more {
        writeln!(output, "{}", styled(DIM, "There are more; --limit 0 lists all."))?;
    }
    Ok(())
}

fn row(episode: &Listed) -> Vec<String> {
    let mut stages: Vec<String> =
        episode.result.stages.iter().map(|stage| format!("{} {:.2}", stage.game, stage.score)).collect();
    stages.extend(episode.fault_kind.iter().map(|kind| format!("fault: {kind}")));
    vec![
        episode.hash.short(),
        clock::written(episode.created_at_s),
        episode.labels.task.clone(),
        episode.labels.run.clone(),
        episode.labels.step.map(|step| step.to_string()).unwrap_or_default(),
        episode.seed.to_string(),
        format!("{:.3}", episode.result.task_return),
        stages.join(", "),
    ]
}

fn as_json(episode: &Listed) -> serde_json::Value {
    json!({
        "hash": episode.hash,
        "task": episode.labels.task,
        "run": episode.labels.run,
        "step": episode.labels.step,
        "seed": episode.seed,
        "member": episode.member,
        "result": episode.result,
        "fault_kind": episode.fault_kind,
        "fault_detail": episode.fault_detail,
        "engine": episode.engine,
        "created_at_s": episode.created_at_s,
    })
}
