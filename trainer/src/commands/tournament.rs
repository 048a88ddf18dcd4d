//! `ludus-train tournament GAME PLAYER PLAYER…`: everybody against everybody, and ratings.

use ludus_host::player::{Player, PlayerError};
use ludus_host::suggest;
use ludus_trainer::progress::Display;
use ludus_trainer::recipe::read;
use ludus_trainer::tournament::{self, Entrant, Who};
use ludus_trainer::watch::{Phase, Watch as _};

use super::model_names::short_names;
use super::output::{FilesToo, print};
use super::{Places, RecipeArguments};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A game for two that the recipe or the suite has
    game: String,
    /// Who takes part: random, house:NAME, script:MOVE,MOVE, search:PLAYOUTS, or a model (a checkpoint's folder, or whatever
    /// model.source of a recipe may be)
    #[arg(required = true, num_args = 2.., value_name = "PLAYER")]
    players: Vec<String>,
    /// Games of each pair, an even number: half of them from either side
    #[arg(long, short = 'n', default_value_t = 100, value_parser = even)]
    episodes: u32,
    /// The suite whose stage says how models are asked
    #[arg(long, value_name = "NAME", default_value = "ladder")]
    suite: String,
    /// A recipe that says it instead: a path, or the name of a shipped one
    #[arg(long, conflicts_with = "suite")]
    recipe: Option<String>,
    #[command(flatten)]
    changes: RecipeArguments,
    #[command(flatten)]
    files: FilesToo,
}

const EXAMPLES: &str = "Examples:
  ludus-train tournament tictactoe random house:fallible:0.5 house:optimal search:100
  ludus-train tournament tictactoe random house:optimal smollm2-135m-instruct .ludus/runs/quickstart/checkpoints/step-000024 \\
      --recipe quickstart";

fn even(text: &str) -> Result<u32, String> {
    let number = text.parse::<u32>().ok().filter(|number| *number >= 2 && number.is_multiple_of(2));
    number
        .ok_or_else(|| "half of the games are played from either side: it must be an even number from 2 on".to_owned())
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<()> {
    let files = arguments.files.open()?;
    let (recipe, place) = match &arguments.recipe {
        Some(recipe) => (arguments.changes.read(recipe)?, format!("recipe {recipe}")),
        None => (read::suite(&arguments.suite, arguments.changes.assignments())?, format!("suite {}", arguments.suite)),
    };
    let mut recipe = tournament::stage_alone(recipe, &place, &arguments.game)?;
    recipe.evaluation.episodes = arguments.episodes;
    let library = super::open_library(places)?;
    let entrants = entrants(&arguments.players)?;
    let mut display = Display::new(0);
    let played =
        tournament::play(&recipe, &entrants, &library, &mut |done, of| display.progress(Phase::Evaluation, done, of))?;
    display.finish();
    print(played.table())?;
    files.write(&played, || played.markdown())
}

/// What does not even begin like a player of the host's is a model.
fn entrants(texts: &[String]) -> anyhow::Result<Vec<Entrant>> {
    let names = short_names(texts);
    let mut entrants: Vec<Entrant> = Vec::new();
    for (text, name) in texts.iter().zip(names) {
        let entrant = match Player::parse(text) {
            Ok(player) if !player.is_external() => Entrant { name: text.clone(), who: Who::Sandboxed(player) },
            Ok(_) | Err(PlayerError::NamelessModel(_)) => {
                anyhow::bail!("`{text}` cannot take part: name a player of the host's, or a model")
            }
            Err(PlayerError::Unknown(_)) => {
                // No model has a colon in its name; a mistyped player may.
                if let Some((kind, rest)) = text.split_once(':')
                    && let Some(kind) = suggest::nearest(kind, ["house", "script", "search"])
                {
                    anyhow::bail!("there is no player `{text}`; did you mean `{kind}:{rest}`?");
                }
                Entrant { name, who: Who::Model(text.clone()) }
            }
            Err(error) => return Err(error.into()),
        };
        anyhow::ensure!(!entrants.contains(&entrant), "`{text}` is named twice: name each player once");
        entrants.push(entrant);
    }
    Ok(entrants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_a_player_is_refused_as_one_and_anything_else_is_a_model() {
        let sentence = |text: &str| entrants(&["random".to_owned(), text.to_owned()]).unwrap_err().to_string();
        for text in ["search:0", "search:99999999999999999999", "search:"] {
            assert!(sentence(text).contains("does not say how many playouts; write `search:100`"), "{text}");
        }
        assert!(sentence("script:").contains("has no moves"));
        assert!(sentence("house:").contains("names no house player"));
        for text in ["learner", "endpoint:", "model:past"] {
            assert_eq!(sentence(text), format!("`{text}` cannot take part: name a player of the host's, or a model"));
        }
        assert_eq!(sentence("hose:optimal"), "there is no player `hose:optimal`; did you mean `house:optimal`?");
        assert_eq!(sentence("random"), "`random` is named twice: name each player once");
        let models = entrants(&["runs/a/step-2".to_owned(), "runs/b/step-2".to_owned()]).unwrap();
        assert_eq!(models[1], Entrant { name: "b/step-2".into(), who: Who::Model("runs/b/step-2".into()) });
    }

    #[test]
    fn the_number_of_games_can_be_halved() {
        assert_eq!(even("2"), Ok(2));
        for text in ["3", "1", "0", "-2", "2.0", "many", "99999999999"] {
            assert!(even(text).is_err_and(|sentence| sentence.contains("an even number")), "{text}");
        }
    }
}
