//! `ludus check` sees a broken promise, and names the one that was broken.

use std::fs;

use ludus_host::conformance::{Bench, CheckError, Promise, Report, Settings};
use ludus_host::engine::Allocation;
use ludus_host::instance::Instance;
use ludus_host::library::{Library, LibraryOptions};
use ludus_host::limits::Limits;
use ludus_host::stream::Stream;
use ludus_host::turn::{Progress, Rejection, Setup};

use crate::failures::{burn, endless};
use crate::games;
use crate::guest::{self, Guest, asks, over};

fn check(game: &str) -> Report {
    check_episodes(game, 40)
}

fn check_episodes(game: &str, episodes: u64) -> Report {
    check_on(&Bench::open(&options(Limits::STANDARD)).expect("two hosts"), game, episodes)
}

fn check_on(bench: &Bench, game: &str, episodes: u64) -> Report {
    bench.check(game, Settings { episodes, seed: 0 }, &mut |_, _| {}).expect("a game").1
}

fn options(limits: Limits) -> LibraryOptions {
    LibraryOptions { games_dirs: vec![games::built_dir()], cache_dir: None, limits }
}

/// The promises that this game breaks.
fn broken(guest: &Guest) -> Vec<Promise> {
    broken_on(&Bench::open(&options(Limits::STANDARD)).expect("two hosts"), guest)
}

fn broken_on(bench: &Bench, guest: &Guest) -> Vec<Promise> {
    report_on(bench, guest)
        .promises
        .into_iter()
        .filter(|(_, kept)| kept.broken.is_some())
        .map(|(promise, _)| promise)
        .collect()
}

fn report_on(bench: &Bench, guest: &Guest) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample.wasm");
    fs::write(&path, guest.bytes_of_component()).expect("the component");
    check_on(bench, path.to_str().expect("UTF-8"), 40)
}

#[test]
fn the_games_of_this_repository_keep_every_promise() {
    for game in ["battleship", "codewords", "dilemma-talk", "math", "matrix", "spy", "tictactoe"] {
        let report = check(game);
        assert!(report.is_good(), "{game}: {report:#?}");
        assert!(report.promises.values().all(|kept| kept.times > 0), "{game}: a promise was never looked at");
    }
}

#[test]
fn hidden_roles_are_compared_and_do_not_show() {
    assert!(check_episodes("spy", 300).facts.hidden_pairs > 0);
}

#[test]
fn a_good_game_breaks_nothing() {
    assert_eq!(broken(&Guest::good()), []);
}

#[test]
fn a_game_that_never_starts_is_noticed() {
    let guest = Guest::good().with(|guest| guest.start_refuses("not today"));
    assert_eq!(broken(&guest), [Promise::EndsWell]);
}

#[test]
fn a_query_that_changes_the_game_is_noticed() {
    let guest = Guest::good()
        .with(|guest| guest.extra = "(global $seen (mut i32) (i32.const 0))".into())
        .first("view", "(global.set $seen (i32.const 1))")
        .first("step", "(if (i32.eqz (global.get $seen)) (then (unreachable)))");
    assert_eq!(broken(&guest), [Promise::QueriesChangeNothing]);
}

#[test]
fn a_bad_move_that_breaks_the_game_is_noticed() {
    // The third word of the first move is the length of its text.
    let guest = Guest::good()
        .first("step", "(if (i32.gt_u (i32.load offset=8 (local.get $moves)) (i32.const 1000)) (then (unreachable)))");
    assert_eq!(broken(&guest), [Promise::SurvivesBadMoves]);
}

/// A game of two doors, whose names have five letters at most: a longer move is refused, and then `and_then` is done.
fn refusing_long_moves(and_then: &str) -> Guest {
    let mut guest = Guest::good();
    let refusal = Rejection { seat: 0, reason: "There is no such door.".into() };
    let refuses = guest.step_returns(&Progress { rejections: vec![refusal], turn: asks(&[0]) });
    let won = guest.step_returns(&Progress { rejections: vec![], turn: over(&[1.0, 0.0]) });
    let lost = guest.step_returns(&Progress { rejections: vec![], turn: over(&[0.0, 1.0]) });
    guest.with(|guest| guest.extra = "(global $refused (mut i32) (i32.const 0))".into()).body(
        "step",
        &format!(
            "(if (result i32) (i32.gt_u (i32.load offset=8 (local.get $moves)) (i32.const 5))
                 (then {and_then} (i32.const {refuses}))
                 (else (select (i32.const {lost}) (i32.const {won}) (global.get $refused))))"
        ),
    )
}

#[test]
fn a_game_that_refuses_moves_and_stays_as_it_was_breaks_nothing() {
    assert_eq!(broken(&refusing_long_moves("")), []);
}

#[test]
fn a_refused_move_that_changes_the_end_is_noticed() {
    let guest = refusing_long_moves("(global.set $refused (i32.const 1))");
    assert_eq!(broken(&guest), [Promise::RefusedMovesChangeNothing]);
}

#[test]
fn a_house_player_whose_move_is_refused_is_noticed() {
    let guest = refusing_long_moves("").with(|guest| guest.house_move_returns(Ok("the third door")));
    assert_eq!(broken(&guest), [Promise::HousePlayersAreLegal]);
}

#[test]
fn a_view_that_shows_what_its_seat_was_not_told_is_noticed() {
    let mut guest = Guest::good().with(|guest| guest.extra = "(global $card (mut i32) (i32.const 0))".into());
    let (ace, king) = (guest.text("the ace"), guest.text("the king"));
    let [ace, king] = [ace, king].map(|words| guest.raw_words(&words));
    let guest = guest
        .first("start", "(global.set $card (call $below (i32.const 2)))")
        .body("view", &format!("(select (i32.const {ace}) (i32.const {king}) (global.get $card))"));
    assert_eq!(broken(&guest), [Promise::ViewsHideSecrets]);
}

#[test]
fn a_game_that_goes_otherwise_on_another_host_is_noticed() {
    // It asks for 64 MiB more, and loses where it does not get them.
    let mut guest = Guest::good();
    let won = guest.step_returns(&Progress { rejections: vec![], turn: over(&[1.0, 0.0]) });
    let lost = guest.step_returns(&Progress { rejections: vec![], turn: over(&[0.0, 1.0]) });
    let grows =
        format!("(select (i32.const {lost}) (i32.const {won}) (i32.eq (memory.grow (i32.const 1024)) (i32.const -1)))");
    let guest = guest.body("step", &grows);
    assert_eq!(broken(&guest), []);

    let roomy = Library::open(options(Limits::STANDARD)).expect("a host");
    let narrow = Limits { memory_bytes_max: 16 << 20, ..Limits::STANDARD };
    let narrow = Library::open(options(narrow)).expect("another host");
    assert_eq!(broken_on(&Bench::of(roomy, narrow), &guest), [Promise::Repeats]);
}

#[test]
fn a_host_without_room_for_a_game_finds_no_promise_broken() {
    let path = games::built_dir().join("tictactoe.wasm");
    let path = path.to_str().expect("UTF-8");
    let narrow = Allocation::Pooling { instances_max: 1, keep_resident_bytes: 0 };
    let open = || Library::open_with(options(Limits::STANDARD), narrow).expect("a host");
    for is_full_elsewhere in [false, true] {
        let (host, elsewhere) = (open(), open());
        let component = if is_full_elsewhere { &elsewhere } else { &host }.game(path).expect("a game");
        let setup = Setup { seats: 2, options: "{}".to_string() };
        let _held = Instance::start(&component, &setup, Stream::derive(0, &[])).expect("the only one");
        let checked = Bench::of(host, elsewhere).check(path, Settings { episodes: 3, seed: 0 }, &mut |_, _| {});
        assert!(matches!(checked, Err(CheckError::Host(_))), "{checked:?}");
    }
}

#[test]
fn a_check_ends_where_an_episode_goes_past_its_bounds() {
    let limits = Limits { episode_bytes_max: 200_000, fuel_per_episode: 5_000_000, ..guest::TIGHT };
    for (guest, bound) in [
        (endless(10_000), "200000 bytes"),
        (endless(10).first("view", &burn(10_000)), "5000000 units of fuel"),
        (endless(10).first("legal-moves", &burn(10_000)), "5000000 units of fuel"),
    ] {
        let report = report_on(&Bench::of(guest::open(limits), guest::open(limits)), &guest);
        let case = report.promises[&Promise::EndsWell].broken.clone().expect("it never ends");
        assert!(case.contains(bound), "{case}");
        assert_eq!(report.facts.episodes, 1, "the next would take as long");
    }
}

#[test]
fn a_game_that_always_hangs_does_not_end_well() {
    let guest = Guest::good().body("step", "(loop $again (br $again)) (unreachable)");
    assert!(broken(&guest).contains(&Promise::EndsWell));
}
