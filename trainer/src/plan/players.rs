//! Who may sit in the seats of a recipe's stages.

use ludus_host::player::Player;
use ludus_host::task::OnIllegal;

use super::PlanError;
use super::check::need;
use crate::opponents::PAST;
use crate::recipe::Recipe;

/// Checks the players of one stage; whether a game has a house player is checked with its task.
///
/// # Errors
/// Names the key and the first player that cannot sit there.
pub fn check(recipe: &Recipe, index: usize) -> Result<(), PlanError> {
    let stage = &recipe.stages[index];
    for (key, texts) in [("players", &stage.players), ("evaluate", &stage.evaluate)] {
        let key = format!("stage.{index}.{key}");
        for text in texts {
            // What is no player at all is refused in the game's own words, with the task.
            let Ok(player) = Player::parse(text) else { continue };
            let is_self = player == Player::Learner;
            need(player != Player::Person, &key, text, "nobody sits at a training run: name a player")?;
            need(
                !is_self || !key.ends_with("evaluate"),
                &key,
                text,
                "an evaluation needs somebody to play against: name another player, such as \"random\" or a model of [models]",
            )?;
            need(
                !is_self || stage.on_illegal == OnIllegal::Random,
                &format!("stage.{index}.on_illegal"),
                "forfeit",
                "in self-play a forfeit would decide the game for the other seat: write \"random\"",
            )?;
            if let Player::Endpoint(name) = &player {
                let known = recipe.endpoints.contains_key(name);
                need(
                    known,
                    &key,
                    text,
                    "describe it in a table of its own, [endpoints.NAME] with a `url` and a `model`",
                )?;
            }
            let Player::Model(name) = &player else { continue };
            if name == PAST {
                need(!key.ends_with("evaluate"), &key, text, "the past selves of a run play only in its training")?;
                need(
                    recipe.self_play.every > 0,
                    "self_play.every",
                    0,
                    "`model:past` needs snapshots: write 1 or more",
                )?;
            } else {
                let known = recipe.models.contains_key(name);
                need(known, &key, text, "describe the model in a table of its own, [models.NAME] with a `source`")?;
            }
        }
    }
    let reserved = recipe.models.contains_key(PAST);
    need(!reserved, "models", PAST, "this name is that of the run's own past: choose another")
}

/// A player that is measured in the learner's place.
///
/// # Errors
/// Where it is none that the host plays by itself.
pub fn reference(stage: usize, text: &str) -> Result<Player, PlanError> {
    let player = Player::parse(text).ok().filter(|player| !player.is_external());
    let key = format!("stage.{stage}.references");
    player.ok_or_else(|| PlanError::OutOfRange {
        key,
        value: text.into(),
        allowed: "write `random`, `house:NAME`, `search:PLAYOUTS` or `script:MOVE,MOVE`",
    })
}
