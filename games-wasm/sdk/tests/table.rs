//! The protocol of a table, seen through a small game: two seats choose a number from 0 to 9 at the same time.

use ludus_game::testing::{Session, check_game};
use ludus_game::{About, Game, Outcome, Random, Seat, Turn, plain};

struct HigherNumber {
    chosen: Vec<(Seat, u32)>,
    prompts: u32,
}

#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// Refuses to start.
    refuse: bool,
}

impl Game for HigherNumber {
    const ABOUT: About = About {
        name: "higher-number",
        version: "1.0.0",
        summary: "The higher of two numbers wins.",
        seats: (2, 2),
        steps_max: 10,
        house_players: &["nine"],
        abilities: &[],
    };
    type Options = Options;
    type Move = u32;

    fn start(_seats: u32, options: Options, _random: &mut Random) -> Result<Self, String> {
        if options.refuse { Err("`refuse` is set.".to_owned()) } else { Ok(Self { chosen: Vec::new(), prompts: 0 }) }
    }
    fn turn(&self) -> Turn {
        match self.chosen[..] {
            [(0, first), (1, second)] => {
                let scores = vec![f64::from(u8::from(first > second)), f64::from(u8::from(second > first))];
                Turn::Over(Outcome { scores, counts: Vec::new(), summary: format!("{first} against {second}") })
            }
            _ => Turn::Decide(vec![0, 1]),
        }
    }
    fn prompt(&mut self, seat: Seat) -> String {
        self.prompts += 1;
        format!("Seat {seat}, choose 0 to 9.")
    }
    fn parse(&self, _seat: Seat, text: &str) -> Result<u32, String> {
        plain(text).parse().ok().filter(|number| *number < 10).ok_or_else(|| "Choose 0 to 9.".to_owned())
    }
    fn play(&mut self, moves: Vec<(Seat, u32)>, _random: &mut Random) {
        self.chosen = moves;
    }
    fn legal_moves(&self, _seat: Seat) -> Option<Vec<String>> {
        Some((0..10).map(|number| number.to_string()).collect())
    }
    fn house_move(&self, _seat: Seat, _player: &str, _random: &mut Random) -> Result<String, String> {
        Ok("9".to_owned())
    }
    fn view(&self, _viewer: Option<Seat>) -> String {
        format!("{:?}", self.chosen)
    }
}

fn session() -> Session<HigherNumber> {
    Session::start(2, "{}", 1).expect("it starts")
}

#[test]
fn the_small_game_keeps_every_promise() {
    check_game::<HigherNumber>(2, "{}", 50);
}

#[test]
fn moves_of_both_seats_are_played_together() {
    let mut session = session();
    assert_eq!(session.asked(), [0, 1]);
    session.play(&["7", " 3. "]);
    assert_eq!(session.outcome().expect("it is over").summary, "7 against 3");
}

#[test]
fn only_the_seat_that_erred_is_asked_again() {
    let mut session = session();
    let rejections = session.step(&["7", "twelve"]);
    assert_eq!((rejections.len(), rejections[0].seat, rejections[0].reason.as_str()), (1, 1, "Choose 0 to 9."));
    assert_eq!(session.asked(), [1]);
    assert_eq!(session.prompt(1), "Move again.");
    assert_eq!(session.game().prompts, 2, "a refusal asks no new prompt of the game");
    session.step(&["10"]);
    assert_eq!(session.asked(), [1]);
    session.play(&["8"]);
    // Seat 0's move was kept, and moves arrive in seat order.
    assert_eq!(session.outcome().expect("it is over").summary, "7 against 8");
}

#[test]
fn a_first_seat_that_erred_still_moves_first() {
    let mut session = session();
    session.step(&["x", "5"]);
    assert_eq!(session.asked(), [0]);
    session.play(&["4"]);
    assert_eq!(session.outcome().expect("it is over").summary, "4 against 5");
}

#[test]
fn what_a_start_refuses_is_an_error_and_no_panic() {
    let error = |seats, options| Session::<HigherNumber>::start(seats, options, 1).map(drop).expect_err("refused");
    assert_eq!(error(2, r#"{"refuse": true}"#), "`refuse` is set.");
    assert!(error(3, "{}").contains("2 to 2 seats"));
    assert!(error(2, r#"{"unknown": 1}"#).contains("unknown"));
    assert!(error(2, "no JSON").contains("not understood"));
}

#[test]
#[should_panic(expected = "nobody is asked")]
fn a_step_after_the_end_is_a_fault_of_the_host() {
    let mut session = session();
    session.play(&["1", "2"]);
    session.step(&[]);
}
