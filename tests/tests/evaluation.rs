//! Models and players beside each other: deals from every seat, references, tournaments.

use std::sync::atomic::AtomicBool;

use ludus_host::player::Player;
use ludus_tests::{learner, library, plan, small_model};
use ludus_trainer::evaluate::{evaluate, paired, reference};
use ludus_trainer::recipe::read;
use ludus_trainer::rollout::Trajectory;
use ludus_trainer::tournament::{self, Entrant, TournamentError, Who};

#[test]
fn every_deal_is_played_from_every_seat_and_by_all_who_are_compared() {
    let (folder, library) = (tempfile::tempdir().unwrap(), library());
    let model = small_model(folder.path());
    let changes = [
        "evaluation.every_seat=true",
        "evaluation.episodes=12",
        "stage.1.evaluate=[\"house:optimal\"]",
        "stage.1.references=[\"random\", \"house:optimal\"]",
    ];
    let plan = plan(&model, &library, &changes);
    let learner = learner(&plan, &model);
    let mut dealt = Vec::new();
    let mut note = |played: Vec<Trajectory>| {
        for one in played.iter().filter(|one| one.task_name.starts_with("tictactoe")) {
            dealt.push((one.job.seed, one.finished.result.stages[0].learner_seat));
        }
    };
    let found = evaluate(&learner, &AtomicBool::new(false), &mut |_| {}, &mut note).unwrap().unwrap();
    let first = plan.recipe.evaluation.seed;
    let expected: Vec<(u64, u32)> = (0..12).map(|index| (first + index / 2, (index % 2) as u32)).collect();
    assert_eq!(dealt, expected);

    let name = "tictactoe against house:optimal";
    let of = |evaluated: &[ludus_trainer::evaluate::Evaluated]| {
        evaluated.iter().find(|one| one.name == name).expect("it was played").clone()
    };
    let (random, optimal) =
        (reference(&plan, &library, "random").unwrap(), reference(&plan, &library, "house:optimal").unwrap());
    // Tic-tac-toe is a draw between perfect players (it is a solved game), and random play does not beat one.
    assert_eq!(of(&optimal).scores, [0.5; 12]);
    assert!(of(&random).scores.iter().all(|score| *score <= 0.5));
    assert_eq!(of(&found).scores.len(), 12);
    assert!(optimal.iter().all(|one| one.name == name), "the other stage does not name it");
    let compared = paired::compare(&[of(&random)], &[of(&optimal)]);
    assert!((compared[0].difference - (0.5 - of(&random).score.share)).abs() < 1e-12);
}

#[test]
fn in_a_tournament_everybody_meets_everybody_from_both_sides() {
    let (folder, library) = (tempfile::tempdir().unwrap(), library());
    let model = small_model(folder.path()).to_string_lossy().into_owned();
    let set = [format!("model.source=\"{model}\""), "evaluation.episodes=20".to_string(), "reply.tokens=2".to_string()];
    let recipe = read::suite("ladder", &set).unwrap();
    let alone = |game: &str| tournament::stage_alone(recipe.clone(), "suite ladder", game);
    let sandboxed = |text: &str| Entrant { name: text.into(), who: Who::Sandboxed(Player::parse(text).unwrap()) };
    let small = Entrant { name: "small".into(), who: Who::Model(model.clone()) };
    let twin = Entrant { name: "twin".into(), who: Who::Model(model.clone()) };
    let entrants = [sandboxed("random"), small, sandboxed("house:optimal"), twin];
    let mut told = (0, 0);
    let played =
        tournament::play(&alone("tictactoe").unwrap(), &entrants, &library, &mut |done, of| told = (done, of)).unwrap();
    assert_eq!(told, (120, 120));
    assert_eq!(played.meetings.len(), 6);
    for row in 0..4 {
        assert_eq!(played.shares[row][row], None);
        for column in (0..4).filter(|column| *column != row) {
            let both = played.shares[row][column].unwrap() + played.shares[column][row].unwrap();
            assert!((both - 1.0).abs() < 1e-12, "what one has the other has not");
        }
        assert_eq!(played.ratings[row].games, 60);
    }
    // Nobody beats a perfect player.
    assert!((0..4).filter(|row| *row != 2).all(|row| played.shares[row][2].unwrap() <= 0.5));
    assert!((0..4).all(|row| played.ratings[row].rating <= played.ratings[2].rating));
    assert!(played.table().lines().nth(1).unwrap().contains("house:optimal"), "{}", played.table());

    let error = alone("chess").unwrap_err();
    assert!(
        matches!(error, TournamentError::NoStage { .. }) && error.to_string().contains("matrix, tictactoe"),
        "{error}"
    );
    let spies = tournament::play(&alone("spy").unwrap(), &entrants[..1], &library, &mut |_, _| {});
    assert!(spies.is_ok(), "one alone meets nobody");
    let pair = [sandboxed("random"), sandboxed("house:clues")];
    let spies = tournament::play(&alone("spy").unwrap(), &pair, &library, &mut |_, _| {});
    assert!(matches!(spies, Err(TournamentError::Seats { seats: 4, .. })));
}
