//! `ludus games`: what there is to play.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::json;

use crate::Places;
use crate::commands::open_library;
use crate::terminal::{Columns, complain, output};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  ludus games\n  ludus games --json\n  ludus --games ./mine games")]
pub struct Arguments {
    /// Print everything that the games say of themselves, as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let library = open_library(places)?;
    let mut rows = Columns::new(&["name", "version", "hash", "seats", "house players", "abilities"]);
    let mut described = Vec::new();
    let mut refused = false;
    for (path, loaded) in library.list() {
        let component = match loaded {
            Ok(component) => component,
            Err(error) => {
                complain(&error);
                refused = true;
                continue;
            }
        };
        let manifest = &component.manifest;
        // A game is asked for by its file, whatever it calls itself.
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = if file == manifest.name { file } else { format!("{file} ({})", manifest.name) };
        let seats = match (manifest.seats_min, manifest.seats_max) {
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least}-{most}"),
        };
        rows.row(vec![
            name,
            manifest.version.clone(),
            component.hash.short(),
            seats,
            manifest.house_players.join(", "),
            manifest.abilities.join(", "),
        ]);
        described.push(json!({
            "file": path,
            "name": manifest.name,
            "version": manifest.version,
            "hash": component.hash,
            "summary": manifest.summary,
            "seats_min": manifest.seats_min,
            "seats_max": manifest.seats_max,
            "steps_max": manifest.steps_max,
            "house_players": manifest.house_players,
            "abilities": manifest.abilities,
            "options_schema": manifest.options_schema,
        }));
    }
    if described.is_empty() && !refused {
        anyhow::bail!("there are no games here; `just games` builds ours, and --games names a folder of others");
    }
    let mut output = output();
    if arguments.json {
        writeln!(output, "{}", serde_json::to_string_pretty(&described)?)?;
    } else if !described.is_empty() {
        rows.write(&mut output)?;
    }
    Ok(ExitCode::SUCCESS)
}
