//! What the host calls: each function finds the one table of this instance and hands over.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::exports::ludus::game::game::{Guest, Manifest, Move, Progress, Seat, Setup, Turn};
use crate::table::Table;
use crate::{Game, Random};

/// The component that [`crate::export!`] makes of a game.
pub struct Component<G>(PhantomData<G>);

thread_local! {
    // One instance plays one episode, so one table is enough. Its type depends on the game, and a static cannot.
    static TABLE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

impl<G: Game> Guest for Component<G> {
    fn describe() -> Manifest {
        manifest::<G>()
    }

    fn start(setup: Setup) -> Result<Turn, String> {
        let (table, turn) = Table::<G>::start(&setup, &mut Random::host())?;
        TABLE.set(Some(Box::new(table)));
        Ok(turn)
    }

    fn step(moves: Vec<Move>) -> Progress {
        with_table(|table: &mut Table<G>| table.step(&moves, &mut Random::host()))
    }

    fn legal_moves(seat: Seat) -> Option<Vec<String>> {
        with_table(|table: &mut Table<G>| table.game().legal_moves(seat))
    }

    fn house_move(seat: Seat, player: String) -> Result<String, String> {
        with_table(|table: &mut Table<G>| table.game().house_move(seat, &player, &mut Random::host()))
    }

    fn view(viewer: Option<Seat>) -> String {
        with_table(|table: &mut Table<G>| table.game().view(viewer))
    }
}

/// What the game says of itself, as the host reads it.
pub(crate) fn manifest<G: Game>() -> Manifest {
    let about = G::ABOUT;
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Manifest {
        name: about.name.to_owned(),
        version: about.version.to_owned(),
        summary: about.summary.to_owned(),
        seats_min: about.seats.0,
        seats_max: about.seats.1,
        steps_max: about.steps_max,
        options_schema: schemars::schema_for!(G::Options).as_value().to_string(),
        house_players: owned(about.house_players),
        abilities: owned(about.abilities),
    }
}

fn with_table<G: Game, T>(act: impl FnOnce(&mut Table<G>) -> T) -> T {
    TABLE.with_borrow_mut(|table| {
        let table =
            table.as_mut().and_then(|table| table.downcast_mut()).expect("a game is started before it is played");
        act(table)
    })
}
