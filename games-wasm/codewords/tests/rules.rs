//! The game as its two players meet it.

use codewords::lexicon::{Word, words};
use codewords::options::Options;
use codewords::{Board, Card, Codewords, GIVER, GUESSER, Role};
use ludus_game::testing::{Session, check_game};
use ludus_game::{Game, Outcome, Random, Turn};

use Role::{Other, Target, Trap};

fn word(text: &str) -> Word {
    words().into_iter().find(|word| word.text == text).expect("a word of the lexicon")
}

fn board(cards: &[(&str, Role)]) -> Board {
    let card = |&(text, role): &(&str, Role)| Card { word: word(text), role, guessed: false };
    Board { cards: cards.iter().map(card).collect() }
}

/// Lion, piano and tiger are to be found; drum is the trap.
fn dealt() -> Codewords {
    let cards =
        [("piano", Target), ("apple", Other), ("lion", Target), ("drum", Trap), ("moon", Other), ("tiger", Target)];
    Codewords::dealt(Options { words: 6, targets: 3, traps: 1, clues: 3 }, board(&cards))
}

/// Plays moves in turn and gives what each mover was asked before.
fn play(game: &mut Codewords, texts: &[&str]) -> Vec<String> {
    let mut prompts = Vec::new();
    for text in texts {
        let Turn::Decide(seats) = game.turn() else { panic!("it is over before {text}") };
        prompts.push(game.prompt(seats[0]));
        let made = game.parse(seats[0], text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        game.play(vec![(seats[0], made)], &mut Random::seeded(0));
    }
    prompts
}

fn outcome(game: &Codewords) -> Outcome {
    let Turn::Over(outcome) = game.turn() else { panic!("it is not over") };
    outcome
}

fn counts(outcome: &Outcome) -> Vec<(u32, &str, u32, u32)> {
    outcome.counts.iter().map(|count| (count.seat, count.name.as_str(), count.times, count.chances)).collect()
}

#[test]
fn every_shape_keeps_every_promise() {
    check_game::<Codewords>(2, "{}", 300);
    check_game::<Codewords>(2, r#"{"words": 25, "targets": 9, "traps": 3, "clues": 9}"#, 100);
    check_game::<Codewords>(2, r#"{"words": 6, "targets": 1, "traps": 0, "clues": 1}"#, 100);
}

#[test]
fn each_seat_reads_its_rules_once_then_the_news_and_what_is_asked() {
    let mut game = dealt();
    let prompts = play(&mut game, &["animal 2", "lion", "apple", "music 1"]);
    assert_eq!(
        prompts[0],
        "Codewords: two players win or lose together. Of 6 words 3 are targets and 1 is a trap. Only you know which. You give a \
         clue: one word, and how many targets it fits. The other player then guesses up to so many words, one at a time; a wrong \
         one ends the turn. Guessing a trap loses everything. Find all targets with 3 clues. Answer with a word that is not on \
         the board and a number, such as music 2.\n\
         Targets: piano, lion, tiger\nTraps: drum\nOthers: apple, moon\nClues left: 3. What is your clue?"
    );
    assert_eq!(
        prompts[1],
        "Codewords: two players win or lose together. Of 6 words 3 are targets and 1 is a trap. Only the other player knows \
         which, and gives clues: one word, and how many targets it fits. You then guess up to so many words, one at a time; a \
         wrong one ends the turn. Guessing a trap loses everything. Find all targets with 3 clues. Answer with one word of the \
         board.\n\
         Words: piano, apple, lion, drum, moon, tiger\nThe clue is animal 2. Guess 1 of 2: one of the words."
    );
    assert_eq!(
        prompts[2],
        "Guess: lion, a target\nWords: piano, apple, drum, moon, tiger\nThe clue is animal 2. Guess 2 of 2: one of the words, or \
         stop."
    );
    assert_eq!(
        prompts[3],
        "Guess: lion, a target\nGuess: apple, wrong\nTargets: piano, tiger\nTraps: drum\nOthers: moon\nClues left: 2. What is \
         your clue?"
    );
    assert!(
        game.prompt(GUESSER).starts_with("Guess: apple, wrong\nWords: piano, drum, moon, tiger\nThe clue is music 1.")
    );
}

#[test]
fn both_score_the_share_of_targets_found_and_counts_tell_who_did_what() {
    let mut game = dealt();
    // Understood; ended by a wrong word; ended by the guesser.
    play(&mut game, &["roar 2", "lion", "tiger", "key 1", "moon", "black 1", "piano"]);
    let all = outcome(&game);
    assert_eq!(
        (all.scores.as_slice(), all.summary.as_str()),
        (&[1.0, 1.0][..], "all targets are found: 3 of 3 targets with 3 clues")
    );
    assert_eq!(counts(&all), [(0, "clues-understood", 2, 3), (1, "guesses-right", 3, 4)]);

    let mut game = dealt();
    play(&mut game, &["roar 2", "lion", "stop", "night 1", "moon", "fruit 1", "apple"]);
    let third = outcome(&game);
    assert_eq!(third.scores, [1.0 / 3.0; 2]);
    assert_eq!(third.summary, "the clues are used up: 1 of 3 targets with 3 clues");
    assert_eq!(counts(&third), [(0, "clues-understood", 0, 3), (1, "guesses-right", 1, 3)]);
}

#[test]
fn a_trap_ends_the_game_with_nothing() {
    let mut game = dealt();
    play(&mut game, &["music 2", "piano", "drum"]);
    assert_eq!(outcome(&game).scores, [0.0, 0.0]);
    assert_eq!(outcome(&game).summary, "a trap is guessed: 1 of 3 targets with 1 clues");
}

#[test]
fn refused_clues_and_guesses_say_why_and_change_nothing() {
    let mut session = Session::<Codewords>::start(2, "{}", 5).expect("it starts");
    let view = session.game_view();
    let on_board = session.game().view(Some(GUESSER))["Words: ".len()..].split(", ").next().expect("a word").to_owned();
    for text in
        ["", "music", "3", "two words 2", "music 0", "music 6", &format!("{on_board} 1"), &format!("x{on_board} 1")]
    {
        assert_eq!(session.step(&[text]).len(), 1, "{text:?}");
        assert_eq!((session.asked(), session.game_view()), (vec![GIVER], view.clone()), "{text:?}");
    }
    session.play(&["zzz 2"]);
    let view = session.game_view();
    for (text, reason) in [
        ("stop", "Guess at least one word before you stop."),
        ("", "A guess is one of the words on the board."),
        ("zzz", "A guess is one of the words on the board."),
        ("1", "A guess is one of the words on the board."),
    ] {
        assert_eq!(session.step(&[text])[0].reason, reason, "{text:?}");
        assert_eq!((session.asked(), session.game_view()), (vec![GUESSER], view.clone()), "{text:?}");
    }

    let mut game = dealt();
    play(&mut game, &["animal 2", " LION. "]);
    assert_eq!(game.parse(GUESSER, "lion"), Err("lion was guessed before: take another word.".to_owned()));
}

/// Everything that reaches the guesser, and what the house players would guess.
fn known(game: &mut Codewords) -> (String, String, Option<Vec<String>>, Vec<String>) {
    let house = ["themes", "random"].map(|player| {
        let moves = (0..20).map(|seed| game.house_move(GUESSER, player, &mut Random::seeded(seed)).expect("a guess"));
        moves.collect::<Vec<_>>().join(" ")
    });
    (game.prompt(GUESSER), game.view(Some(GUESSER)), game.legal_moves(GUESSER), house.to_vec())
}

#[test]
fn nothing_that_the_guesser_sees_depends_on_what_the_words_left_are() {
    let options = Options { words: 12, targets: 4, traps: 1, clues: 3 };
    let mut random = Random::seeded(3);
    for _ in 0..200 {
        let board = Board::deal(&options, &mut random);
        // The same words with roles of their own, but for the first target, which is one in both.
        let first = board.cards.iter().position(|card| card.role == Target).expect("a target");
        let mut rest: Vec<Role> = board.cards.iter().map(|card| card.role).collect();
        rest.remove(first);
        random.shuffle(&mut rest);
        rest.insert(first, Target);
        let mut other = board.clone();
        for (card, role) in other.cards.iter_mut().zip(rest) {
            card.role = role;
        }
        let target = board.cards[first].word.text;
        let mut games = [board, other].map(|board| Codewords::dealt(options.clone(), board));
        for texts in [&["zzz 2"][..], &[target][..]] {
            for game in &mut games {
                play(game, texts);
            }
            let [one, other] = &mut games;
            assert_eq!(known(one), known(other));
        }
    }
}

#[test]
fn a_words_place_on_the_board_tells_nothing_of_its_role() {
    const DEALS: u32 = 6_000;
    let options = Options::default();
    let mut random = Random::seeded(4);
    let mut targets = [0u32; 12];
    let mut traps = [0u32; 12];
    for _ in 0..DEALS {
        for (place, card) in Board::deal(&options, &mut random).cards.iter().enumerate() {
            targets[place] += u32::from(card.role == Target);
            traps[place] += u32::from(card.role == Trap);
        }
    }
    // 2,500 with standard deviation 38, and 500 with 21.
    assert!(targets.iter().all(|count| count.abs_diff(DEALS * 5 / 12) < 230), "{targets:?}");
    assert!(traps.iter().all(|count| count.abs_diff(DEALS / 12) < 130), "{traps:?}");
}

#[test]
fn boards_that_cannot_be_dealt_are_named() {
    let error = |options: &str| Session::<Codewords>::start(2, options, 0).map(drop).expect_err("refused");
    for (options, name) in [
        (r#"{"words": 5}"#, "`words`"),
        (r#"{"targets": 0}"#, "`targets`"),
        (r#"{"traps": 4}"#, "`traps`"),
        (r#"{"clues": 10}"#, "`clues`"),
        (r#"{"words": 6, "targets": 5}"#, "`words` of 6 must be more"),
    ] {
        assert!(error(options).contains(name), "{options}");
    }
}
