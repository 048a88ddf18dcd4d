//! The page: its sources and its data in one file.
//!
//! The data is JSON in a script element that no browser runs. A browser looks for the end of that element, and for comments,
//! by a `<`, of which there is none: it is written `\u003c`. Beyond that a policy allows the page's own script and style alone,
//! by a word that whoever wrote the texts could not know, since it is their hash.

use serde::Serialize;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
/// In the order in which they are run.
const SCRIPTS: [&str; 6] = [
    include_str!("dom.js"),
    include_str!("chart.js"),
    include_str!("curves.js"),
    include_str!("tables.js"),
    include_str!("episodes.js"),
    include_str!("main.js"),
];

/// The whole file.
pub fn html(data: &impl Serialize) -> String {
    // Numbers, texts and lists, with keys that are texts, always are JSON.
    let data = inert(&serde_json::to_string(data).unwrap_or_default());
    let word = &blake3::hash(data.as_bytes()).to_hex()[..32];
    // What is put in last is never looked through for a place.
    PAGE.replace("{{style}}", STYLE)
        .replace("{{script}}", &SCRIPTS.join("\n"))
        .replace("{{word}}", word)
        .replacen("{{data}}", &data, 1)
}

/// JSON that means the same and in which HTML and JavaScript find nothing of their own.
fn inert(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_element_that_it_is_in() {
        let hostile = "</script><!--<script>{{data}}&lt;\u{2028}\u{2029}";
        let page = html(&[hostile]);
        assert_eq!(page.matches("</script>").count(), html(&["plain"]).matches("</script>").count());
        let (_, rest) = page.split_once("id=\"data\">").expect("an element for the data");
        let (json, _) = rest.split_once("</script>").expect("its end");
        assert!(!json.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{json}");
        assert_eq!(serde_json::from_str::<Vec<String>>(json).expect("JSON"), [hostile]);
    }

    #[test]
    fn the_page_asks_no_network_for_anything() {
        let page = html(&"");
        let addresses: Vec<&str> =
            page.split("http").skip(1).filter(|rest| rest.starts_with("://") || rest.starts_with("s://")).collect();
        // The name of SVG's own elements, which nobody fetches.
        assert!(addresses.iter().all(|rest| rest.starts_with("://www.w3.org/2000/svg")), "{addresses:?}");
        assert!(page.contains("default-src 'none'") && !page.contains("{{"));
    }
}
