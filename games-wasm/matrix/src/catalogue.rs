//! The nine matrices. The first player chooses the row, the second the column.

use crate::bimatrix::Bimatrix;
use crate::options::GameName;

/// All of them, in the order of the literature's list; the first seven may be negated by `gift` scoring.
pub const NAMES: [GameName; 9] = [
    GameName::PrisonersDilemma,
    GameName::BattleOfTheSexes,
    GameName::Chicken,
    GameName::StagHunt,
    GameName::RadioStation,
    GameName::Iesds,
    GameName::Duopoly,
    GameName::ThreeByFour,
    GameName::WeaklyDominated,
];

/// The payoffs of a game.
///
/// # Panics
/// For `random`, which is no game but a wish.
pub fn bimatrix(name: GameName) -> Bimatrix {
    match name {
        GameName::Random => panic!("a random game is drawn first"),
        GameName::PrisonersDilemma => Bimatrix::new(&[&[3, 0], &[5, 1]], &[&[3, 5], &[0, 1]]),
        GameName::BattleOfTheSexes => Bimatrix::new(&[&[2, 0], &[0, 1]], &[&[1, 0], &[0, 2]]),
        GameName::Chicken => Bimatrix::new(&[&[-10, 1], &[-1, 0]], &[&[-10, -1], &[1, 0]]),
        GameName::StagHunt => Bimatrix::new(&[&[3, 0], &[1, 1]], &[&[3, 1], &[0, 1]]),
        GameName::RadioStation => Bimatrix::new(
            &[&[25, 50, 50], &[30, 15, 30], &[20, 20, 10]],
            &[&[25, 30, 20], &[50, 15, 20], &[50, 30, 10]],
        ),
        GameName::Iesds => {
            Bimatrix::new(&[&[13, 1, 7], &[4, 3, 6], &[-1, 2, 8]], &[&[3, 4, 3], &[1, 3, 2], &[2, 3, -1]])
        }
        GameName::Duopoly => Bimatrix::new(
            &[
                &[0, 0, 0, 0, 0, 0],
                &[9, 7, 5, 3, 1, -1],
                &[14, 10, 6, 2, -2, -2],
                &[15, 9, 3, -3, -3, -3],
                &[12, 4, -4, -4, -4, -4],
                &[5, -5, -5, -5, -5, -5],
            ],
            &[
                &[0, 9, 14, 15, 12, 5],
                &[0, 7, 10, 9, 4, -5],
                &[0, 5, 6, 3, -4, -5],
                &[0, 3, 2, -3, -4, -5],
                &[0, 1, -2, -3, -4, -5],
                &[0, -1, -2, -3, -4, -5],
            ],
        ),
        GameName::ThreeByFour => Bimatrix::new(
            &[&[1, -1, 5, 1], &[2, 1, 3, 5], &[1, 0, 1, 0]],
            &[&[1, 2, 0, 1], &[3, 2, 0, 1], &[1, 5, 7, 1]],
        ),
        GameName::WeaklyDominated => Bimatrix::new(&[&[5, 4], &[6, 3], &[6, 4]], &[&[1, 0], &[0, 1], &[4, 1]]),
    }
}
