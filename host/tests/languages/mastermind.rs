//! `mastermind`: its feedback and its house player against a plain reference.

use serde_json::{Value, json};

use crate::harness::{Played, deal, game, stream};

/// Exact and partial matches, by crossing out what is matched.
fn feedback(code: &[u8], guess: &[u8]) -> (usize, usize) {
    let mut code = code.to_vec();
    let mut open = Vec::new();
    for (place, &digit) in guess.iter().enumerate() {
        if code[place] == digit { code[place] = 0 } else { open.push(digit) }
    }
    let exact = guess.len() - open.len();
    let mut partial = 0;
    for digit in open {
        if let Some(place) = code.iter().position(|&other| other == digit) {
            code[place] = 0;
            partial += 1;
        }
    }
    (exact, partial)
}

/// Every code, in rising order.
fn codes(length: u32, colours: u8) -> Vec<Vec<u8>> {
    (0..length).fold(vec![Vec::new()], |codes, _| {
        codes.iter().flat_map(|code| (1..=colours).map(|digit| [code.as_slice(), &[digit]].concat())).collect()
    })
}

/// The guesses of somebody who always takes the first code that fits, to the code itself.
fn first_that_fits(code: &[u8], codes: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut left: Vec<&Vec<u8>> = codes.iter().collect();
    let mut guesses = Vec::new();
    while guesses.last().map(Vec::as_slice) != Some(code) {
        let guess = left[0].clone();
        let told = feedback(code, &guess);
        left.retain(|candidate| feedback(candidate, &guess) == told);
        guesses.push(guess);
    }
    guesses
}

fn text(code: &[u8]) -> String {
    code.iter().map(u8::to_string).collect::<Vec<_>>().join(" ")
}

/// The secret, as an onlooker sees it.
fn secret(played: &mut Played) -> Vec<u8> {
    let view = played.instance.view(None).unwrap();
    let code = view.strip_prefix("Code: ").expect("a code").lines().next().expect("a line");
    code.bytes().map(|digit| digit - b'0').collect()
}

fn dealt(options: Value, seed: u64) -> Played {
    deal(&game("mastermind"), 1, options, seed)
}

#[test]
fn feedback_is_that_of_a_plain_reference() {
    for (length, colours) in [(2, 9), (4, 6), (4, 8), (5, 5), (6, 4), (6, 2)] {
        let options = json!({"length": length, "colours": colours, "guesses": 20});
        for seed in 0..4 {
            let mut played = dealt(options.clone(), seed);
            let code = secret(&mut played);
            assert!(code.len() == length && code.iter().all(|digit| (1..=colours).contains(digit)));
            let mut random = stream(seed, 99);
            for _ in 0..19 {
                let guess: Vec<u8> = (0..length).map(|_| 1 + random.below(u32::from(colours)) as u8).collect();
                played.step(&[(0, &text(&guess))]);
                if guess == code {
                    break;
                }
                let (exact, partial) = feedback(&code, &guess);
                let told = format!("{}: {exact} exact, {partial} partial.\n", text(&guess));
                assert!(played.requests()[0].prompt.starts_with(&told), "{code:?} {}", played.requests()[0].prompt);
            }
        }
    }
}

#[test]
fn consistent_takes_the_first_code_that_fits_and_always_finds_it() {
    let all = codes(4, 6);
    // The bounds, by going through every code: at most 9 guesses, 7471 for all 1296 codes, as is known of this strategy.
    let lengths: Vec<usize> = all.iter().map(|code| first_that_fits(code, &all).len()).collect();
    assert_eq!((lengths.iter().max(), lengths.iter().sum::<usize>()), (Some(&9), 7471));

    for seed in 0..40 {
        let mut played = dealt(json!({}), seed);
        let code = secret(&mut played);
        let guesses = first_that_fits(&code, &all);
        for guess in &guesses {
            assert_eq!(played.house(0, "consistent"), text(guess));
            played.step(&[(0, &text(guess))]);
        }
        let outcome = played.outcome().expect("found");
        assert_eq!(outcome.scores, [1.0 - (guesses.len() as f64 - 1.0) / 10.0]);
        assert_eq!((outcome.counts[0].name.as_str(), outcome.counts[0].seat), ("consistent-guesses", 0));
        assert_eq!(
            (outcome.counts[0].times as usize, outcome.counts[0].chances as usize),
            (guesses.len(), guesses.len())
        );
    }
}

#[test]
fn every_shape_is_found_within_twenty_guesses_by_consistent() {
    for (length, colours) in [(2, 2), (2, 9), (3, 9), (4, 8), (5, 5), (6, 4)] {
        for seed in 0..3 {
            let mut played = dealt(json!({"length": length, "colours": colours, "guesses": 20}), seed);
            assert!(played.play_out(&["consistent"]).scores[0] > 0.0, "{length} {colours}");
        }
    }
}

#[test]
fn random_guesses_hardly_ever_find_a_code() {
    let outcomes = (0..50).map(|seed| dealt(json!({}), seed).play_out(&["random"]));
    assert!(outcomes.map(|outcome| outcome.scores[0]).sum::<f64>() < 5.0);
}

#[test]
fn a_code_that_is_not_found_scores_nothing() {
    let mut played = dealt(json!({"guesses": 2}), 3);
    let code = secret(&mut played);
    let wrong = if code[0] == 1 { "2222" } else { "1111" };
    played.step(&[(0, wrong)]);
    assert!(played.requests()[0].prompt.contains("Guesses left: 1."));
    played.step(&[(0, wrong)]);
    let outcome = played.outcome().expect("over");
    assert_eq!(outcome.scores, [0.0]);
    // The same guess again cannot be the code.
    assert_eq!((outcome.counts[0].times, outcome.counts[0].chances), (1, 2));
}

#[test]
fn guesses_are_read_with_and_without_spaces_and_others_are_refused() {
    let mut played = dealt(json!({}), 1);
    let before = played.instance.view(None).unwrap();
    for text in ["", "123", "12345", "1237", "0123", "1 2 3 four", "1 2 3 ٤", "-1 2 3", "1_2_3", "²²²²"] {
        let progress = played.step(&[(0, text)]);
        assert_eq!(progress.rejections[0].reason, "A guess is 4 digits from 1 to 6.", "{text}");
        assert_eq!(played.requests()[0].prompt, "Answer with 4 digits, like 1 2 3 4.");
        assert_eq!(played.instance.view(None).unwrap(), before);
    }
    let code = text(&secret(&mut played));
    for text in [code.clone(), code.replace(' ', ""), code.replace(' ', ", "), format!(" {code}.\n")] {
        let mut played = dealt(json!({}), 1);
        played.step(&[(0, &text)]);
        assert_eq!(played.outcome().expect("found").scores, [1.0]);
    }
}

#[test]
fn the_code_stays_hidden_and_the_rules_come_once() {
    let prompts: Vec<String> = (0..20).map(|seed| dealt(json!({}), seed).requests()[0].prompt.clone()).collect();
    assert!(prompts.iter().all(|prompt| *prompt == prompts[0]));
    let mut played = dealt(json!({}), 1);
    assert_eq!(played.instance.view(Some(0)).unwrap(), "Code: hidden");
    let wrong = if secret(&mut played)[0] == 1 { "2222" } else { "1111" };
    played.step(&[(0, wrong)]);
    assert!(!played.requests()[0].prompt.contains("secret code"), "{}", played.requests()[0].prompt);
}

#[test]
fn the_largest_games_leave_most_of_a_calls_fuel() {
    for (length, colours) in [(4, 8), (6, 4)] {
        let mut played = dealt(json!({"length": length, "colours": colours, "guesses": 20}), 0);
        let fuel = played.instance.limits().fuel_per_call;
        let mut spent = played.instance.fuel_spent();
        while played.outcome().is_none() {
            let moves = played.instance.legal_moves(0).unwrap().unwrap();
            assert_eq!(moves.len(), usize::pow(colours, length));
            let guess = played.house(0, "consistent");
            assert!(played.instance.fuel_spent() - spent < fuel / 2, "{} units", played.instance.fuel_spent() - spent);
            played.step(&[(0, &guess)]);
            spent = played.instance.fuel_spent();
        }
    }
}

#[test]
fn too_many_codes_are_refused_with_the_reason() {
    let component = game("mastermind");
    let options = component.check_options(&json!({"length": 5, "colours": 6})).unwrap();
    let setup = ludus_host::turn::Setup { seats: 1, options };
    let fault = ludus_host::instance::Instance::start(&component, &setup, stream(0, 0)).err().expect("refused");
    assert!(fault.detail.contains("`colours` of 6 and `length` of 5"), "{}", fault.detail);
}
