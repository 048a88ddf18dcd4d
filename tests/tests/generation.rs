//! Generation: what comes of a cache that many conversations share, against the whole forward pass of each alone.

use std::collections::BTreeMap;

use ludus_host::stream::Stream;
use ludus_tests::{device, small_model};
use ludus_trainer::generate::{Reply, Row, Sampling, Session};
use ludus_trainer::model::llama::Llama;
use tch::Kind;

/// What ends a reply.
const END: i64 = 2;

fn llama() -> Llama {
    let folder = tempfile::tempdir().unwrap();
    Llama::load(&small_model(folder.path()), device(), Kind::Float).unwrap()
}

/// A text, and for each place of it where a token was sampled its log-probability.
#[derive(Default)]
struct Text {
    tokens: Vec<i64>,
    sampled: Vec<(usize, f32)>,
}

impl Text {
    fn add(&mut self, reply: &Reply) {
        for (token, log_probability) in reply.tokens.iter().zip(&reply.log_probabilities) {
            self.sampled.push((self.tokens.len(), *log_probability));
            self.tokens.push(*token);
        }
    }

    fn check(&self, llama: &Llama) {
        assert!(!self.sampled.is_empty());
        let log_probabilities = llama.logits_of(&self.tokens).log_softmax(-1, Kind::Float);
        for &(place, found) in &self.sampled {
            let expected = log_probabilities.double_value(&[place as i64 - 1, self.tokens[place]]);
            assert!((f64::from(found) - expected).abs() < 1e-4, "at {place}: {found} is not {expected}");
        }
    }
}

#[test]
fn cached_generation_equals_the_whole_forward_pass() {
    let llama = llama();
    let weights = tch::no_grad(|| llama.weights());
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 0, min_p: 0.0 };
    let mut session = Session::new(&llama, &weights, sampling, &[END]);
    session.share(&[5, 6, 7]);
    let mut waiting: Vec<usize> = (0..24).rev().collect();
    let mut texts: BTreeMap<Row, (usize, Text)> = BTreeMap::new();
    let mut ended = Vec::new();
    let mut draws = Stream::derive(1, &[]);
    // Conversations of one to five turns come and go, six at a time: texts of any length, replies of any length, openings that
    // begin as the shared one does or otherwise.
    loop {
        while let Some(number) = if texts.len() < 6 { waiting.pop() } else { None } {
            let beginning: &[i64] = if number % 3 == 0 { &[9] } else { &[5, 6, 7, 8] };
            let opening: Vec<i64> = beginning.iter().copied().chain((0..draws.below(70)).map(i64::from)).collect();
            let row = session.join(&opening, Stream::derive(number as u64 / 2, &["row".into()]));
            session.ask(row, &[], 1 + draws.below(9) as usize);
            texts.insert(row, (1 + number % 5, Text { tokens: opening, sampled: Vec::new() }));
        }
        if texts.is_empty() {
            break;
        }
        for (row, reply) in session.advance() {
            let (turns, text) = texts.get_mut(&row).unwrap();
            text.add(&reply);
            *turns -= 1;
            if *turns == 0 {
                session.leave(row);
                ended.push(texts.remove(&row).unwrap().1);
            } else {
                let next: Vec<i64> = (0..=draws.below(20)).map(|token| 100 + i64::from(token)).collect();
                text.tokens.extend(&next);
                session.ask(row, &next, 1 + draws.below(9) as usize);
            }
        }
    }
    assert_eq!(ended.len(), 24);
    ended.iter().for_each(|text| text.check(&llama));
}

#[test]
fn conversations_that_have_seen_the_same_reply_as_each_would_alone() {
    const ROWS: usize = 6;
    let llama = llama();
    let weights = tch::no_grad(|| llama.weights());
    let sampling = Sampling { temperature: 0.5, top_p: 1.0, top_k: 3, min_p: 0.0 };
    let play = |numbers: &[usize]| {
        let mut session = Session::new(&llama, &weights, sampling, &[END]);
        session.share(&[5, 6, 7]);
        // Those with the same stream go on alike for ever; others part where their draws do.
        let stream = |number: usize| Stream::derive(number as u64 / 2, &["row".into()]);
        let rows: Vec<Row> = numbers.iter().map(|&number| session.join(&[5, 6, 7, 8], stream(number))).collect();
        let mut turns = Vec::new();
        for turn in 0..4 {
            rows.iter().for_each(|&row| session.ask(row, &[100 + turn, 101], 2));
            turns.push(session.complete().into_values().collect::<Vec<Reply>>());
        }
        turns
    };
    let together = play(&(0..ROWS).collect::<Vec<_>>());
    let mut differing = 0;
    for number in 0..ROWS {
        for (turn, alone) in play(&[number]).iter().enumerate() {
            let reply = &together[turn][number];
            assert_eq!(reply.tokens, alone[0].tokens, "row {number}, turn {turn}");
            for (found, expected) in reply.log_probabilities.iter().zip(&alone[0].log_probabilities) {
                assert!((found - expected).abs() < 1e-4, "row {number}, turn {turn}: {found} is not {expected}");
            }
            differing += usize::from(reply.tokens != together[turn][0].tokens);
        }
    }
    assert!(differing > 0, "all replied alike, so nothing was parted");
}

#[test]
fn a_conversation_that_rests_is_as_it_was_when_others_like_it_have_gone_on() {
    let llama = llama();
    let weights = tch::no_grad(|| llama.weights());
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 0, min_p: 0.0 };
    let mut session = Session::new(&llama, &weights, sampling, &[END]);
    let stream = || Stream::derive(3, &[]);
    let opening = [4, 5, 6, 7];
    let [one, other] = [(); 2].map(|()| session.join(&opening, stream()));
    let mut texts = [(); 2].map(|()| Text { tokens: opening.to_vec(), sampled: Vec::new() });
    session.ask(one, &[], 3);
    session.ask(other, &[], 3);
    for (text, reply) in texts.iter_mut().zip(session.complete().values()) {
        text.add(reply);
    }
    for (row, text) in [(one, 0), (other, 1)] {
        session.ask(row, &[20 + text as i64], 4);
        texts[text].tokens.push(20 + text as i64);
        texts[text].add(&session.complete()[&row]);
    }
    texts.iter().for_each(|text| text.check(&llama));
}
