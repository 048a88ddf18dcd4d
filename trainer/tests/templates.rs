//! Conversations as each family's chat template wants them, against transformers: what it rendered and tokenized lies beside the
//! tiny models that tests/scripts/family_parity.py makes.

use std::fs;
use std::path::{Path, PathBuf};

use ludus_trainer::chat::Chat;
use serde::Deserialize;

const FAMILIES: [&str; 5] = ["smollm2", "llama3", "qwen2", "qwen2_tied", "qwen3"];

#[derive(Deserialize)]
struct Expected {
    texts: Vec<Text>,
    conversations: Vec<Conversation>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<i64>,
}

#[derive(Deserialize)]
struct Conversation {
    messages: Vec<Message>,
    text: String,
    ids: Vec<i64>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

fn folder(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/families").join(family)
}

fn chat(family: &str) -> Chat {
    Chat::open(&folder(family)).unwrap()
}

fn expected(family: &str) -> Expected {
    serde_json::from_slice(&fs::read(folder(family).join("expected.json")).unwrap()).unwrap()
}

/// A family's tokenizer with another template.
fn open_with(family: &str, template: &str) -> Result<Chat, String> {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(folder(family).join(name), dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("chat_template.jinja"), template).unwrap();
    Chat::open(dir.path()).map_err(|error| error.to_string())
}

#[test]
fn every_familys_conversations_are_written_as_transformers_writes_them() {
    for family in FAMILIES {
        let chat = chat(family);
        for Conversation { messages, text, ids } in expected(family).conversations {
            let (system, turns) = match messages.split_first() {
                Some((first, turns)) if first.role == "system" => (Some(first.content.as_str()), turns),
                _ => (None, messages.as_slice()),
            };
            let (last, earlier) = turns.split_last().unwrap();
            let earlier: Vec<(String, String)> =
                earlier.chunks_exact(2).map(|pair| (pair[0].content.clone(), pair[1].content.clone())).collect();
            let found = chat.opening(system, &earlier, &last.content, "").unwrap();
            assert_eq!(chat.decode_all(&found), text, "{family}");
            assert_eq!(found, ids, "{family}: {text}");
        }
    }
}

#[test]
fn every_familys_texts_are_cut_as_transformers_cuts_them() {
    for family in FAMILIES {
        let chat = chat(family);
        for Text { text, ids } in expected(family).texts {
            assert_eq!(chat.encode(&text).unwrap(), ids, "{family}: {text:?}");
        }
    }
}

#[test]
fn in_every_family_the_pieces_of_a_conversation_are_the_whole_that_its_template_writes() {
    let (users, replies) = (["Your cell:", "Free: 2 3", " And\nnow?"], ["5", "the 12, in"]);
    for family in FAMILIES {
        let chat = chat(family);
        let end = chat.end_of_turn().unwrap();
        assert!(chat.is_end(end), "{family}");
        for (system, ended) in [(None, true), (None, false), (Some("Answer."), true), (Some(""), false)] {
            let mut joined = chat.opening(system, &[], users[0], "").unwrap();
            for (reply, user) in replies.iter().zip(&users[1..]) {
                joined.extend(chat.encode(reply).unwrap());
                joined.extend(Some(end).filter(|_| ended));
                joined.extend(chat.next_turn(ended, user, "").unwrap());
            }
            let earlier: Vec<(String, String)> =
                users.iter().zip(replies).map(|(user, reply)| ((*user).to_owned(), reply.to_owned())).collect();
            assert_eq!(joined, chat.opening(system, &earlier, users[2], "").unwrap(), "{family}");
        }
    }
}

#[test]
fn a_reply_ends_where_its_family_ends_it() {
    let end = |family: &str| {
        let chat = chat(family);
        let text = |id: i64| chat.decode_all(&[id]);
        (text(chat.end_of_turn().unwrap()), chat.end_ids().iter().map(|&id| text(id)).collect::<Vec<_>>())
    };
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    assert_eq!(end("llama3"), ("<|eot_id|>".to_owned(), words(&["<|end_of_text|>", "<|eot_id|>"])));
    assert_eq!(end("qwen2"), ("<|im_end|>".to_owned(), words(&["<|im_end|>"])));
    assert_eq!(end("qwen3"), ("<|im_end|>".to_owned(), words(&["<|endoftext|>", "<|im_end|>"])));
}

#[test]
fn what_qwen3_thought_stays_in_the_conversation_that_was_sampled() {
    let chat = chat("qwen3");
    let reply = "<think>\nthe 2 or 3\n</think>\n\n2";
    let mut joined = chat.opening(None, &[], "Free: 2 3", "").unwrap();
    joined.extend(chat.encode(reply).unwrap());
    joined.extend(chat.next_turn(false, "Free: 3", "").unwrap());
    let turn = |role: &str, text: &str| format!("<|im_start|>{role}\n{text}<|im_end|>\n");
    let (first, second, begun) = (turn("user", "Free: 2 3"), turn("user", "Free: 3"), "<|im_start|>assistant\n");
    assert_eq!(chat.decode_all(&joined), format!("{first}{}{second}{begun}", turn("assistant", reply)));

    let rendered = chat.opening(None, &[("Free: 2 3".to_owned(), reply.to_owned())], "Free: 3", "").unwrap();
    assert_eq!(chat.decode_all(&rendered), format!("{first}{}{second}{begun}", turn("assistant", "2")));
}

#[test]
fn a_template_may_begin_the_replies_that_it_asks_for() {
    let thinking = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}\
                    {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>\\n' }}{% endif %}";
    let chat = open_with("qwen3", thinking).unwrap();
    let begun = "<|im_start|>assistant\n<think>\n";
    assert!(chat.decode_all(&chat.opening(None, &[], "x", "").unwrap()).ends_with(begun));
    assert!(chat.decode_all(&chat.next_turn(true, "x", "").unwrap()).ends_with(begun));
}

#[test]
fn a_template_that_cannot_go_on_turn_by_turn_is_refused() {
    let with = |line: &str| format!("{{% for m in messages %}}{line}{{% endfor %}}{{{{ '<|im_start|>' }}}}");
    for (what, template) in [
        (
            "the number of turns stands at the top",
            "{{ messages | length }}".to_owned() + &with("{{ m.role + m.content }}<|im_end|>"),
        ),
        (
            "the system text goes along with the last turn",
            with("{% if loop.last %}{{ messages[0].content }}{% endif %}{{ m.content }}<|im_end|>"),
        ),
        ("only the last turns are shown", with("{% if loop.revindex < 4 %}{{ m.content }}<|im_end|>{% endif %}")),
        (
            "earlier replies are marked",
            with("{{ m.content }}{% if loop.index == 2 and messages | length > 3 %}!{% endif %}"),
        ),
    ] {
        let problem = open_with("qwen2", &template).err().unwrap_or_else(|| panic!("{what}: it is not refused"));
        assert!(problem.contains("turn by turn"), "{what}: {problem}");
    }
    let silent = open_with("qwen2", &with("{% if m.role == 'user' %}{{ m.content }}{% endif %}")).err().unwrap();
    assert!(silent.contains("leaves the assistant's earlier reply out"), "{silent}");
}

#[test]
fn a_template_without_a_place_for_a_system_text_is_taken_and_refuses_one_itself() {
    let template = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system texts') }}{% endif %}\
                    {{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{{ '<|im_start|>assistant\\n' }}";
    let chat = open_with("qwen2", template).unwrap();
    assert!(chat.opening(None, &[], "x", "").is_ok());
    assert!(chat.opening(Some("s"), &[], "x", "").unwrap_err().to_string().contains("no system texts"));
}
