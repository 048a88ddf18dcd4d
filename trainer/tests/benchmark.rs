//! Benchmarks against EleutherAI's lm-evaluation-harness: what it asked, found and counted as right lies in a fixture, which
//! tests/scripts/benchmark_parity.py makes of our own small questions with the default model.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use ludus_tests::device;
use ludus_trainer::benchmark::asked::Asked;
use ludus_trainer::benchmark::item::Gold;
use ludus_trainer::benchmark::prompt::Prompter;
use ludus_trainer::benchmark::questions::{Questions, Source};
use ludus_trainer::benchmark::report::{Report, Settings};
use ludus_trainer::benchmark::task::Task;
use ludus_trainer::benchmark::{bleu, extract, latex};
use ludus_trainer::model::import::{DEFAULT_MODEL, resolve, standard_cache};
use ludus_trainer::model::llama::Llama;
use serde::Deserialize;
use tch::Kind;

/// Nats. Sums of some dozen log-probabilities; each agrees to 1e-4 or so.
const TOLERANCE: f64 = 1e-3;

#[derive(Deserialize)]
struct Expected {
    latex: Vec<Latex>,
    numbers: Vec<Numbers>,
    letters: Vec<Letter>,
    bleu: Vec<Bleu>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Latex {
    reply: String,
    solution: String,
    gold: String,
    answer: String,
    right: bool,
}

#[derive(Deserialize)]
struct Numbers {
    reply: String,
    gold: String,
    #[serde(rename = "strict-match")]
    strict: Number,
    #[serde(rename = "flexible-extract")]
    flexible: Number,
}

#[derive(Deserialize)]
struct Number {
    answer: String,
    right: f64,
}

#[derive(Deserialize)]
struct Letter {
    reply: String,
    letter: String,
}

#[derive(Deserialize)]
struct Bleu {
    pairs: Vec<(String, Vec<String>)>,
    score: f64,
}

#[derive(Deserialize)]
struct Case {
    task: String,
    shots: usize,
    chat: bool,
    reply_tokens: Option<usize>,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    prompt: String,
    /// By measure; MATH-500's is called `none`.
    right: BTreeMap<String, f64>,
    #[serde(default)]
    log_likelihoods: Vec<f64>,
    reply: Option<String>,
    #[serde(default)]
    extracted: BTreeMap<String, String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/benchmarks")
}

fn expected() -> Expected {
    serde_json::from_slice(&fs::read(folder().join("expected.json")).unwrap()).unwrap()
}

fn model() -> PathBuf {
    standard_cache().and_then(|cache| resolve(DEFAULT_MODEL, &cache)).unwrap_or_else(|error| panic!("{error}"))
}

fn task(name: &str) -> Task {
    Task::from_str(name, false).unwrap()
}

fn questions(task: Task, data: &Path, shots: usize) -> Questions {
    let source = Source { task, data, split: None, examples: None, shots: Some(shots), limit: None };
    Questions::read(&source).unwrap_or_else(|error| panic!("{error}"))
}

/// What the default model answers in a case, and the prompts that it is asked with.
fn answers(llama: &Llama, case: &Case) -> (Vec<String>, Report) {
    let questions = questions(task(&case.task), &folder().join(&case.task), case.shots);
    let prompter = Prompter::open(&model(), case.chat).unwrap();
    let weights = tch::no_grad(|| llama.weights());
    let asked = Asked { name: "default", llama, weights: &weights, prompter: &prompter, pack_tokens: 1024, rows: 5 };
    let settings = Settings {
        task: case.task.clone(),
        data: String::new(),
        split: questions.split.clone(),
        shots: case.shots,
        examples: questions.examples_split.clone(),
        chat: case.chat,
        reply_tokens: case.reply_tokens,
        limit: None,
        precision: "float32".to_owned(),
    };
    let prompt = |item| prompter.text(item, &questions.examples_of(item)).unwrap();
    let prompts = questions.items.iter().map(prompt).collect();
    (prompts, asked.answer(&questions, &settings, &mut |_| {}).unwrap())
}

#[test]
fn every_prompt_choice_and_reply_is_that_of_lm_evaluation_harness() {
    let llama = Llama::load(&model(), device(), Kind::Float).unwrap();
    let cases = expected().cases;
    assert_eq!(cases.len(), 8);
    for case in &cases {
        let (prompts, report) = answers(&llama, case);
        assert_eq!(report.answers.len(), 12, "{}", case.task);
        assert_eq!(case.items.len(), 12, "{}", case.task);
        for ((prompt, answer), item) in prompts.iter().zip(&report.answers).zip(&case.items) {
            let at = format!("{} {}, {} shots, chat {}", case.task, answer.id, case.shots, case.chat);
            assert_eq!(*prompt, item.prompt, "{at}");
            assert_eq!(answer.reply, item.reply, "{at}");
            assert_eq!(answer.log_likelihoods.len(), item.log_likelihoods.len(), "{at}");
            for (found, expected) in answer.log_likelihoods.iter().zip(&item.log_likelihoods) {
                assert!((found - expected).abs() < TOLERANCE, "{at}: {found}, the harness says {expected}");
            }
            assert!(!item.right.is_empty());
            for (measure, right) in &item.right {
                let ours = if measure == "none" { "final-answer" } else { measure };
                let score = answer.scores.iter().find(|score| score.measure == ours).unwrap();
                assert_eq!(score.score, *right, "{at}: {measure}");
                if let Some(extracted) = item.extracted.get(measure).filter(|_| measure != "none") {
                    assert_eq!(score.answer, *extracted, "{at}: {measure}");
                }
            }
        }
    }
}

#[test]
fn answers_are_extracted_and_compared_as_the_harness_does_it() {
    let expected = expected();
    assert!(expected.latex.len() > 20 && expected.numbers.len() > 10 && expected.letters.len() > 5);
    for Latex { reply, solution, gold, answer, right } in &expected.latex {
        assert_eq!(latex::normalized(&latex::last_boxed(solution).unwrap()), *gold, "{solution}");
        let found = latex::normalized(&latex::final_answer(reply));
        assert_eq!(found, *answer, "{reply}");
        assert_eq!(latex::same(&found, gold), *right, "{found} and {gold}");
    }
    for Numbers { reply, gold, strict, flexible } in &expected.numbers {
        for (found, expected) in [(extract::strict_number(reply), strict), (extract::last_number(reply), flexible)] {
            assert_eq!(found, expected.answer, "{reply}");
            assert_eq!(extract::same_number(&found, gold), expected.right == 1.0, "{reply} and {gold}");
        }
    }
    for Letter { reply, letter } in &expected.letters {
        assert_eq!(extract::letter(reply), *letter, "{reply}");
    }
}

#[test]
fn bleu_is_that_of_sacrebleu() {
    let cases = expected().bleu;
    assert!(cases.len() > 5);
    for Bleu { pairs, score } in cases {
        let borrowed: Vec<(&str, &[String])> =
            pairs.iter().map(|(reply, references)| (reply.as_str(), references.as_slice())).collect();
        let found = bleu::corpus(&borrowed);
        assert!((found - score).abs() < 1e-9, "{found}, sacreBLEU says {score}: {pairs:?}");
    }
}

#[test]
fn the_same_rows_in_parquet_and_json_lines_and_csv_are_the_same_items() {
    for name in ["mmlu", "mmlu-pro", "social-iqa", "common-gen", "math-500", "gsm8k"] {
        let task = task(name);
        let shown = |folder: PathBuf, shots: usize| {
            let questions = questions(task, &folder, shots);
            assert_eq!(questions.items.len(), 12, "{}", folder.display());
            let without_id = |item: &ludus_trainer::benchmark::item::Item| {
                let examples: Vec<String> =
                    questions.examples_of(item).iter().map(|example| example.solution.clone()).collect();
                let item = item.clone();
                (item.subject, item.introduction, item.question, item.solution, item.gold, examples)
            };
            questions.items.iter().map(without_id).collect::<Vec<_>>()
        };
        let lines = shown(folder().join(name), 2);
        assert_eq!(shown(folder().join("parquet").join(name), 2), lines, "{name}");
        if task == Task::Mmlu {
            assert_eq!(shown(folder().join("csv").join(name), 2), lines);
        }
    }
}

#[test]
fn an_item_is_never_among_its_own_examples() {
    let folder = folder().join("mmlu");
    let (asked, elsewhere) = (folder.join("dev.jsonl"), tempfile::tempdir().unwrap());
    let copy = elsewhere.path().join("copy.jsonl");
    fs::copy(&asked, &copy).unwrap();
    let read = |data: &Path, examples: Option<&Path>, shots: usize| {
        let source = Source { task: Task::Mmlu, data, split: Some("dev"), examples, shots: Some(shots), limit: None };
        Questions::read(&source)
    };
    // Each of the two subjects has two questions.
    for (data, examples) in [(&folder, None), (&asked, Some(asked.as_path())), (&asked, Some(copy.as_path()))] {
        let questions = read(data, examples, 1).unwrap_or_else(|error| panic!("{error}"));
        let shown = |item| {
            let examples = questions.examples_of(item);
            examples.iter().map(|example| example.question.clone()).collect::<Vec<String>>()
        };
        let found: Vec<Vec<String>> = questions.items.iter().map(shown).collect();
        let question = |index: usize| vec![questions.items[index].question.clone()];
        assert_eq!(found, [question(1), question(0), question(3), question(2)], "{examples:?}");
    }
    let error = read(&folder, None, 2).err().expect("there is no second one").to_string();
    assert!(error.contains("has 2 solved examples about astronomy, and 2 are to be shown besides the one"), "{error}");
}

#[test]
fn references_of_one_set_of_concepts_are_one_item() {
    let questions = questions(Task::CommonGen, &folder().join("common-gen"), 0);
    let Gold::Sentence { concepts, references } = &questions.items[1].gold else { panic!("a sentence") };
    assert_eq!(concepts, &["girl", "song", "sing"]);
    assert_eq!(references.len(), 3);
}

#[test]
fn the_archives_of_social_iqa_and_common_gen_are_read_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let row = |context: &str| {
        format!(r#"{{"context": "{context}", "question": "Q", "answerA": "a", "answerB": "b", "answerC": "c"}}"#)
    };
    let social = folder.path().join("social");
    fs::create_dir(&social).unwrap();
    fs::write(social.join("dev.jsonl"), format!("{}\n{}\n", row("one"), row("two"))).unwrap();
    fs::write(social.join("dev-labels.lst"), "3\n1\n").unwrap();
    let found = questions(Task::SocialIqa, &social, 0);
    assert_eq!(found.items.iter().map(|item| item.gold.shown()).collect::<Vec<String>>(), ["c", "a"]);
    let source = Source { task: Task::SocialIqa, data: &social, split: None, examples: None, shots: None, limit: None };
    let refused = || Questions::read(&source).err().expect("labels and rows do not belong together").to_string();
    for (labels, count) in [("3\n", 1), ("3\n1\n2\n", 3)] {
        fs::write(social.join("dev-labels.lst"), labels).unwrap();
        let error = refused();
        assert!(error.contains(&format!("it has {count} labels for the 2 lines of ")), "{error}");
    }
    fs::write(social.join("dev-labels.lst"), b"3\n\xff\n").unwrap();
    assert!(refused().contains("dev-labels.lst: it is not UTF-8 text"), "{}", refused());
    fs::remove_file(social.join("dev-labels.lst")).unwrap();
    assert!(refused().contains("row 1: it has no `label`"), "{}", refused());

    let common = folder.path().join("common");
    fs::create_dir(&common).unwrap();
    let lines = concat!(
        r#"{"concept_set": "boat#river#row", "scene": ["A man rows a boat.", "Boats on a river."]}"#,
        "\n",
        r#"{"concept_set": "cup#fill", "scene": ["She fills a cup."]}"#
    );
    fs::write(common.join("commongen.dev.jsonl"), lines).unwrap();
    let found = questions(Task::CommonGen, &common, 0);
    let Gold::Sentence { concepts, references } = &found.items[0].gold else { panic!("a sentence") };
    assert_eq!((concepts.join(" "), references.len(), found.items.len()), ("boat river row".to_owned(), 2, 2));
    assert_eq!(found.items[0].question, "Words: boat, river, row\nSentence:");
}

/// What reading a file with this content says.
fn sentence(task: Task, name: &str, content: impl AsRef<[u8]>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let source = Source { task, data: &path, split: None, examples: None, shots: Some(0), limit: None };
    match Questions::read(&source) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_file_that_lacks_something_is_named_with_the_row_and_what_is_missing() {
    let row = r#"{"question": "Q", "choices": ["a", "b", "c", "d"], "answer": 1, "subject": "s"}"#;
    let social = r#"{"context": "C", "question": "Q", "answerA": "a", "answerB": "b", "answerC": "c", "label": 1}"#;
    let cases: [(Task, &str, String, &str); 15] = [
        (
            Task::Mmlu,
            "x.jsonl",
            format!("{row}\n{{\"question\": \"Q\"}}"),
            "x.jsonl, row 2: it has no `A`, but question",
        ),
        (Task::Mmlu, "x.jsonl", row.replace("1,", "7,"), "row 1: its `answer` is `7`: it must be A to D, or 0 to 3"),
        (Task::Mmlu, "x.jsonl", row.replace(", \"d\"", ""), "row 1: it has 3 choices, not 4"),
        (Task::Mmlu, "x.jsonl", format!("{row}\nnonsense"), "row 2: it is no JSON object"),
        // The line, as an editor shows it.
        (Task::Mmlu, "x.jsonl", format!("{row}\n\n  \n{{}}\n"), "row 4: it has no `A`, but nothing"),
        (Task::Mmlu, "x.jsonl", format!("\n{row}\nnonsense"), "row 3: it is no JSON object"),
        (Task::Mmlu, "x.jsonl", row.replace("\"Q\"", "null"), "row 1: its `question` is null: fill it in"),
        (Task::Mmlu, "x.jsonl", r#"{"choices": null}"#.to_owned(), "row 1: it has no `A`, but choices (null)"),
        (Task::Mmlu, "x.jsonl", String::new(), "has no items"),
        (Task::Mmlu, "x.csv", "a,b\n".to_owned(), "its first line is no header and has 2 columns"),
        (Task::Mmlu, "x.csv", "q,1,2,3,4,A\nq,1,2\n".to_owned(), "row 2: it has 3 fields, and the first row has 6"),
        (Task::Gsm8k, "x.jsonl", r#"{"question": "Q", "answer": "7"}"#.to_owned(), "its `answer` has no `#### `"),
        (Task::MmluPro, "x.jsonl", r#"{"options": "none"}"#.to_owned(), "its `options` is no list of texts"),
        (Task::SocialIqa, "x.jsonl", social.replace("\"b\"", "\" \""), "row 1: its `answerB` is empty: fill it in"),
        (Task::SocialIqa, "x.txt", String::new(), "its ending is not one of those that are read"),
    ];
    for (task, name, content, expected) in cases {
        let found = sentence(task, name, &content);
        assert!(found.contains(expected) && !found.contains('\n'), "{content}: {found}");
    }
}

#[test]
fn a_damaged_parquet_file_is_refused_or_read_and_never_ends_the_program() {
    let whole = fs::read(folder().join("parquet/social-iqa/train-00000-of-00001.parquet")).unwrap();
    assert_eq!(sentence(Task::SocialIqa, "x.parquet", &whole), "");
    let mut refused = 0;
    for at in (0..whole.len()).step_by(7) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0xff;
        for damaged in [&flipped, &whole[..at]] as [&[u8]; 2] {
            refused += usize::from(!sentence(Task::SocialIqa, "x.parquet", damaged).is_empty());
        }
    }
    assert!(refused > whole.len() / 7, "{refused} of {} damages are noticed", 2 * whole.len() / 7);
}
