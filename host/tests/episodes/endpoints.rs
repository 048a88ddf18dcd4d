//! Players behind servers: what a server does, and what becomes of it.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ludus_host::drive;
use ludus_host::endpoint::{Answer, Calls, Conversation, EndpointConfig, EndpointConfigs, Reply, Stopped, Tally};
use ludus_host::episode::Finished;
use ludus_host::player::Player;
use ludus_host::record::{Line, read_lines};
use ludus_host::replay::{Verdict, replay};
use ludus_host::result::Ended;
use ludus_host::task::{LearnerSeat, StageSpec, Task, TaskSpec};

use crate::games::{self, Components};
use crate::guest::{Guest, asks};
use crate::server::{Act, Server};

/// Longer than any test takes where all is well.
const WATCHDOG: Duration = Duration::from_secs(60);

fn config(url: &str, more: &str) -> EndpointConfigs {
    let config: EndpointConfig =
        toml::from_str(&format!("url = \"{url}\"\nmodel = \"m\"\n{more}")).expect("a configuration");
    EndpointConfigs::from([("rival".to_string(), config)])
}

/// The answer to one question.
fn answer(url: &str, more: &str) -> (Result<Reply, Stopped>, Tally) {
    let mut calls = Calls::open(&config(url, more)).expect("endpoints");
    let mut conversation = Conversation::default();
    conversation.prompt("Your move?");
    calls.ask(7, "rival", conversation.messages());
    let answer = calls.next(true).map(|answer| answer.expect("one is open"));
    assert_eq!(calls.next(true), Ok(None), "none is open any more");
    let tally = calls.tallies().remove("rival").expect("counted");
    (answer.map(|Answer { id, reply }| if id == 7 { reply } else { panic!("another id") }), tally)
}

fn said(text: &str) -> Result<Reply, Stopped> {
    Ok(Reply::Said(text.to_string()))
}

fn failure(answer: Result<Reply, Stopped>) -> String {
    match answer {
        Ok(Reply::Failed(reason)) => reason,
        other => panic!("a failed call, not {other:?}"),
    }
}

#[test]
fn a_server_is_sent_the_conversation_and_what_is_configured() {
    let server = Server::saying("b2");
    let more = "system = \"Be brief.\"\ntokens = 9\ntemperature = 0.5";
    let mut calls = Calls::open(&config(&server.url, more)).expect("endpoints");
    let mut conversation = Conversation::default();
    conversation.prompt("First?");
    conversation.reply("a1");
    conversation.prompt("Second?");
    calls.ask(1, "rival", conversation.messages());
    assert_eq!(calls.next(true), Ok(Some(Answer { id: 1, reply: Reply::Said("b2".to_string()) })));
    let asked = &server.asked()[0];
    let message = |role: &str, content: &str| serde_json::json!({ "role": role, "content": content });
    let messages = [
        message("system", "Be brief."),
        message("user", "First?"),
        message("assistant", "a1"),
        message("user", "Second?"),
    ];
    let expected = serde_json::json!({ "model": "m", "messages": messages, "max_tokens": 9, "temperature": 0.5 });
    assert_eq!((&asked.body, &asked.authorization), (&expected, &None));

    let server = Server::saying("b2");
    let more = "tokens = 9\ntokens_key = \"max_completion_tokens\"";
    assert_eq!(answer(&server.url, more).0, said("b2"));
    let messages = [message("user", "Your move?")];
    let expected = serde_json::json!({ "model": "m", "messages": messages, "max_completion_tokens": 9 });
    assert_eq!(server.asked()[0].body, expected);
}

#[test]
fn a_call_that_failed_is_made_again() {
    for first in [
        || Act::Answer(429, "retry-after: 0.1", "{\"error\":{\"message\":\"Slow down.\"}}".to_string()),
        || Act::Answer(500, "", "oops".to_string()),
        || Act::Answer(200, "", "<html>".to_string()),
        || Act::Close,
        || Act::Hang,
    ] {
        let server = Server::start(move |asked| if asked.number == 0 { first() } else { Act::Say("b2".to_string()) });
        let (answer, tally) = answer(&server.url, "timeout_s = 1");
        assert_eq!(answer, said("b2"));
        assert_eq!((tally.replies, tally.failed, tally.repeated), (1, 0, 1));
    }
}

#[test]
fn after_the_last_try_a_call_has_failed_and_says_why() {
    let check = |act: fn() -> Act, expected: &str| {
        let server = Server::start(move |_| act());
        let (answer, tally) = answer(&server.url, "retries = 1\ntimeout_s = 1");
        let reason = failure(answer);
        assert!(reason.contains(expected), "{reason}");
        assert_eq!((server.asked().len(), tally.failed, tally.repeated), (2, 1, 1));
    };
    check(|| Act::Answer(503, "", "{\"message\":\"No room.\"}".to_string()), "503 Service Unavailable: No room.");
    check(|| Act::Answer(200, "", "{\"choices\":[]}".to_string()), "no choices");
    check(|| Act::Hang, "not answered within 1 s");
    check(|| Act::Close, "cannot be reached");
}

#[test]
fn an_endless_answer_is_not_read_to_its_end() {
    let server = Server::start(|_| Act::Endless);
    assert!(failure(answer(&server.url, "retries = 0").0).contains("more than"));
}

#[test]
fn a_reply_far_longer_than_was_asked_for_is_a_failed_call() {
    let server = Server::saying(&"b2 ".repeat(2_000));
    let reason = failure(answer(&server.url, "tokens = 9\nretries = 0").0);
    assert!(reason.contains("6000 bytes is no 9 tokens"), "{reason}");
    assert_eq!(answer(&server.url, "tokens = 400").0, said(&"b2 ".repeat(2_000)));
}

#[test]
fn conversations_that_are_too_long_do_not_mean_that_a_server_is_gone() {
    let body = "{\"error\":{\"message\":\"This model's maximum context length is 9.\"}}";
    let server = Server::start(move |_| Act::Answer(400, "", body.to_string()));
    let mut calls = Calls::open(&config(&server.url, "concurrent = 1")).expect("endpoints");
    (0..40).for_each(|id| calls.ask(id, "rival", &[]));
    for _ in 0..40 {
        let answer = calls.next(true).expect("nobody is stopped").expect("one is open");
        assert!(matches!(answer.reply, Reply::TooLong(_)), "{answer:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let reason = failure(answer(&format!("http://{port}/v1"), "retries = 1").0);
    assert!(reason.contains("cannot be reached") && reason.contains("refused"), "{reason}");
}

#[test]
fn a_server_that_wants_to_be_left_alone_for_long_is_not_waited_for() {
    let server =
        Server::start(|_| Act::Answer(429, "retry-after: 86400", "{\"error\":{\"message\":\"Used up.\"}}".into()));
    let reason = failure(answer(&server.url, "").0);
    assert!(reason.contains("Used up."), "{reason}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_refusal_for_good_stops_everything_in_the_servers_own_words() {
    for (status, hint) in [(401, "key_variable"), (403, "key_variable"), (404, "`model`"), (400, "No such thing.")] {
        let body = format!("{{\"error\":{{\"message\":\"No such thing.\\u001b[2J {}\"}}}}", "x".repeat(1_000));
        let server = Server::start(move |_| Act::Answer(status, "", body.clone()));
        let mut calls = Calls::open(&config(&server.url, "concurrent = 1")).expect("endpoints");
        let mut others = calls.another();
        for id in 0..4 {
            calls.ask(id, "rival", &[]);
        }
        let stopped = calls.next(true).expect_err("refused");
        let sentence = stopped.to_string();
        assert!(sentence.contains("No such thing.") && sentence.contains("rival"), "{sentence}");
        assert!(sentence.contains(hint) || sentence.contains('…'), "{sentence}");
        assert!(sentence.len() < 500 && !sentence.contains('\u{1b}'), "{sentence}");
        others.ask(5, "rival", &[]);
        assert_eq!(others.next(true), Err(stopped), "whoever asks the same endpoints is stopped too");
    }
}

#[test]
fn a_server_that_fails_again_and_again_is_gone() {
    let server = Server::start(|_| Act::Answer(500, "", "oops".to_string()));
    let mut calls = Calls::open(&config(&server.url, "retries = 0\nconcurrent = 1")).expect("endpoints");
    (0..100).for_each(|id| calls.ask(id, "rival", &[]));
    let mut failed = 0;
    let stopped = loop {
        match calls.next(true) {
            Ok(Some(_)) => failed += 1,
            Ok(None) => panic!("it goes on for ever"),
            Err(stopped) => break stopped,
        }
    };
    assert!(matches!(&stopped, Stopped::Gone { name, failures: 16, .. } if name == "rival"), "{stopped}");
    assert_eq!(failed, 15);
}

#[test]
fn no_more_calls_are_open_than_the_endpoint_allows() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (inside, peak) = (Arc::clone(&open), Arc::clone(&most));
    let meeting = Meeting::of(3);
    let server = Server::start(move |asked| {
        peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // The first three are there together.
        if asked.number < 3 {
            assert!(meeting.wait());
        }
        inside.fetch_sub(1, Ordering::SeqCst);
        Act::Say("b2".to_string())
    });
    let mut calls = Calls::open(&config(&server.url, "concurrent = 3")).expect("endpoints");
    (0..20).for_each(|id| calls.ask(id, "rival", &[]));
    let answers: BTreeSet<u64> =
        std::iter::from_fn(|| calls.next(true).expect("answers")).map(|answer| answer.id).collect();
    assert_eq!(answers.len(), 20);
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

/// Where threads wait until so many are there.
struct Meeting {
    there: Mutex<usize>,
    all: usize,
    changed: Condvar,
}

impl Meeting {
    fn of(all: usize) -> Arc<Meeting> {
        Arc::new(Meeting { there: Mutex::new(0), all, changed: Condvar::new() })
    }

    fn come(&self) {
        *self.there.lock().expect("nobody panicked") += 1;
        self.changed.notify_all();
    }

    /// False where not all came before the watchdog.
    fn wait(&self) -> bool {
        self.come();
        self.wait_for_all()
    }

    fn wait_for_all(&self) -> bool {
        let there = self.there.lock().expect("nobody panicked");
        let waited = self.changed.wait_timeout_while(there, WATCHDOG, |there| *there < self.all);
        !waited.expect("nobody panicked").1.timed_out()
    }
}

/// Plays with the learner's seat for `learner` and an endpoint in all others.
fn play(stage: StageSpec, learner: Player, episodes: u64, url: &str, more: &str) -> Result<Vec<Finished>, Stopped> {
    let task = Task::resolve_for(&games::task(vec![stage]), games::library(), learner).expect("a task");
    let calls = drive::open_calls(&task, &config(url, more)).expect("endpoints");
    let mut played = Vec::new();
    drive::play(&task, calls, 64, 0..episodes, |seed, finished| {
        played.push((seed, finished.expect("the host has room")));
        true
    })?;
    played.sort_by_key(|(seed, _)| *seed);
    Ok(played.into_iter().map(|(_, finished)| finished).collect())
}

/// Somebody who plays Spy: descriptions without a word of anybody's, votes for the first who may be voted for.
pub fn spy_player(prompt: &str) -> String {
    match prompt.rsplit_once("Reply with one player's number: ") {
        Some((_, choices)) => choices.chars().find(char::is_ascii_digit).expect("a number").to_string(),
        None => "I would rather not say.".to_string(),
    }
}

fn spy(seats: u32) -> StageSpec {
    StageSpec { seats: Some(seats), players: vec!["endpoint:rival".to_string()], ..StageSpec::new("spy") }
}

#[test]
fn every_episode_asks_at_the_same_time_and_so_do_seats_that_move_together() {
    // Four players, two rounds, then a vote of all. The learner is an endpoint too, so each of the 24 episodes has one call open
    // while they describe, and four while they vote.
    let (describing, voting) = (Meeting::of(24), Meeting::of(24 * 4));
    let server = Server::start(move |asked| {
        let is_vote = asked.prompt().contains("Reply with one player's number");
        let all_came = match (is_vote, asked.number) {
            (true, _) => voting.wait(),
            (false, number) if number < 24 => describing.wait(),
            _ => true,
        };
        if all_came { Act::Say(spy_player(&asked.prompt())) } else { Act::Answer(400, "", "alone".to_string()) }
    });
    let learner = Player::Endpoint("rival".to_string());
    let played = play(spy(4), learner, 24, &server.url, "concurrent = 200").expect("nobody is left alone");
    assert_eq!(played.len(), 24);
    assert!(played.iter().all(|finished| finished.result.stages[0].ended == Ended::Over));
    assert_eq!(server.asked().len(), 24 * (4 * 2 + 4));
}

#[test]
fn nothing_waits_for_the_slowest_episode() {
    let others = Meeting::of(9);
    let waiting = Arc::clone(&others);
    let server = Server::start(move |asked| {
        let all_others_are_over = asked.number != 0 || waiting.wait_for_all();
        if all_others_are_over { Act::Say("A".to_string()) } else { Act::Answer(400, "", "it waits".to_string()) }
    });
    let task =
        Task::resolve_for(&games::task(vec![games::dilemma("endpoint:rival")]), games::library(), Player::Random);
    let task = task.expect("a task");
    let calls = drive::open_calls(&task, &config(&server.url, "")).expect("endpoints");
    let mut order = Vec::new();
    // Two at once: one is stuck, and the others go on beside it.
    let outcome = drive::play(&task, calls, 2, 0..10, |seed, _| {
        order.push(seed);
        others.come();
        true
    });
    assert_eq!(outcome, Ok(()));
    assert_eq!(order.len(), 10);
    assert!(matches!(order.last(), Some(0 | 1)), "one of the first two was asked first, and is over last: {order:?}");
}

#[test]
fn replies_that_stay_illegal_are_left_to_the_fallback_player_and_counted() {
    let server = Server::saying("no such cell");
    let stage = StageSpec { attempts: 2, ..games::tictactoe("endpoint:rival") };
    let played = play(stage, Player::Random, 6, &server.url, "").expect("played");
    for finished in &played {
        let stage = &finished.result.stages[0];
        let lines = read_lines(finished.record.bytes()).expect("a record");
        let by = |who: &str| lines.iter().filter(|line| matches!(line, Line::Reply { by, .. } if by == who)).count();
        assert_eq!((stage.ended, stage.illegal, stage.malformed), (Ended::Over, 0, 0), "none of it is the learner's");
        assert!(stage.substituted >= 2, "{stage:?}");
        assert_eq!((by("substitute"), by("endpoint")), (stage.substituted as usize, 2 * stage.substituted as usize));
        assert_eq!(replay(finished.record.bytes(), &Components::built()).expect("a replay"), Verdict::Identical);
    }
}

#[test]
fn calls_that_fail_are_left_to_the_fallback_player_and_never_win_or_lose_a_game_for_the_learner() {
    // Every second call fails, so that the server never counts as gone.
    let server = Server::start(|asked| match asked.number % 2 {
        0 => Act::Answer(500, "", "oops".to_string()),
        _ => Act::Say("no such cell".to_string()),
    });
    let stage = StageSpec { attempts: 2, ..games::tictactoe("endpoint:rival") };
    let played = play(stage, Player::Random, 4, &server.url, "retries = 0\nconcurrent = 1").expect("played");
    assert!(played.iter().all(|finished| finished.result.stages[0].ended == Ended::Over));
    assert!(played.iter().all(|finished| finished.result.stages[0].substituted > 0));
}

#[test]
fn a_failed_call_of_the_learner_is_made_again_and_costs_nothing() {
    let server = Server::start(|asked| match asked.number {
        0 | 1 => Act::Answer(500, "", "oops".to_string()),
        number => Act::Say(games::WIN[number - 2].to_string()),
    });
    let learner = Player::Endpoint("rival".to_string());
    let played = play(games::tictactoe(games::ROW_PLAYER), learner, 1, &server.url, "retries = 0").expect("played");
    assert_eq!(played[0].result.task_return, 1.0);
    assert_eq!(played[0].result.malformed(), 0);
}

#[test]
fn where_a_model_plays_itself_its_failures_in_the_other_seat_are_an_opponents() {
    let server = Server::start(|asked| match asked.body["messages"][0]["content"].as_str() {
        Some(first) if first.contains("Seat 1") => Act::Answer(500, "", "oops".to_string()),
        _ => Act::Say("left".to_string()),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample.wasm");
    let guest = Guest::good().with(|guest| guest.start_returns(&asks(&[0, 1])));
    std::fs::write(&path, guest.bytes_of_component()).expect("written");
    let stage = StageSpec {
        learner: LearnerSeat::Seat(0),
        players: vec!["endpoint:rival".to_string()],
        ..StageSpec::new(path.to_str().expect("UTF-8"))
    };
    let learner = Player::Endpoint("rival".to_string());
    let played = play(stage, learner, 1, &server.url, "retries = 0").expect("played");
    let stage = &played[0].result.stages[0];
    assert_eq!((stage.ended, stage.score, stage.substituted), (Ended::Over, 1.0, 1));
}

#[test]
fn a_learner_whose_calls_all_fail_stops_the_run_and_does_not_lose() {
    let server = Server::start(|_| Act::Answer(500, "", "oops".to_string()));
    let learner = Player::Endpoint("rival".to_string());
    let stopped =
        play(games::tictactoe(games::ROW_PLAYER), learner, 1, &server.url, "retries = 0").expect_err("stopped");
    assert!(matches!(stopped, Stopped::Gone { .. }), "{stopped}");
}

#[test]
fn a_conversation_that_outgrows_the_learners_model_is_cut_off() {
    let server = Server::start(|asked| match asked.number {
        0 => Act::Say("1".to_string()),
        _ => {
            Act::Answer(400, "", "{\"error\":{\"message\":\"This model's maximum context length is 9.\"}}".to_string())
        }
    });
    let learner = Player::Endpoint("rival".to_string());
    let played = play(games::tictactoe(games::ROW_PLAYER), learner, 1, &server.url, "").expect("played");
    assert_eq!(played[0].result.stages[0].ended, Ended::Truncated);
}

#[test]
fn the_learners_conversation_goes_on_from_stage_to_stage_and_others_begin_anew() {
    let server = Server::saying("A");
    let stage = || StageSpec { learner: LearnerSeat::Seat(0), ..games::dilemma("endpoint:rival") };
    let spec = TaskSpec { stages: vec![stage(), stage()], ..games::task(vec![]) };
    let learner = Player::Endpoint("pupil".to_string());
    let task = Task::resolve_for(&spec, games::library(), learner).expect("a task");
    let mut configs = config(&server.url, "");
    configs.insert("pupil".to_string(), EndpointConfig { model: "pupil".to_string(), ..configs["rival"].clone() });
    let calls = drive::open_calls(&task, &configs).expect("endpoints");
    drive::play(&task, calls, 1, 0..1, |_, _| true).expect("played");
    let mut messages: Vec<(String, usize)> = server
        .asked()
        .iter()
        .map(|asked| {
            let model = asked.body["model"].as_str().expect("a name").to_string();
            (model, asked.body["messages"].as_array().expect("messages").len())
        })
        .collect();
    messages.sort();
    let expected = [("m", 1), ("m", 1), ("pupil", 1), ("pupil", 3)];
    assert_eq!(messages, expected.map(|(model, length)| (model.to_string(), length)));
}
