//! What a language's own library offers is the host's in a game: random numbers, clocks, and what is printed.

use std::fs;
use std::sync::Arc;

use ludus_host::component::Component;
use ludus_host::fault::FaultKind;
use serde_json::json;

use crate::harness::{deal, load, stream};

/// In its prompt: random numbers of the library, a time, a sleep of an hour, and a time again. It breaks at `boom`, and its
/// view draws.
const PYTHON: &str = r#"
from random import random as early, shuffle
import datetime, os, random, time, uuid
import ludus


def faulty(items):
    return items[7]


class Probe(ludus.Game):
    name = "probe"
    version = "1.0.0"
    summary = "Uses Python's library."
    seats = (1, 1)
    steps_max = 9
    house_players = ["sleeper"]

    def start(self, seats, options, random):
        print("started")

    def turn(self):
        return [0]

    def prompt(self, seat):
        cards = list(range(9))
        shuffle(cards)
        drawn = [early(), random.randint(1, 10**12), random.Random().random(), os.urandom(4), str(uuid.uuid4()), random.gauss(0, 1), cards]
        before = datetime.datetime.now()
        time.sleep(3600)
        return f"{drawn}\n{before}, then {time.time():.0f}"

    def parse(self, seat, text):
        if text == "late":
            import tkinter
        if text == "open":
            open("/etc/hosts")
        return faulty([]) if text == "boom" else text

    def play(self, moves, random):
        pass

    def house_move(self, seat, player, random):
        time.sleep(9)
        return f"{time.time():.0f}"

    def view(self, viewer):
        return str(early())
"#;

const JAVASCRIPT: &str = r#"
function faulty(items) {
  return items[7].card;
}

export default class Probe {
  static manifest = {
    name: "probe", version: "1.0.0", summary: "Uses JavaScript's library.", seats: [1, 1], stepsMax: 9, housePlayers: ["sleeper"],
  };
  constructor() {
    // More lines than a game may hold handles.
    for (let line = 0; line < 2000; line += 1) console.log("started");
  }
  turn() {
    return [0];
  }
  prompt() {
    return `${[Math.random(), Math.random()]}\n${new Date().toISOString()}`;
  }
  parse(seat, text) {
    return text === "boom" ? faulty([]) : text;
  }
  play() {}
  legalMoves() {
    return null;
  }
  houseMove() {
    return String(Date.now());
  }
  view() {
    return String(Math.random());
  }
}
"#;

fn probe(language: &str, file: &str, text: &str) -> Arc<Component> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), text).unwrap();
    fs::write(folder.path().join("ludus.toml"), format!("name = \"probe\"\nlanguage = \"{language}\"\n")).unwrap();
    load(folder.path(), &folder.path().join("built"))
}

/// The second line of the prompts of two steps: what the clocks say.
fn check(probe: &Arc<Component>, times: [&str; 2], house: &str, error: &str) {
    let begun = |seed| deal(probe, 1, json!({}), seed);
    let prompts = |seed| {
        let mut game = begun(seed);
        let first = game.requests()[0].prompt.clone();
        assert_eq!(game.house(0, "sleeper"), house);
        game.step(&[(0, "on")]);
        [first, game.requests()[0].prompt.clone()]
    };
    assert_eq!(prompts(1), prompts(1), "one seed gives one episode");
    for (here, there) in prompts(1).iter().zip(prompts(2)) {
        let ((drawn, _), (others, _)) = (here.split_once('\n').unwrap(), there.split_once('\n').unwrap());
        assert_ne!(drawn, others, "another seed gives other draws");
    }
    assert_eq!(prompts(3).each_ref().map(|prompt| prompt.split_once('\n').unwrap().1), times);

    let fault = begun(1).instance.view(None).unwrap_err();
    assert!(fault.detail.contains("it drew a random number in a call that gets none"), "{}", fault.detail);
    let fault = begun(1).instance.step(&boom("boom"), stream(1, 1)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap);
    for part in ["started", "faulty", error] {
        assert!(fault.detail.contains(part), "{part} is missing in: {}", fault.detail);
    }
}

fn boom(text: &str) -> [ludus_host::turn::Move; 1] {
    [ludus_host::turn::Move { seat: 0, text: text.to_string() }]
}

#[test]
fn pythons_library_draws_sleeps_and_prints_by_the_host() {
    let probe = probe("python", "game.py", PYTHON);
    let times = ["2000-01-01 00:00:00, then 946688400", "2000-01-01 01:00:00, then 946692000"];
    check(&probe, times, "946688409", "IndexError: list index out of range");
    for (text, error) in [("late", "No module named 'tkinter'"), ("open", "FileNotFoundError: a game has no files")] {
        let fault = deal(&probe, 1, json!({}), 1).instance.step(&boom(text), stream(1, 1)).unwrap_err();
        assert!(fault.detail.contains(error), "{}", fault.detail);
    }
}

#[test]
fn javascripts_library_draws_and_prints_by_the_host_and_its_date_stands_still() {
    let probe = probe("javascript", "game.js", JAVASCRIPT);
    check(
        &probe,
        ["2000-01-01T00:00:00.000Z"; 2],
        "946684800000",
        "TypeError: cannot read property 'card' of undefined",
    );
}
