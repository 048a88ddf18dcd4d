//! `ludus games`: what there is to play.

use std::io::Write as _;
use std::process::ExitCode;

use ludus_host::component::Component;
use ludus_host::manifest::Manifest;
use ludus_host::options::options;
use ludus_host::shown;
use serde_json::{Value, json};

use crate::Places;
use crate::commands::open_library;
use crate::terminal::{BOLD, Columns, DIM, clean, complain, output, styled};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ludus games\n  ludus games tictactoe\n  ludus games --json\n  ludus --games ./mine games"
)]
pub struct Arguments {
    /// A game's name or a component's file: shows what it is and which options it has [default: a list of all]
    game: Option<String>,
    /// Print everything that the games say of themselves, as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let library = open_library(places)?;
    if let Some(game) = &arguments.game {
        let component = library.game(game)?;
        return show(&component, arguments.json);
    }
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
        rows.row(vec![
            name,
            manifest.version.clone(),
            component.hash.short(),
            seats(manifest),
            manifest.house_players.join(", "),
            manifest.abilities.join(", "),
        ]);
        let mut words = described_in_json(&component);
        words["file"] = json!(path);
        described.push(words);
    }
    if described.is_empty() && !refused {
        if let Some(missing) = places.games_dirs.iter().find(|folder| !folder.is_dir()) {
            anyhow::bail!(
                "there is no folder {}, where games were looked for; name another with --games",
                missing.display()
            );
        }
        anyhow::bail!("there are no games here; `./just games` builds ours, and --games names a folder of others");
    }
    let mut output = output();
    if arguments.json {
        writeln!(output, "{}", shown::json(&described)?)?;
    } else if !described.is_empty() {
        rows.write(&mut output)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One game in full.
fn show(component: &Component, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut output = output();
    if as_json {
        writeln!(output, "{}", shown::json(&described_in_json(component))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let manifest = &component.manifest;
    writeln!(output, "{} {}  {}", styled(BOLD, &manifest.name), clean(&manifest.version), styled(DIM, component.hash))?;
    writeln!(output, "{}\n", clean(&manifest.summary))?;
    let none_or = |words: &[String]| if words.is_empty() { "none".to_string() } else { words.join(", ") };
    for (title, words) in [
        ("seats", seats(manifest)),
        ("steps at most", manifest.steps_max.to_string()),
        ("house players", none_or(&manifest.house_players)),
        ("abilities", none_or(&manifest.abilities)),
    ] {
        writeln!(output, "{title:<15}{}", clean(&words))?;
    }
    let options = options(&manifest.options_schema);
    writeln!(output)?;
    if options.is_empty() {
        writeln!(output, "It has no options.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = Columns::new(&["option", "may be", "default", "what it is"]);
    for option in options {
        rows.row(vec![option.name, option.allowed, option.default, option.description]);
    }
    rows.write(&mut output)?;
    Ok(ExitCode::SUCCESS)
}

fn seats(manifest: &Manifest) -> String {
    match (manifest.seats_min, manifest.seats_max) {
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least}-{most}"),
    }
}

fn described_in_json(component: &Component) -> Value {
    let manifest = &component.manifest;
    json!({
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
    })
}
