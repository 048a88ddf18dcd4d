//! What a server's status and body mean.
//!
//! ```text
//! 2xx with a reply                      said
//! 408, 425, 429, 5xx, an unreadable 2xx    the call is made again
//! 400, 413, 422 about the context's length   this conversation is too long for this model; others are not
//! every other one                       refused for good
//! ```

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Try {
    Said(String),
    /// The conversation does not fit into the model's context.
    TooLong(String),
    /// It may go better next time, after the wait that the server asks for.
    Again {
        reason: String,
        wait: Option<Duration>,
    },
    /// It will never go better.
    Refused(String),
}

/// The part of a chat completion that is read.
#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Spoken,
}

#[derive(Deserialize)]
struct Spoken {
    /// Not there where a model has only thought.
    content: Option<String>,
}

/// Reads an answer that has come whole. Its texts are as the server wrote them.
pub(super) fn read(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Try {
    if status.is_success() {
        let first = |completion: Completion| completion.choices.into_iter().next();
        return match serde_json::from_slice(body).map(first) {
            Ok(Some(choice)) => Try::Said(choice.message.content.unwrap_or_default()),
            Ok(None) => again("its answer has no choices".to_string(), None),
            Err(error) => again(format!("its answer cannot be read ({error})"), None),
        };
    }
    let said = message(body);
    let sentence = if said.is_empty() { status.to_string() } else { format!("{status}: {said}") };
    match status.as_u16() {
        408 | 425 | 429 | 500..=599 => again(format!("it answers {sentence}"), retry_after),
        400 | 413 | 422 if is_about_length(&said) => Try::TooLong(format!("it answers {sentence}")),
        401 | 403 => Try::Refused(format!("{sentence}; look at its `key_variable`")),
        404 | 300..=399 => Try::Refused(format!("{sentence}; look at its `url` and its `model`")),
        _ => Try::Refused(sentence),
    }
}

pub(super) fn again(reason: String, wait: Option<Duration>) -> Try {
    Try::Again { reason, wait }
}

/// The words in an error body: `{"error": {"message": …}}`, or what servers write in its place.
fn message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let Ok(value) = serde_json::from_str::<Value>(&text) else { return one_line(&text) };
    // Gemini's endpoint puts the object into a list.
    let value = value.get(0).unwrap_or(&value);
    let places = [value.pointer("/error/message"), value.get("message"), value.get("error"), value.get("detail")];
    match places.into_iter().flatten().find_map(Value::as_str) {
        Some(words) => one_line(words),
        // Written anew: a server may escape what it likes, and a key would not be known again.
        None => one_line(&value.to_string()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_about_length(message: &str) -> bool {
    let message = message.to_lowercase();
    ["context length", "context_length", "context size", "context window", "maximum context", "too long", "token count"]
        .iter()
        .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Try {
        read(StatusCode::from_u16(status).expect("a status"), Some(Duration::from_secs(3)), body.as_bytes())
    }

    #[test]
    fn the_first_choices_words_are_the_reply_and_none_are_an_empty_one() {
        let body = r#"{"id":"1","choices":[{"index":0,"message":{"role":"assistant","content":"b2"}},{}]}"#;
        assert_eq!(of(200, &body.replace(",{}", "")), Try::Said("b2".to_string()));
        let silent = r#"{"choices":[{"message":{"content":null,"reasoning_content":"hm"}}]}"#;
        assert_eq!(of(200, silent), Try::Said(String::new()));
    }

    #[test]
    fn an_answer_that_cannot_be_read_and_a_busy_server_are_tried_again() {
        for body in ["", "<html>", "{}", r#"{"choices":[]}"#, r#"{"choices":[{"message":{"content":5}}]}"#] {
            assert!(matches!(of(200, body), Try::Again { wait: None, .. }), "{body}");
        }
        for status in [408, 425, 429, 500, 502, 503, 529] {
            assert!(matches!(of(status, "busy"), Try::Again { wait: Some(_), .. }), "{status}");
        }
    }

    #[test]
    fn a_refusal_quotes_the_servers_words() {
        for (status, body) in [
            (401, r#"{"error":{"message":"Incorrect API key.","code":"invalid_api_key"}}"#),
            (404, r#"{"object":"error","message":"The model `m` does not exist."}"#),
            (400, r#"[{"error":{"code":400,"message":"Bad role."}}]"#),
            (403, r#"{"detail":"Forbidden."}"#),
            (307, "moved\n to\tanother place"),
        ] {
            let Try::Refused(sentence) = of(status, body) else { panic!("{status} is a refusal") };
            let words =
                ["Incorrect API key.", "`m` does not exist.", "Bad role.", "Forbidden.", "moved to another place"];
            assert!(words.iter().any(|words| sentence.contains(words)), "{sentence}");
            assert!(sentence.starts_with(&status.to_string()) && !sentence.contains('{'), "{sentence}");
        }
    }

    #[test]
    fn a_conversation_that_is_too_long_is_no_refusal_of_the_others() {
        let body = r#"{"error":{"message":"This model's maximum context length is 4096 tokens."}}"#;
        assert!(matches!(of(400, body), Try::TooLong(_)));
    }
}
