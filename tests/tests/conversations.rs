//! Token in, token out, over random conversations: games, prompts, examples, prefixes, limits and ways of sampling are
//! drawn, and so are the replies. Each is played once more by hand, which is the measure of all that follows.

use std::path::Path;
use std::sync::Arc;

use ludus_host::episode::Episode;
use ludus_host::reply::ReplyFormat;
use ludus_host::stream::Stream;
use ludus_tests::{device, library, small_model};
use ludus_trainer::chat::Chat;
use ludus_trainer::generate::{Reply, Row, Sampling, Session};
use ludus_trainer::gradients;
use ludus_trainer::learner::{Learner, asked_task};
use ludus_trainer::model::llama::{Llama, Weights};
use ludus_trainer::objective::Objective;
use ludus_trainer::pack::{Pack, Sample};
use ludus_trainer::plan::Plan;
use ludus_trainer::recipe::read;
use ludus_trainer::rollout::{Job, Trajectory};
use ludus_trainer::sampled::SampledEpisode;
use tch::Kind;

const RECIPES: u64 = 16;
/// Rounding, of a network in float32.
const ROUNDING: f64 = 1e-3;

/// How often each thing came up that a conversation need not have.
#[derive(Default)]
struct Seen {
    replies: usize,
    cut: usize,
    truncated: usize,
    sampled_by_hand: usize,
}

#[test]
fn in_any_conversation_the_tokens_trained_on_are_those_that_were_sampled_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model(folder.path());
    let library = library();
    let mut seen = Seen::default();
    for number in 0..RECIPES {
        let mut stream = Stream::derive(number, &["conversations".into()]);
        let text = random_recipe(&model, &mut stream);
        let recipe = read::parse(&text, "a random recipe", &[]).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let plan = Plan::from_recipe(recipe, &library).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut learner = talkative(&plan, &model);
        let trajectories = learner.roll_out(0, &mut |_| {}).unwrap().trajectories;
        let weights = tch::no_grad(|| learner.llama.weights());
        for trajectory in &trajectories {
            let by_hand = ByHand::play(&learner, trajectory.job, &mut said_in(trajectory, learner.chat.end_ids()));
            by_hand.check(trajectory, &text);
            by_hand.check_what_is_kept(trajectory);
            // Alone in its batch an episode is computed as by hand, to the last bit.
            if plan.recipe.rollout.batch_rows == 1 {
                let mut sampler = sampler(&learner, &weights, trajectory.job);
                ByHand::play(&learner, trajectory.job, &mut sampler).check(trajectory, &text);
                seen.sampled_by_hand += 1;
            }
            seen.replies += by_hand.replies.len();
            seen.cut += by_hand.replies.iter().filter(|reply| !reply.ended).count();
            seen.truncated += usize::from(by_hand.truncated);
        }
        check_update(&mut learner, &trajectories, &mut stream);
    }
    // Nothing was shown of what did not happen.
    let Seen { replies, cut, truncated, sampled_by_hand } = seen;
    let counts = format!("{replies} replies, {cut} cut off; {truncated} truncated, {sampled_by_hand} sampled by hand");
    assert!(cut > 50 && replies - cut > 50 && truncated > 5 && sampled_by_hand > 5, "{counts}");
}

/// Who replies by hand: from what is newly read and the most tokens that the reply may have.
type Replies<'a> = dyn FnMut(Vec<i64>, usize) -> Reply + 'a;

/// The replies that stand in a trajectory, where what is read before them says that they should.
fn said_in<'a>(trajectory: &'a Trajectory, end_ids: &'a [i64]) -> impl FnMut(Vec<i64>, usize) -> Reply + 'a {
    let mut at = 0;
    move |read, tokens_max| {
        let start = at + read.len();
        let is_sampled = |place: &usize| trajectory.sampled.get(*place) == Some(&true);
        let length = (start..start + tokens_max).take_while(is_sampled).count();
        at = start + length;
        let tokens = trajectory.tokens[start..at].to_vec();
        let ended = tokens.last().is_some_and(|last| end_ids.contains(last));
        Reply { tokens, log_probabilities: trajectory.log_probabilities[start..at].to_vec(), ended }
    }
}

/// A session of one row that samples as the row of this job does.
fn sampler<'a>(learner: &'a Learner<'_>, weights: &'a Weights, job: Job) -> impl FnMut(Vec<i64>, usize) -> Reply + 'a {
    let recipe = &learner.plan.recipe;
    let rollout = &recipe.rollout;
    let (temperature, top_p, top_k, min_p) =
        (rollout.temperature, rollout.top_p, i64::from(rollout.top_k), rollout.min_p);
    let sampling = Sampling { temperature, top_p, top_k, min_p };
    let purpose = Stream::derive(recipe.seed, &["sampling".into(), "training".into()]).next_u64();
    let stream = Stream::derive(purpose, &["sampling".into(), job.seed.into(), job.member.into()]);
    let mut session = Session::new(&learner.llama, weights, sampling, learner.chat.end_ids());
    let mut row: Option<Row> = None;
    move |read, reply_tokens_max| {
        match row {
            Some(row) => session.ask(row, &read, reply_tokens_max),
            None => {
                let joined = session.join(&read, stream.clone());
                session.ask(joined, &[], reply_tokens_max);
                row = Some(joined);
            }
        }
        session.complete().into_values().next().expect("a reply")
    }
}

/// An episode that was played without anything of `rollout`, and written down as it happened.
#[derive(Default)]
struct ByHand {
    tokens: Vec<i64>,
    sampled: Vec<bool>,
    log_probabilities: Vec<f32>,
    replies: Vec<Reply>,
    truncated: bool,
    record: String,
}

impl ByHand {
    fn play(learner: &Learner<'_>, job: Job, replies: &mut Replies<'_>) -> ByHand {
        let planned = &learner.plan.tasks[job.task];
        let task = asked_task(learner.plan, &planned.stages, &planned.stages, &planned.task);
        let context_tokens = learner.plan.recipe.rollout.context_tokens as usize;
        let mut episode = Episode::new(Arc::clone(&task.task), job.seed, job.member);
        let mut played = ByHand::default();
        while let Some(decision) = episode.pending().first().cloned() {
            let shape = &task.replies[decision.stage];
            let read = match played.tokens.last() {
                None => {
                    let system = task.system.as_deref();
                    learner.chat.opening(system, &task.examples, &decision.prompt, &shape.prefix)
                }
                last => {
                    let ended = last.copied() == learner.chat.end_of_turn();
                    learner.chat.next_turn(ended, &decision.prompt, &shape.prefix)
                }
            };
            let read = read.unwrap();
            if played.tokens.len() + read.len() + shape.tokens_max > context_tokens {
                played.truncated = true;
                episode.truncate();
                break;
            }
            played.tokens.extend(&read);
            played.sampled.resize(played.tokens.len(), false);
            played.log_probabilities.resize(played.tokens.len(), 0.0);
            let reply = replies(read, shape.tokens_max);
            played.tokens.extend(&reply.tokens);
            played.sampled.resize(played.tokens.len(), true);
            played.log_probabilities.extend(&reply.log_probabilities);
            let said = learner.chat.decode(&reply.tokens);
            let said = if task.format == ReplyFormat::Tags { format!("{}{said}", shape.prefix) } else { said };
            episode.answer(decision.seat, &said);

            assert!((1..=shape.tokens_max).contains(&reply.tokens.len()), "a reply is bounded, and is there");
            assert!(reply.ended || reply.tokens.len() == shape.tokens_max, "only the limit cuts a reply off");
            played.replies.push(reply);
        }
        played.record = episode.finish().unwrap().record.hash().to_string();
        played
    }

    /// The trajectory of a whole rollout is the same: its tokens, which of them were sampled and how likely they were, and
    /// what the game was told.
    fn check(&self, trajectory: &Trajectory, recipe: &str) {
        assert_eq!(trajectory.truncated, self.truncated, "{recipe}");
        assert_eq!(trajectory.finished.record.hash().to_string(), self.record, "{recipe}");
        let cut = self.replies.iter().filter(|reply| !reply.ended).count();
        assert_eq!((trajectory.replies as usize, trajectory.replies_cut as usize), (self.replies.len(), cut));
        if self.replies.is_empty() {
            // What does not fit was not read; of what was, all rows read the same.
            assert!(!trajectory.sampled.contains(&true), "{recipe}");
            return;
        }
        assert_eq!(trajectory.tokens, self.tokens, "{recipe}");
        assert_eq!(trajectory.sampled, self.sampled, "{recipe}");
        assert_eq!(trajectory.log_probabilities, self.log_probabilities, "{recipe}");
    }

    /// What is kept of it says the same, and marks each reply that was cut off.
    fn check_what_is_kept(&self, trajectory: &Trajectory) {
        let kept = SampledEpisode::of(trajectory);
        let of_hand: Vec<(&[i64], bool)> = self.replies.iter().map(|reply| (&*reply.tokens, !reply.ended)).collect();
        let of_kept: Vec<(&[i64], bool)> = kept.replies.iter().map(|reply| (&*reply.ids, reply.cut)).collect();
        assert_eq!(of_kept, of_hand);
        for reply in &kept.replies {
            assert_eq!(trajectory.tokens[reply.at..reply.at + reply.ids.len()], reply.ids);
        }
    }
}

/// An update is made of the sampled tokens alone, and they are as likely in it as when they were sampled.
fn check_update(learner: &mut Learner<'_>, trajectories: &[Trajectory], stream: &mut Stream) {
    // Whatever was not sampled would spoil every sum that it came into.
    let of_sampled = |trajectory: &Trajectory, value: &dyn Fn(usize) -> f32| -> Vec<f32> {
        (0..trajectory.tokens.len()).map(|at| if trajectory.sampled[at] { value(at) } else { f32::NAN }).collect()
    };
    let sampled: usize = trajectories.iter().flat_map(|trajectory| &trajectory.sampled).filter(|&&yes| yes).count();
    let advantages: Vec<_> = trajectories.iter().map(|one| of_sampled(one, &|at| (at % 3) as f32 - 1.0)).collect();
    let weights: Vec<_> = trajectories.iter().map(|one| of_sampled(one, &|_| 1.0 / sampled as f32)).collect();
    let chances: Vec<_> = trajectories.iter().map(|one| of_sampled(one, &|at| one.log_probabilities[at])).collect();
    let samples: Vec<Sample> = (0..trajectories.len())
        .map(|index| Sample {
            tokens: &trajectories[index].tokens,
            trained: &trajectories[index].sampled,
            log_probabilities: &chances[index],
            advantages: &advantages[index],
            weights: &weights[index],
            sequences: &trajectories[index].stages,
        })
        .collect();
    let expected: Vec<i64> = trajectories
        .iter()
        .flat_map(|one| one.tokens.iter().zip(&one.sampled).filter(|(_, sampled)| **sampled).map(|(token, _)| *token))
        .collect();
    let temperature = learner.plan.recipe.rollout.temperature;
    let objective = Objective { entropy_bonus: 0.01, temperature, ..Objective::clipped(0.2, 0.28) };
    for pack_tokens in [1 + stream.below(600) as usize, 1 << 20] {
        let packs = Pack::all(&samples, pack_tokens);
        let trained: Vec<i64> = packs.iter().flat_map(|pack| pack.targets.iter().copied()).collect();
        assert_eq!(trained, expected, "packs of {pack_tokens}");
        for pack in &packs {
            let sums = objective.backward(&learner.llama, pack);
            assert!(sums.loss.is_finite(), "packs of {pack_tokens}");
            assert!(sums.ratio_off_max < ROUNDING, "packs of {pack_tokens}: off by {}", sums.ratio_off_max);
        }
        gradients::clear(&mut learner.llama.parameters);
    }
}

/// What a tokenizer was saved with decides neither how long a conversation is nor what a network can read.
#[test]
fn a_tokenizer_neither_cuts_nor_pads_and_has_no_token_that_the_network_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model(folder.path());
    let file = model.join("tokenizer.json");
    let saved: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let open = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = saved.clone();
        change(&mut changed);
        std::fs::write(&file, changed.to_string()).unwrap();
        Chat::open(&model)
    };
    let text = "Whose move is it? ".repeat(40);
    let plain = open(&|_| {}).unwrap().encode(&text).unwrap();
    let set = open(&|tokenizer| {
        tokenizer["truncation"] =
            serde_json::json!({ "max_length": 20, "strategy": "LongestFirst", "stride": 0, "direction": "Right" });
        tokenizer["padding"] = serde_json::json!({ "strategy": { "Fixed": 512 }, "direction": "Right",
            "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>" });
    });
    assert_eq!(set.unwrap().encode(&text).unwrap(), plain);
    let refused = open(&|tokenizer| {
        tokenizer["added_tokens"].as_array_mut().unwrap().push(serde_json::json!({ "id": 49152, "content": "zzz",
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false }));
    });
    let sentence = refused.err().unwrap().to_string();
    assert!(sentence.contains("`zzz` as number 49152, but the network has 49152 tokens"), "{sentence}");
}

/// The small model, made to end some of its replies: noise over fifty thousand tokens would never do so.
fn talkative<'a>(plan: &'a Plan, folder: &Path) -> Learner<'a> {
    let llama = Llama::load(folder, device(), Kind::Float).unwrap();
    let chat = Chat::open(folder).unwrap();
    let (_, embedding) = llama.parameters.iter().find(|(name, _)| name == "model.embed_tokens.weight").unwrap();
    tch::no_grad(|| {
        let mut end = embedding.get(chat.end_of_turn().unwrap());
        end *= 20.0;
    });
    Learner::new(plan, llama, chat)
}

/// A recipe for one step of anything, on the model in `folder`.
fn random_recipe(folder: &Path, stream: &mut Stream) -> String {
    let stages: Vec<String> = (0..1 + stream.below(3)).map(|_| random_stage(stream)).collect();
    let kind = if stages.len() == 1 { "single" } else { ["nested", "mixed"][stream.below(2) as usize] };
    let (format, prefix) =
        [("bare", ""), ("bare", "I choose "), ("tags", ""), ("tags", "<think>")][stream.below(4) as usize];
    let system = if stream.below(3) == 0 { String::new() } else { random_text(stream) };
    let (top_p, top_k, min_p) =
        [(1.0, 0, 0.0), (0.7, 0, 0.0), (1.0, 20, 0.0), (0.95, 0, 0.05)][stream.below(4) as usize];
    format!(
        "name = \"random\"\nsteps = 1\nseed = {}\n\
         [model]\nsource = {}\nprecision = \"float32\"\ndevice = \"cpu\"\n\
         [task]\nkind = \"{kind}\"\nopponent_stream = \"episode\"\nreveal = {}\n\
         [reply]\nformat = \"{format}\"\nprefix = \"{prefix}\"\nsystem = {}\ntokens = {}\n\
         [rollout]\ngroups = 1\ngroup_size = {}\ntemperature = {}\ntop_p = {top_p}\ntop_k = {top_k}\nmin_p = {min_p}\n\
         context_tokens = {}\nbatch_rows = {}\n\
         {}",
        stream.below(1000),
        quoted(&folder.to_string_lossy()),
        stream.below(2) == 0,
        quoted(&system),
        1 + stream.below(6),
        2 + stream.below(4),
        0.5 + f64::from(stream.below(10)) / 10.0,
        300 + stream.below(900),
        [1, 1, 3, 6][stream.below(4) as usize],
        stages.concat(),
    )
}

fn random_stage(stream: &mut Stream) -> String {
    const GAMES: [&str; 7] = ["matrix", "tictactoe", "math", "dilemma-talk", "codewords", "battleship", "spy"];
    let examples: Vec<String> = (0..stream.below(3))
        .map(|_| format!("{{prompt = {}, reply = {}}}", quoted(&random_text(stream)), quoted(&random_text(stream))))
        .collect();
    format!(
        "[[stage]]\ngame = \"{}\"\nattempts = {}\non_illegal = \"{}\"\nexamples = [{}]\n",
        GAMES[stream.below(GAMES.len() as u32) as usize],
        1 + stream.below(3),
        ["random", "forfeit"][stream.below(2) as usize],
        examples.join(", "),
    )
}

/// Words that a tokenizer and a template may stumble over.
fn random_text(stream: &mut Stream) -> String {
    const WORDS: [&str; 12] = [
        "Play",
        " well",
        "5",
        "12 ",
        "\n",
        "  ",
        "crème",
        "雪",
        "<|im_end|>",
        "<|im_start|>assistant\n",
        "</answer>",
        "\u{200d}",
    ];
    (0..1 + stream.below(9)).map(|_| WORDS[stream.below(WORDS.len() as u32) as usize]).collect()
}

/// A text as TOML writes it, which is as JSON does.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
