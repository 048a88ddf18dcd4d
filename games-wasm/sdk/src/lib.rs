//! What a game is written against: implement [`Game`], then `ludus_game::export!(MyGame);` makes it a component.
//!
//! A game is rules and words, nothing else: it has no clock, no files and no randomness but the [`Random`] it is handed.
//! This crate does the rest of the contract in `wit/game.wit`: it reads the options, gathers the moves of seats that move
//! at the same time, asks a seat again whose move was refused, and describes the game to the host.
//!
//! ```text
//! lib.rs        the trait and the types that an author sees
//! allocator.rs  memory for one short episode
//! table.rs      the protocol between host and game: who is asked, whose move is there
//! random.rs     draws, from the host in a component, from a seed in a test
//! component.rs  what the host calls, in terms of a game
//! exported.rs   the exported functions
//! testing.rs    plays a game natively, for its tests
//! ```

#[cfg_attr(not(any(target_arch = "wasm32", test)), expect(dead_code, reason = "components use it"))]
mod allocator;
pub mod bindings;
#[doc(hidden)]
pub mod component;
#[doc(hidden)]
pub mod exported;
mod random;
mod table;
pub mod testing;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use bindings::exports::ludus::game::game::{Count, Outcome};
pub use random::Random;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator::new();

/// A place at the table, counted from 0.
pub type Seat = u32;

/// What a game says of itself; it goes to the manifest.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Kebab-case, as people type it: `tictactoe`.
    pub name: &'static str,
    /// Semantic version of the rules: `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// One line for people.
    pub summary: &'static str,
    /// Fewest and most seats.
    pub seats: (u32, u32),
    /// No episode takes more calls of `step`, those that refuse a move not counted.
    pub steps_max: u32,
    /// Players that the game itself supplies. One that takes an argument is listed without it:
    /// `fallible` here, `fallible:0.3` in [`Game::house_move`].
    pub house_players: &'static [&'static str],
    /// The abilities that it trains: `planning`, `social-reasoning`.
    pub abilities: &'static [&'static str],
}

/// Who moves now, or how it ended.
#[derive(Clone, Debug)]
pub enum Turn {
    /// These seats move, all at the same time; in rising order, never empty.
    Decide(Vec<Seat>),
    Over(Outcome),
}

/// The rules of a game and the words it is told in. One value plays one episode.
pub trait Game: Sized + 'static {
    const ABOUT: About;

    /// Derive `Deserialize`, `Serialize`, `JsonSchema` and `Default`, with `#[serde(default, deny_unknown_fields)]`: then each
    /// option has a default and the schema shows it. Field comments become the descriptions that people read.
    type Options: DeserializeOwned + JsonSchema;

    /// A move as the rules know it, after [`Game::parse`].
    type Move;

    /// Deals the episode. The host has checked the options against their schema and the seats against [`About::seats`].
    ///
    /// # Errors
    /// One sentence that names the option that cannot be served, and says what would do.
    fn start(seats: u32, options: Self::Options, random: &mut Random) -> Result<Self, String>;

    /// Who moves now, or how it ended. Asked after `start` and after each `play`; changes nothing.
    fn turn(&self) -> Turn;

    /// All that this seat, and no other, newly gets to know: the rules in its first request, then what happened since its
    /// last one, the position, and what is asked. Called once for each decision of a seat.
    fn prompt(&mut self, seat: Seat) -> String;

    /// What a seat reads when its move was refused. The host shows the reason before it.
    fn ask_again(&self, _seat: Seat) -> String {
        "Move again.".to_owned()
    }

    /// Reads a move: lenient about white space, case and a final full stop (see [`plain`]), strict otherwise.
    ///
    /// # Errors
    /// Why it is no legal move, in a sentence for the player. Nothing has changed then.
    fn parse(&self, seat: Seat, text: &str) -> Result<Self::Move, String>;

    /// Plays one legal move of each seat that was asked, in seat order.
    fn play(&mut self, moves: Vec<(Seat, Self::Move)>, random: &mut Random);

    /// Every legal move of a seat that is asked now, or `None` where any text may be one.
    fn legal_moves(&self, seat: Seat) -> Option<Vec<String>>;

    /// The move that one of [`About::house_players`] would make in this seat now.
    ///
    /// # Errors
    /// A sentence for a player that is not listed, or an argument that makes no sense.
    fn house_move(&self, seat: Seat, player: &str, random: &mut Random) -> Result<String, String>;

    /// The position as one seat sees it, or as an onlooker who sees all; for people.
    fn view(&self, viewer: Option<Seat>) -> String;
}

/// A move's text without what does not matter: surrounding white space, a final full stop, upper case (of ASCII letters).
///
/// ```
/// assert_eq!(ludus_game::plain(" Cooperate. "), "cooperate");
/// ```
pub fn plain(text: &str) -> String {
    let text = text.trim();
    text.strip_suffix('.').unwrap_or(text).trim_end().to_ascii_lowercase()
}
