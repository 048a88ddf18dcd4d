//! The key of an endpoint. It comes from an environment variable and goes into one header; everything else that could show
//! it goes through `hide`.

use std::fmt;

use reqwest::header::HeaderValue;

/// A shorter key is no secret (local servers take any word), and to take it out of replies would change moves.
const SECRET_BYTES_MIN: usize = 8;

/// What stands where a key stood.
const HIDDEN: &str = "[the key]";

pub(super) struct Key(Option<String>);

impl Key {
    /// Reads the variable that a configuration names.
    ///
    /// # Errors
    /// A sentence for people where there is no such variable, or no header can hold what is in it.
    pub fn read(variable: Option<&str>) -> Result<Key, String> {
        let Some(variable) = variable else { return Ok(Key(None)) };
        // Somebody may have written the key itself here, so a name that does not look like one is not quoted.
        let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if variable.is_empty() || !variable.bytes().all(is_name) {
            return Err("`key_variable` is the name of an environment variable, in capital letters, digits and `_`; \
                        the key itself belongs into that variable"
                .to_string());
        }
        let key = std::env::var(variable).unwrap_or_default().trim().to_string();
        if key.is_empty() {
            return Err(format!("its key is looked for in the environment variable {variable}, which is not set"));
        }
        let key = Key(Some(key));
        match key.header() {
            Some(Err(_)) => Err(format!("what the environment variable {variable} holds is no key")),
            _ => Ok(key),
        }
    }

    /// The value of the header `authorization`.
    pub fn header(&self) -> Option<Result<HeaderValue, ()>> {
        let key = self.0.as_ref()?;
        let header = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| ());
        Some(header.map(|mut header| {
            header.set_sensitive(true);
            header
        }))
    }

    /// Text of a server without the key: it may send back what it was sent, as it is or as JSON or an address would have it.
    pub fn hide(&self, text: &str) -> String {
        let Some(key) = self.0.as_ref().filter(|key| key.len() >= SECRET_BYTES_MIN) else { return text.to_string() };
        let in_json = serde_json::Value::from(key.as_str()).to_string();
        let in_json = in_json.trim_matches('"');
        let spellings = [key.as_str(), in_json, &in_json.replace('/', "\\/"), &in_address(key)];
        spellings.into_iter().fold(text.to_string(), |text, spelling| text.replace(spelling, HIDDEN))
    }
}

/// A text with percent signs for all but letters, digits and four marks (RFC 3986).
fn in_address(text: &str) -> String {
    let of = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(of).collect()
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "Key(hidden)" } else { "Key(none)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_by_nothing_but_its_header() {
        let key = Key(Some("sk-hunter2".to_string()));
        assert_eq!(format!("{key:?}"), "Key(hidden)");
        assert_eq!(key.hide("you sent sk-hunter2!"), "you sent [the key]!");
        let odd = Key(Some("sk-ab/cd+1\"5==".to_string()));
        for sent in [r#"sk-ab/cd+1"5=="#, r#"sk-ab/cd+1\"5=="#, r#"sk-ab\/cd+1\"5=="#, "sk-ab%2Fcd%2B1%225%3D%3D"] {
            assert_eq!(odd.hide(&format!("you sent {sent}!")), "you sent [the key]!");
        }
        let header = key.header().expect("a header").expect("a value");
        assert_eq!(header.as_bytes(), b"Bearer sk-hunter2");
        assert_eq!(format!("{header:?}"), "Sensitive");
    }

    #[test]
    fn a_short_key_leaves_replies_as_they_are() {
        assert_eq!(Key(Some("1".to_string())).hide("1"), "1");
    }

    #[test]
    fn a_key_in_place_of_a_variables_name_is_not_quoted() {
        for written in ["sk-hunter2", "AIzahunter2", ""] {
            let message = Key::read(Some(written)).expect_err(written);
            assert!(!message.contains("hunter2") && message.contains("capital letters"), "{message}");
        }
        let message = Key::read(Some("LUDUS_NO_SUCH_KEY")).expect_err("not set");
        assert!(message.contains("LUDUS_NO_SUCH_KEY, which is not set"), "{message}");
    }
}
