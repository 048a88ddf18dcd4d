//! The words that the game is told in.
//!
//! Nothing here depends on who the spy is: a prompt is made of the seat's own word, of what was said and of the votes. A test
//! swaps the roles and compares.

use ludus_game::{Outcome, Seat};

use crate::options::{Options, Until};
use crate::vote::listed;
use crate::{Deal, Event};

/// What a seat reads first.
pub fn rules(seat: Seat, seats: u32, options: &Options, word: &str) -> String {
    let times = match options.rounds {
        1 => "Each describes its word once".to_owned(),
        rounds => format!("Each describes its word {rounds} times"),
    };
    let end = match options.until {
        Until::Vote => "then all vote. If the spy is voted out the others win, else the spy wins.",
        Until::Decided => {
            "then all vote one out, and so on. If the spy is voted out the others win; with two players left the spy wins."
        }
    };
    format!(
        "Who's the Spy, {seats} players. You are player {}. One player is the spy and has a similar word; all others have the same \
         word. Nobody knows who it is; it may be you. {times}, {end}\nYour word: {word}\n",
        seat + 1
    )
}

/// One thing that happened, for everybody.
pub fn event(event: &Event) -> String {
    match event {
        Event::Said(seat, description) => format!("Player {}: {description}\n", seat + 1),
        Event::Voted { votes, out } => {
            let votes: Vec<String> =
                votes.iter().map(|(voter, voted)| format!("player {} for {}", voter + 1, voted + 1)).collect();
            format!("Votes: {}. Player {} is out.\n", votes.join(", "), out + 1)
        }
    }
}

pub fn describe_question(round: u32, rounds: u32) -> String {
    format!("Round {round} of {rounds}. Describe your word in one short line without saying it.")
}

pub fn vote_question(choices: &[Seat]) -> String {
    format!("Who is the spy? Reply with one player's number: {}.", listed(choices))
}

/// How it ended, for people.
pub fn summary(deal: &Deal, out: Seat, spy_wins: bool) -> String {
    let [spy, common] = [deal.spy_word.text, deal.common_word.text];
    let winner = if spy_wins { "the spy wins" } else { "the others win" };
    format!("player {} was the spy ({spy}, not {common}), player {} is voted out: {winner}", deal.spy + 1, out + 1)
}

/// All of a game that an onlooker may see: everything, or what one seat knows.
pub fn view(deal: &Deal, seats: u32, viewer: Option<Seat>, events: &[Event], ending: Option<&Outcome>) -> String {
    let mut view = match viewer {
        Some(seat) => format!("You are player {}. Your word: {}\n", seat + 1, deal.word(seat).text),
        None => (0..seats)
            .map(|seat| {
                format!(
                    "Player {} has {}{}\n",
                    seat + 1,
                    deal.word(seat).text,
                    if seat == deal.spy { " (spy)" } else { "" }
                )
            })
            .collect(),
    };
    view.extend(events.iter().map(event));
    view.extend(ending.map(|outcome| format!("It is over: {}\n", outcome.summary)));
    view.truncate(view.trim_end().len());
    view
}
