//! What the rules promise, played natively.

use ludus_game::testing::{Session, check_game};
use ludus_game::{Game, Outcome, Random, Seat, Turn};

use super::*;

const WORD: &str = "violin";
const OTHER_WORD: &str = "guitar";

fn word(text: &'static str) -> Word {
    Word { text, clues: vec!["it has strings", "made of wood", "heard at concerts", "an instrument"] }
}

fn with_spy(seats: u32, spy: Seat, spy_word: &'static str, common_word: &'static str, options: Options) -> Spy {
    Spy::dealt(seats, options, Deal { spy, spy_word: word(spy_word), common_word: word(common_word) })
}

/// Plays a game without the protocol: descriptions that do not depend on roles, and votes for a wanted seat, or for the first other
/// one where that is out. Gives all that each seat reads: prompts, views and legal moves.
fn play_script(game: &mut Spy, votes: impl Fn(Seat) -> Seat) -> (Vec<Vec<String>>, Outcome) {
    let mut random = Random::seeded(0);
    let mut prompts = vec![Vec::new(); game.seats() as usize];
    loop {
        let asked = match game.turn() {
            Turn::Decide(asked) => asked,
            Turn::Over(outcome) => return (prompts, outcome),
        };
        let moves = asked.iter().map(|&seat| {
            prompts[seat as usize].push(game.prompt(seat));
            prompts[seat as usize].push(game.view(Some(seat)));
            prompts[seat as usize].push(format!("{:?}", game.legal_moves(seat)));
            let text = match game.legal_moves(seat) {
                None => format!("clue {} of player {seat}", prompts[seat as usize].len()),
                Some(legal) => Some((votes(seat) + 1).to_string())
                    .filter(|vote| legal.contains(vote))
                    .unwrap_or_else(|| legal[0].clone()),
            };
            (seat, game.parse(seat, &text).expect("a legal move"))
        });
        let moves = moves.collect();
        game.play(moves, &mut random);
    }
}

fn decided(rounds: u32) -> Options {
    Options { rounds, until: Until::Decided }
}

#[test]
fn the_game_keeps_what_every_game_promises() {
    for seats in 3..=8 {
        check_game::<Spy>(seats, "{}", 60);
        check_game::<Spy>(seats, r#"{"until":"decided","rounds":1}"#, 60);
    }
    check_game::<Spy>(8, r#"{"until":"decided","rounds":4}"#, 30);
}

#[test]
fn what_a_seat_reads_is_the_same_whether_it_is_the_spy_or_not() {
    for options in [Options::default(), decided(1), decided(2)] {
        // Seat 0 votes for the last seat, the others for seat 0: with `decided` that gives more than one vote where seat 0 is no spy.
        let votes = |seat: Seat| if seat == 0 { 3 } else { 0 };
        for seat in 1..4 {
            let spy = seat;
            let other = seat % 3 + 1;
            let (as_spy, _) = play_script(&mut with_spy(4, spy, WORD, OTHER_WORD, options.clone()), votes);
            let (as_civilian, _) = play_script(&mut with_spy(4, other, OTHER_WORD, WORD, options.clone()), votes);
            assert_eq!(as_spy[seat as usize][0], as_civilian[seat as usize][0]);
            let both = as_spy[seat as usize].len().min(as_civilian[seat as usize].len());
            assert_eq!(as_spy[seat as usize][..both], as_civilian[seat as usize][..both], "seat {seat}");
            assert!(both >= 3 * options.rounds as usize, "the whole game until a vote is compared");

            // The spy's and the civilian's prompts of one deal and its mirror image differ in nothing but the word.
            let (mirrored, _) = play_script(&mut with_spy(4, spy, OTHER_WORD, WORD, options.clone()), votes);
            let with_own_word: Vec<String> =
                mirrored[seat as usize].iter().map(|prompt| prompt.replace(OTHER_WORD, WORD)).collect();
            assert_eq!(as_spy[seat as usize], with_own_word);
        }
    }
}

#[test]
fn no_prompt_of_a_civilian_contains_the_spys_word() {
    for spy in 0..4 {
        let (prompts, _) =
            play_script(&mut with_spy(4, spy, OTHER_WORD, WORD, Options::default()), |seat| (seat + 1) % 4);
        for (seat, prompts) in prompts.iter().enumerate() {
            let unknown = if seat as Seat == spy { WORD } else { OTHER_WORD };
            assert!(prompts.iter().all(|prompt| !prompt.contains(unknown)), "{prompts:?}");
        }
    }
}

#[test]
fn seats_describe_one_at_a_time_in_order_and_vote_at_the_same_time() {
    let mut session = Session::<Spy>::start(4, "{}", 5).expect("the defaults are served");
    for _ in 0..2 {
        for seat in 0..4 {
            assert_eq!(session.asked(), [seat]);
            session.play(&["???"]);
        }
    }
    assert_eq!(session.asked(), [0, 1, 2, 3]);
    session.play(&["2", "1", "1", "1"]);
    assert!(session.outcome().is_some());
}

#[test]
fn a_seat_hears_what_the_others_said_since_it_spoke_and_each_thing_once() {
    let mut session = Session::<Spy>::start(3, "{}", 1).expect("the defaults are served");
    session.play(&["first"]);
    assert!(session.prompt(1).contains("Player 1: first\n"));
    session.play(&["second"]);
    session.play(&["third"]);
    assert_eq!(
        session.prompt(0),
        "Player 2: second\nPlayer 3: third\nRound 2 of 2. Describe your word in one short line without saying it."
    );
    session.play(&["fourth"]);
    assert!(session.prompt(1).starts_with("Player 3: third\nPlayer 1: fourth\nRound 2"));
}

#[test]
fn a_description_is_one_short_line_without_the_own_word() {
    let game = with_spy(4, 1, OTHER_WORD, WORD, Options::default());
    for refused in ["", "  \n ", "two\nlines", "It is a violin", "Violinists play it", &"a".repeat(201)] {
        assert!(game.parse(0, refused).is_err(), "{refused:?}");
    }
    for taken in ["It is not a guitar", " it has strings. ", &"é".repeat(200)] {
        assert_eq!(game.parse(0, taken), Ok(Move::Describe(taken.trim().to_owned())));
    }
    assert!(game.parse(1, "It is not a guitar").is_err(), "each seat has its own word");
}

#[test]
fn leaked_words_and_found_spies_are_counted() {
    let mut game = with_spy(3, 2, OTHER_WORD, WORD, Options { rounds: 1, until: Until::Vote });
    assert!(game.parse(0, "a violin").is_err());
    assert!(game.parse(0, "").is_err());
    let (_, outcome) = play_script(&mut game, |seat| if seat == 0 { 2 } else { 0 });
    let count = |seat: Seat, name: &str| {
        let count = outcome
            .counts
            .iter()
            .find(|count| count.seat == seat && count.name == name)
            .expect("every seat has every count");
        (count.times, count.chances)
    };
    assert_eq!((count(0, "word-leaked"), count(1, "word-leaked")), ((1, 2), (0, 1)));
    assert_eq!((count(0, "spy-found"), count(1, "spy-found"), count(2, "spy-found")), ((1, 1), (0, 1), (0, 0)));
}

#[test]
fn the_side_that_wins_the_vote_scores_one() {
    let one_round = || Options { rounds: 1, until: Until::Vote };
    let (_, found) =
        play_script(&mut with_spy(4, 3, WORD, OTHER_WORD, one_round()), |seat| if seat == 3 { 0 } else { 3 });
    assert_eq!(found.scores, [1.0, 1.0, 1.0, 0.0]);
    let (_, missed) =
        play_script(&mut with_spy(4, 3, WORD, OTHER_WORD, one_round()), |seat| if seat == 0 { 3 } else { 0 });
    assert_eq!(missed.scores, [0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn with_decided_the_game_goes_on_without_those_voted_out() {
    let mut game = with_spy(5, 3, WORD, OTHER_WORD, decided(1));
    // Everybody votes for the lowest other seat: 0 goes, then 1; with 2, 3 and 4 left, 2 goes and the spy has won.
    let lowest =
        |living: &[Seat], voter: Seat| living.iter().copied().find(|&seat| seat != voter).expect("others are left");
    let mut random = Random::seeded(9);
    let mut asked = Vec::new();
    let outcome = loop {
        match game.turn() {
            Turn::Over(outcome) => break outcome,
            Turn::Decide(seats) => {
                let voting = matches!(game.phase, Phase::Vote);
                let moves = seats.iter().map(|&seat| {
                    (seat, if voting { Move::Vote(lowest(&seats, seat)) } else { Move::Describe("?".to_owned()) })
                });
                game.play(moves.collect(), &mut random);
                asked.push(seats);
            }
        }
    };
    let votes: Vec<&Vec<Seat>> = asked.iter().filter(|seats| seats.len() > 1).collect();
    assert_eq!(votes, [&vec![0, 1, 2, 3, 4], &vec![1, 2, 3, 4], &vec![2, 3, 4]]);
    assert_eq!(asked.iter().filter(|seats| seats.len() == 1).count(), 5 + 4 + 3);
    assert_eq!(outcome.scores, [0.0, 0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn ties_are_broken_evenly() {
    let mut out_first = 0;
    for seed in 0..2000 {
        let mut game = with_spy(4, 0, WORD, OTHER_WORD, Options::default());
        game.vote(vec![(0, 1), (1, 0), (2, 1), (3, 0)], &mut Random::seeded(seed));
        out_first += u32::from(matches!(game.phase, Phase::Over { out: 0 }));
    }
    // Five standard deviations of a fair coin.
    assert!(out_first.abs_diff(1000) < 112, "{out_first}");
}

/// The exact value is derived in `vote.rs`; here the whole game is played.
#[test]
fn a_learner_among_random_voters_wins_three_eighths_of_the_games() {
    const GAMES: u32 = 20_000;
    let wins: f64 = (0..u64::from(GAMES))
        .map(|seed| {
            Session::<Spy>::start(4, r#"{"rounds":1}"#, seed)
                .expect("it is served")
                .play_out(|session, seat| session.house(seat, "random"))
                .scores[0]
        })
        .sum();
    // Five standard deviations: 5 * sqrt(0.375 * 0.625 / 20000) = 0.0171.
    let share = wins / f64::from(GAMES);
    assert!((share - 0.375).abs() < 0.0172, "{share}");
}

#[test]
fn describing_players_find_the_spy_more_often_than_chance() {
    let games = 1000;
    let found = (0..games)
        .map(|seed| {
            Session::<Spy>::start(4, "{}", seed)
                .expect("it is served")
                .play_out(|session, seat| session.house(seat, "clues"))
                .scores
        })
        .filter(|scores| scores.iter().sum::<f64>() == 3.0)
        .count();
    // Chance is a quarter; the spy often has nothing to say that fits both words.
    assert!(found > 500, "{found} of {games}");
}

#[test]
fn the_spy_sits_in_every_seat_equally_often() {
    let mut spies = [0u32; 4];
    for seed in 0..8000 {
        spies[Session::<Spy>::start(4, "{}", seed).expect("it is served").game().deal.spy as usize] += 1;
    }
    // Five standard deviations of a binomial count.
    assert!(spies.iter().all(|&count| count.abs_diff(2000) < 194), "{spies:?}");
}

#[test]
fn options_that_cannot_be_served_are_refused_with_their_name() {
    for (options, named) in [
        (r#"{"rounds":0}"#, "rounds"),
        (r#"{"rounds":9}"#, "rounds"),
        (r#"{"until":"never"}"#, "never"),
        (r#"{"spies":2}"#, "spies"),
    ] {
        let reason = Session::<Spy>::start(4, options, 0).err().expect("it is refused");
        assert!(reason.contains(named), "{reason}");
    }
}
