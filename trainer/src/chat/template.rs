//! A model's chat template: Jinja, rendered as transformers renders it.
//!
//! transformers sets `trim_blocks`, `lstrip_blocks` and loop controls, gives templates
//! `raise_exception`, `strftime_now` and a `tojson` that writes as Python's `json` does, and
//! templates use Python's string methods. All of that is here. Left out: tools, documents, and
//! `{% generation %}` marks, which are transformers' own extension to Jinja.

use std::io;
use std::path::Path;

use ludus_host::regular_file;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde::Deserialize;

use super::ChatError;
use super::python_json::to_json;

/// The day that `strftime_now` tells. A fixed one: a prompt that changed every midnight would
/// change the run, and no clock may decide a result.
const TODAY: Date = Date { year: 2026, month: 1, day: 1 };

const NAME: &str = "chat";

/// Steps of a template, for one conversation.
const FUEL: u64 = 20_000_000;

/// One message of a conversation.
pub struct Message {
    role: &'static str,
    content: String,
}

impl Message {
    pub fn new(role: &'static str, content: String) -> Self {
        Self { role, content }
    }
}

/// A compiled template, with the special tokens that it may name.
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    tokens: Tokens,
}

impl Template {
    /// Reads the template in a model's folder: `chat_template.jinja`, else the `chat_template` in
    /// `tokenizer_config.json`.
    pub fn open(dir: &Path) -> Result<Self, ChatError> {
        let read = |name: &str| {
            let path = dir.join(name);
            let text = regular_file::read_text(&path, u64::MAX);
            (text, path)
        };
        let damaged = |path: &Path, problem: String| ChatError::File { path: path.to_path_buf(), problem };
        let (text, path) = read("tokenizer_config.json");
        let text = text.map_err(|error| damaged(&path, error.to_string()))?;
        let config: TokenizerConfig = serde_json::from_str(&text).map_err(|error| damaged(&path, error.to_string()))?;
        let source = match read("chat_template.jinja") {
            (Ok(source), _) => Some(source),
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => {
                config.chat_template.and_then(Source::default)
            }
            (Err(error), path) => return Err(damaged(&path, error.to_string())),
        };
        let problem = "there is no chat template: use a chat or instruct model".to_owned();
        let source = source.ok_or(ChatError::File { path, problem })?;
        Self::new(source, config.tokens)
    }

    /// Renders a conversation; with `generation_prompt`, up to where the assistant's reply begins.
    ///
    /// # Errors
    /// What the template raises, for one that refuses such a conversation.
    pub fn render(&self, messages: &[Message], generation_prompt: bool) -> Result<String, ChatError> {
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| context! { role => message.role, content => message.content.as_str() })
            .collect();
        let token = |token: &Option<Token>| Value::from(token.as_ref().map_or("", Token::text));
        let context = context! {
            messages => messages,
            add_generation_prompt => generation_prompt,
            tools => Value::from(()),
            documents => Value::from(()),
            bos_token => token(&self.tokens.bos_token),
            eos_token => token(&self.tokens.eos_token),
            pad_token => token(&self.tokens.pad_token),
            unk_token => token(&self.tokens.unk_token),
        };
        let template = self.environment.get_template(NAME).map_err(|error| describe(&error))?;
        template.render(context).map_err(|error| describe(&error))
    }

    /// The end-of-text token's text.
    pub(super) fn eos_token(&self) -> Option<&str> {
        self.tokens.eos_token.as_ref().map(Token::text)
    }

    fn new(source: String, tokens: Tokens) -> Result<Self, ChatError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| describe(&error))?);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        // A template that never ends is an error: those of today's models take some thousands for a long conversation.
        environment.set_fuel(Some(FUEL));
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", |format: String| TODAY.format(&format));
        environment.add_filter("tojson", to_json);
        environment.add_template_owned(NAME, source).map_err(|error| describe(&error))?;
        Ok(Self { environment, tokens })
    }
}

/// The part of `tokenizer_config.json` that templates need.
#[derive(Deserialize)]
struct TokenizerConfig {
    chat_template: Option<Source>,
    #[serde(flatten)]
    tokens: Tokens,
}

#[derive(Debug, Default, Deserialize)]
struct Tokens {
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    pad_token: Option<Token>,
    unk_token: Option<Token>,
}

/// A special token, alone or with its settings: both forms are in use.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Token {
    Text(String),
    Described { content: String },
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Described { content: text } => text,
        }
    }
}

/// One template, or several by name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    One(String),
    Named(Vec<NamedSource>),
}

#[derive(Deserialize)]
struct NamedSource {
    name: String,
    template: String,
}

impl Source {
    fn default(self) -> Option<String> {
        match self {
            Self::One(source) => Some(source),
            Self::Named(sources) => {
                sources.into_iter().find(|source| source.name == "default").map(|source| source.template)
            }
        }
    }
}

fn describe(error: &Error) -> ChatError {
    ChatError::Template(error.to_string())
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

struct Date {
    year: u32,
    month: u32,
    day: u32,
}

impl Date {
    /// The directives of `strftime` that name a day; it is always midnight.
    fn format(&self, format: &str) -> Result<String, Error> {
        const MONTHS: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let month = MONTHS[self.month as usize - 1];
        let mut text = String::new();
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            match rest.next() {
                Some('Y') => text.push_str(&self.year.to_string()),
                Some('m') => text.push_str(&format!("{:02}", self.month)),
                Some('d') => text.push_str(&format!("{:02}", self.day)),
                Some('B') => text.push_str(month),
                Some('b') => text.push_str(&month[..3]),
                Some('H' | 'M' | 'S') => text.push_str("00"),
                Some('%') => text.push('%'),
                other => {
                    let directive = other.map_or(String::new(), String::from);
                    return Err(Error::new(
                        ErrorKind::InvalidOperation,
                        format!("strftime_now does not know %{directive}"),
                    ));
                }
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str) -> Result<String, String> {
        let template = Template::new(source.to_owned(), Tokens::default()).map_err(|error| error.to_string())?;
        let messages = [Message::new("user", " Hello. ".to_owned()), Message::new("assistant", "<a> \"b\"".to_owned())];
        template.render(&messages, true).map_err(|error| error.to_string())
    }

    #[test]
    fn a_template_without_end_is_an_error() {
        let loops = "{% for a in range(9000) %}{% for b in range(9000) %}{% for c in range(9000) %}{% endfor %}{% endfor %}{% endfor %}";
        let template = Template::new(loops.to_owned(), Tokens::default()).unwrap();
        let error = template.render(&[Message::new("user", "hi".to_owned())], true).unwrap_err().to_string();
        assert!(error.starts_with("the chat template fails: "), "{error}");
    }

    #[test]
    fn a_template_that_cannot_be_read_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer_config.json"), r#"{"chat_template": "old"}"#).unwrap();
        assert!(Template::open(folder.path()).is_ok());
        std::fs::write(folder.path().join("chat_template.jinja"), b"\xff").unwrap();
        let error = Template::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("chat_template.jinja") && error.contains("UTF-8"), "{error}");
    }

    #[test]
    fn blocks_leave_no_lines_and_no_indentation_behind() {
        assert_eq!(
            render("{% for m in messages %}\n    {% if true %}\n{{ m.role }}\n    {% endif %}\n{% endfor %}\nend\n")
                .unwrap(),
            "user\nassistant\nend"
        );
    }

    #[test]
    fn python_methods_and_loop_controls_work() {
        assert_eq!(render("{{ messages[0]['content'].strip() }}{{ 'a-b'.split('-')[-1] }}").unwrap(), "Hello.b");
        assert_eq!(render("{% for m in messages %}{{ m['role'] }}{% break %}{% endfor %}").unwrap(), "user");
        assert_eq!(
            render("{{ messages[1].content.startswith('<a>') }}{{ messages[0].get('tool') is none }}").unwrap(),
            "TrueTrue"
        );
    }

    #[test]
    fn json_is_written_as_python_writes_it() {
        assert_eq!(render("{{ messages[1] | tojson }}").unwrap(), r#"{"role": "assistant", "content": "<a> \"b\""}"#);
        assert_eq!(
            render("{{ [1, [], {'é': 2.0}] | tojson(indent=2) }}").unwrap(),
            "[\n  1,\n  [],\n  {\n    \"é\": 2.0\n  }\n]"
        );
    }

    #[test]
    fn the_day_is_always_the_same() {
        assert_eq!(render("{{ strftime_now('%d %b %Y, %B %m %H:%M') }}").unwrap(), "01 Jan 2026, January 01 00:00");
        assert!(render("{{ strftime_now('%Q') }}").unwrap_err().contains("%Q"));
    }

    #[test]
    fn what_a_template_raises_is_what_the_error_says() {
        assert!(
            render("{{ raise_exception('system messages are not known') }}")
                .unwrap_err()
                .contains("system messages are not known")
        );
        assert!(render("{% for %}").unwrap_err().contains("template fails"));
    }
}
