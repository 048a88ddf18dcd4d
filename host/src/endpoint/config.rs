//! What a person writes of an endpoint, as a table `[endpoints.NAME]` of a task file, a recipe or a file of its own.
//!
//! ```toml
//! [endpoints.rival]
//! url = "http://127.0.0.1:8000/v1"
//! model = "Qwen/Qwen2.5-7B-Instruct"
//! system = "You play a game. Reply with your move alone."
//! key_variable = "RIVAL_KEY"
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::regular_file;

/// Configurations by the names that players are called by: `endpoint:NAME`.
pub type EndpointConfigs = BTreeMap<String, EndpointConfig>;

/// No file of endpoints that a person writes comes near.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// How a model behind a server is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// Where the API begins: `http://127.0.0.1:8000/v1`. `/chat/completions` is added.
    pub url: String,
    /// The server's name of the model.
    pub model: String,
    /// Said before everything else, if anything is.
    #[serde(default)]
    pub system: Option<String>,
    /// From 0 to 2; without it, what the server takes.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Above 0, to 1; without it, what the server takes.
    #[serde(default)]
    pub top_p: Option<f64>,
    /// The longest reply, in tokens.
    #[serde(default = "standard_tokens")]
    pub tokens: u32,
    /// What the server calls that limit.
    #[serde(default, skip_serializing_if = "TokensKey::is_standard")]
    pub tokens_key: TokensKey,
    /// How long one try may take, from 1 to 3,600.
    #[serde(default = "standard_timeout_s")]
    pub timeout_s: u32,
    /// How often a call that failed is made again, from 0 to 20.
    #[serde(default = "standard_retries")]
    pub retries: u32,
    /// How many calls may be open at once, from 1 to 4,096.
    #[serde(default = "standard_concurrent")]
    pub concurrent: u32,
    /// The name of the environment variable that holds the key, where the server wants one.
    #[serde(default)]
    pub key_variable: Option<String>,
}

/// What servers call the longest reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokensKey {
    #[default]
    MaxTokens,
    /// As some hosted models that reason want it.
    MaxCompletionTokens,
}

impl TokensKey {
    fn is_standard(&self) -> bool {
        *self == TokensKey::default()
    }
}

/// An endpoint that cannot be asked. Each is one sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("the endpoint `{name}`: {reason}")]
    Config { name: String, reason: String },
    #[error("there is no [endpoints.{0}]; write one with a `url` and a `model`")]
    Unknown(String),
    #[error("cannot read the endpoints in {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the file of endpoints {} is not right: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
    #[error("endpoints cannot be asked on this machine: {0}")]
    Machine(String),
}

impl EndpointConfig {
    /// Reads the `[endpoints.NAME]` tables of a file.
    ///
    /// # Errors
    /// Where it cannot be read, or holds none that are right.
    pub fn read_file(path: &Path) -> Result<EndpointConfigs, EndpointError> {
        // A task file or a recipe will do: it may say other things, too.
        #[derive(Deserialize)]
        struct File {
            endpoints: EndpointConfigs,
        }
        let unreadable = |source| EndpointError::Unreadable { path: path.to_path_buf(), source };
        let text = regular_file::read_text(path, FILE_BYTES_MAX).map_err(unreadable)?;
        let malformed = |error: toml::de::Error| EndpointError::Malformed {
            path: path.to_path_buf(),
            reason: crate::task_file::toml_reason(&text, &error),
        };
        toml::from_str(&text).map(|file: File| file.endpoints).map_err(malformed)
    }

    /// Where calls go.
    ///
    /// # Errors
    /// A sentence for people where a value is out of its range.
    pub(super) fn check(&self) -> Result<Url, String> {
        let ranges = [
            ("tokens", self.tokens, 1, 1 << 20),
            ("timeout_s", self.timeout_s, 1, 3_600),
            ("retries", self.retries, 0, 20),
            ("concurrent", self.concurrent, 1, 4_096),
        ];
        for (name, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(format!("`{name}` is {value}, but must be from {least} to {most}"));
            }
        }
        if let Some(value) = self.temperature.filter(|value| !(0.0..=2.0).contains(value)) {
            return Err(format!("`temperature` is {value}, but must be from 0 to 2"));
        }
        if let Some(value) = self.top_p.filter(|value| !(*value > 0.0 && *value <= 1.0)) {
            return Err(format!("`top_p` is {value}, but must be above 0 and at most 1"));
        }
        if self.model.trim().is_empty() {
            return Err("`model` is empty; write the name that the server has for it".to_string());
        }
        self.completions_url()
    }

    fn completions_url(&self) -> Result<Url, String> {
        // A URL may hold a password, so none that is not in order is quoted.
        let wanted = "write where its API begins, such as http://127.0.0.1:8000/v1";
        let url = Url::parse(&self.url).map_err(|error| format!("its `url` cannot be read ({error}); {wanted}"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(format!("its `url` is none of http or https; {wanted}"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(format!(
                "its `url` may hold no name, password, `?` or `#`; a key belongs into a variable that `key_variable` names, \
                 and else {wanted}"
            ));
        }
        let base = url.as_str().trim_end_matches('/');
        let base = base.strip_suffix("/chat/completions").unwrap_or(base);
        Url::parse(&format!("{base}/chat/completions")).map_err(|error| format!("its `url` cannot be read ({error})"))
    }
}

fn standard_tokens() -> u32 {
    512
}

fn standard_timeout_s() -> u32 {
    120
}

fn standard_retries() -> u32 {
    5
}

fn standard_concurrent() -> u32 {
    64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> EndpointConfig {
        toml::from_str(&format!("model = \"m\"\n{more}")).expect("a configuration")
    }

    #[test]
    fn calls_go_to_the_completions_below_the_base() {
        for base in ["http://h:1/v1", "http://h:1/v1/", "http://h:1/v1/chat/completions"] {
            let url = config(&format!("url = \"{base}\"")).check().expect(base);
            assert_eq!(url.as_str(), "http://h:1/v1/chat/completions");
        }
    }

    #[test]
    fn what_is_out_of_its_range_is_named_with_what_is_allowed() {
        for (more, named) in [
            ("temperature = 2.5", "from 0 to 2"),
            ("temperature = nan", "from 0 to 2"),
            ("top_p = 0.0", "above 0"),
            ("tokens = 0", "`tokens` is 0"),
            ("timeout_s = 4000", "from 1 to 3600"),
            ("retries = 21", "from 0 to 20"),
            ("concurrent = 0", "`concurrent` is 0"),
        ] {
            let message = config(&format!("url = \"http://h/v1\"\n{more}")).check().expect_err(more);
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn a_url_with_a_secret_in_it_is_refused_and_not_quoted() {
        for url in
            ["http://me:hunter2@h/v1", "http://h/v1?key=hunter2", "http://h/v1#hunter2", "hunter2", "ftp://hunter2"]
        {
            let message = config(&format!("url = \"{url}\"")).check().expect_err(url);
            assert!(!message.contains("hunter2") && message.contains("write where"), "{message}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let error = toml::from_str::<EndpointConfig>("url = \"http://h\"\nmodel = \"m\"\nkey = \"hunter2\"");
        let message = error.expect_err("an unknown field").message().to_string();
        assert!(message.contains("unknown field `key`") && !message.contains("hunter2"), "{message}");
    }
}
