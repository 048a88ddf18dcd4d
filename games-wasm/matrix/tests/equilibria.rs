//! Equilibria and GIFT's scoring against numbers that were computed elsewhere.

use ludus_game::testing::Session;
use matrix::MatrixGame;
use matrix::catalogue::NAMES;
use matrix::equilibria::{Mix, support_enumeration};
use matrix::gift::{OFFSETS, may_be_negated, score, variant};
use matrix::options::GameName;

/// What nashpy 0.0.43 finds; fixtures/equilibria.py printed it.
const NASHPY: &str = include_str!("../fixtures/equilibria.txt");

/// Every variant that GIFT's rule can deal, with its probability.
fn variants() -> Vec<(GameName, bool, i64, f64)> {
    let mut variants = Vec::new();
    for name in NAMES {
        for negated in [false, true].into_iter().filter(|negated| !negated || may_be_negated(name)) {
            let probability = if may_be_negated(name) { 0.5 } else { 1.0 } / 9.0 / 3.0;
            variants.extend(OFFSETS.map(|offset| (name, negated, offset, probability)));
        }
    }
    variants
}

fn kebab(name: GameName) -> String {
    serde_json::to_value(name).expect("a name").as_str().expect("text").to_owned()
}

#[test]
fn every_equilibrium_of_every_variant_is_nashpys_in_nashpys_order() {
    let text = |mix: &Mix| {
        mix.probabilities().iter().map(|probability| format!("{probability:.6}")).collect::<Vec<_>>().join(" ")
    };
    let mut lines = String::new();
    for (name, negated, offset, _) in variants() {
        for equilibrium in support_enumeration(&variant(name, negated, offset)) {
            let (first, second) = (text(&equilibrium.first), text(&equilibrium.second));
            lines += &format!("{} | {} | {offset} | {first} | {second}\n", kebab(name), u8::from(negated));
        }
    }
    assert_eq!(lines, NASHPY);
}

#[test]
fn gift_scoring_gives_52_8_percent_to_a_constant_and_39_4_to_chance() {
    let (mut constant, mut uniform, mut total) = (0.0, 0.0, 0.0);
    for (name, negated, offset, probability) in variants() {
        let game = variant(name, negated, offset);
        let equilibria = support_enumeration(&game);
        let last = equilibria.last().expect("an equilibrium");
        for (mix, actions) in [(&last.first, game.actions()), (&last.second, game.replies())] {
            let scores: Vec<f64> = (0..actions).map(|action| score(Some(mix), [(action, 0)].into_iter())).collect();
            constant += probability / 2.0 * scores[1];
            uniform += probability / 2.0 * scores.iter().sum::<f64>() / actions as f64;
            total += probability / 2.0;
        }
    }
    assert!((total - 1.0).abs() < 1e-12);
    assert!((constant - 0.528).abs() < 0.0005, "{constant}");
    assert!((uniform - 0.394).abs() < 0.0005, "{uniform}");
}

#[test]
fn dealt_gift_episodes_average_to_the_same_numbers() {
    let options = r#"{"game": "random", "scoring": "gift"}"#;
    let (mut constant, mut uniform) = (0.0, 0.0);
    const EPISODES: u64 = 4_000;
    for seed in 0..EPISODES {
        let session = Session::<MatrixGame>::start(2, options, seed).expect("it starts");
        let outcome =
            session.play_out(|session, seat| if seat == 0 { "B".to_owned() } else { session.random_move(seat) });
        constant += outcome.scores[0] / EPISODES as f64;
        uniform += outcome.scores[1] / EPISODES as f64;
    }
    // Six standard deviations of a mean of 4,000 hits: 0.047.
    assert!((constant - 0.528).abs() < 0.047 && (uniform - 0.394).abs() < 0.047, "{constant} {uniform}");
}

#[test]
fn battle_of_the_sexes_rewards_miscoordination_under_gift_scoring() {
    let equilibria = support_enumeration(&variant(GameName::BattleOfTheSexes, false, 0));
    let last = equilibria.last().expect("an equilibrium");
    assert_eq!((last.first.likeliest(), last.second.likeliest()), (0, 1));
}
