//! What the members of a group share and what they do not; several players who are waited for at once.

use ludus_host::episode::Episode;
use ludus_host::player::Player;
use ludus_host::record::{Line, read_lines};
use ludus_host::replay::{Verdict, replay};
use ludus_host::reply::ReplyFormat;
use ludus_host::task::{LearnerSeat, OpponentStream, StageSpec, TaskSpec};

use crate::games::{self, Components};

fn against_random(stream: OpponentStream) -> TaskSpec {
    let mut stage = games::tictactoe("random");
    stage.learner = LearnerSeat::Random;
    TaskSpec { opponent_stream: stream, ..games::task(vec![stage]) }
}

/// All that the opponent says while the learner takes the first free cell, and what the learner reads first.
fn opponent_moves(spec: &TaskSpec, member: u32) -> Vec<String> {
    let finished = games::play_first_moves(spec, 11, member);
    let lines = read_lines(finished.record.bytes()).expect("a record");
    let by_opponent = |line: Line| match line {
        Line::Reply { by, text, .. } if by == "random" => Some(text),
        _ => None,
    };
    lines.into_iter().filter_map(by_opponent).collect()
}

#[test]
fn the_learner_may_play_several_seats_and_what_it_does_in_each_is_told_apart() {
    let mut spec = games::task(vec![games::tictactoe("learner")]);
    spec.reply = ReplyFormat::Tags;
    let mut episode = games::begin(&spec, 5, 0);
    let replies = ["1", "4", "2", "no cell", "5", "3"].map(|cell| format!("<think></think><answer>{cell}</answer>"));
    let mut asked = Vec::new();
    for reply in &replies {
        let decision = episode.pending()[0].clone();
        assert_eq!(decision.player, Player::Learner);
        asked.push(decision.seat);
        episode.answer(decision.seat, reply);
    }
    assert_eq!(asked, [0, 1, 0, 1, 1, 0]);
    assert_eq!(episode.failed_replies(0, 0).illegal, 0);
    assert_eq!(episode.failed_replies(0, 1).illegal, 1);
    let finished = episode.finish().unwrap();
    let stage = &finished.result.stages[0];
    assert_eq!((stage.score, stage.illegal, stage.moves), (1.0, 0, 3));
    let [other] = stage.further_seats.as_slice() else { panic!("one further seat: {:?}", stage.further_seats) };
    assert_eq!((other.seat, other.score, other.illegal, other.moves), (1, 0.0, 1, 2));
    assert_eq!(finished.result.task_return, 1.0, "its own seat's");
    assert_eq!(replay(finished.record.bytes(), &Components::built()).expect("a replay"), Verdict::Identical);
}

#[test]
fn members_of_a_group_share_the_deal() {
    for game in ["tictactoe", "spy", "matrix", "math"] {
        let mut stage = StageSpec::new(game);
        if game != "math" {
            stage.players = vec!["random".to_string()];
        }
        let spec = games::task(vec![stage]);
        let first = |member| -> Vec<_> {
            let episode: Episode = games::begin(&spec, 7, member);
            episode.pending().to_vec()
        };
        assert_eq!(first(0), first(1), "{game}");
    }
}

#[test]
fn a_position_is_the_same_for_all_who_are_in_it_whatever_they_were_told_last() {
    let spec = games::task(vec![games::tictactoe("random")]);
    let position = |replies: &[&str], member| {
        let mut episode = games::begin(&spec, 7, member);
        for reply in replies {
            let seat = episode.pending()[0].seat;
            episode.answer(seat, reply);
        }
        let decision = episode.pending()[0].clone();
        (decision.prompt, episode.position(decision.seat).expect("the game tells its position"))
    };
    let (first, dealt) = position(&[], 0);
    assert_eq!(position(&[], 1).1, dealt);
    // Who is told that there is no cell 99 is where he was.
    let (told, after_error) = position(&["99"], 0);
    assert_ne!(told, first);
    assert_eq!(after_error, dealt);
    assert_ne!(position(&["5"], 0).1, dealt);
}

#[test]
fn other_seeds_deal_other_games() {
    let spec = games::task(vec![StageSpec::new("math")]);
    let first = |seed| games::begin(&spec, seed, 0).pending()[0].prompt.clone();
    assert_ne!(first(1), first(2));
}

#[test]
fn with_a_group_stream_the_same_history_gets_the_same_reply() {
    let spec = against_random(OpponentStream::Group);
    let moves = opponent_moves(&spec, 0);
    assert!(moves.len() >= 2);
    for member in 1..4 {
        assert_eq!(opponent_moves(&spec, member), moves);
    }
}

#[test]
fn with_an_episode_stream_members_meet_other_luck() {
    let spec = against_random(OpponentStream::Episode);
    let moves = opponent_moves(&spec, 0);
    assert_eq!(opponent_moves(&spec, 0), moves, "an episode is still a function of its seed and member");
    assert!((1..4).any(|member| opponent_moves(&spec, member) != moves));
}

#[test]
fn members_differ_in_their_hashes() {
    let spec = against_random(OpponentStream::Group);
    let hash = |member| games::play_first_moves(&spec, 11, member).record.hash();
    assert_eq!(hash(0), hash(0));
    assert_ne!(hash(0), hash(1));
}

#[test]
fn the_learner_gets_every_seat() {
    let spec = against_random(OpponentStream::Group);
    let seat = |seed| games::play_first_moves(&spec, seed, 0).result.stages[0].learner_seat;
    let seats: Vec<u32> = (0..20).map(seat).collect();
    assert!(seats.contains(&0) && seats.contains(&1), "{seats:?}");
}

/// Both seats of a dilemma are waited for.
fn against_a_person() -> Episode {
    games::begin(&games::task(vec![games::dilemma("person")]), 1, 0)
}

#[test]
fn players_who_decide_at_the_same_time_may_answer_in_any_order() {
    let mut one = against_a_person();
    assert_eq!(one.pending().iter().map(|decision| decision.seat).collect::<Vec<_>>(), [0, 1]);
    one.answer(0, "A");
    assert!(!one.is_over());
    one.answer(1, "B");
    let mut other = against_a_person();
    other.answer(1, "B");
    other.answer(0, "A");
    assert_eq!(one.finish().unwrap(), other.finish().unwrap());
}

#[test]
fn only_the_seat_whose_reply_failed_is_asked_again() {
    let mut episode = against_a_person();
    episode.answer(1, "");
    episode.answer(0, "B");
    assert_eq!(episode.pending().iter().map(|decision| decision.seat).collect::<Vec<_>>(), [1]);
    episode.answer(1, "A");
    assert_eq!(episode.finish().unwrap().result.combined, 1.0, "the move of the other seat was kept");
}

#[test]
fn an_episode_may_be_handed_to_another_thread() {
    let mut episode = games::begin(&games::task(vec![games::tictactoe(games::ROW_PLAYER)]), 1, 0);
    episode.answer(0, "1");
    let finished = std::thread::spawn(move || {
        episode.answer(0, "2");
        episode.answer(0, "3");
        episode.finish().unwrap()
    });
    assert_eq!(finished.join().expect("it ends").result.combined, 1.0);
}
