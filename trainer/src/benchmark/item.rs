//! A question of a benchmark, as it is asked and as it is shown solved.

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The data's own identifier, else the file's name and the row.
    pub id: String,
    /// What results are also told by; empty where the data has no subjects.
    pub subject: String,
    /// Stands before everything else; in a chat it is the system's text.
    pub introduction: String,
    pub question: String,
    /// What follows the question where the item is a solved example.
    pub solution: String,
    pub gold: Gold,
}

impl Item {
    /// Whether another item asks the same, whatever it is called where it lies and however it is solved there.
    pub fn asks_the_same(&self, other: &Item) -> bool {
        self.question == other.question && self.gold.choices() == other.gold.choices()
    }
}

/// What is right.
#[derive(Clone, Debug, PartialEq)]
pub enum Gold {
    /// The likeliest of these continuations should be the one at `right`.
    Choice { choices: Vec<String>, right: usize },
    /// A letter that the reply comes to.
    Letter(String),
    /// A worked answer that ends with `#### ` and a number.
    Number(String),
    /// A normalized answer in LaTeX.
    Latex(String),
    /// A sentence with these concepts in it, as people wrote it.
    Sentence { concepts: Vec<String>, references: Vec<String> },
}

impl Gold {
    /// The continuations that are scored; none where a reply is made.
    pub fn choices(&self) -> &[String] {
        match self {
            Gold::Choice { choices, .. } => choices,
            _ => &[],
        }
    }

    /// What is right, in a word.
    pub fn shown(&self) -> String {
        match self {
            Gold::Choice { choices, right } => choices[*right].clone(),
            Gold::Letter(text) | Gold::Latex(text) => text.clone(),
            Gold::Number(text) => text.rsplit("#### ").next().unwrap_or_default().trim().to_owned(),
            Gold::Sentence { concepts, .. } => concepts.join(", "),
        }
    }
}

/// The letter of a choice.
pub fn letter(index: usize) -> String {
    char::from(b'A' + u8::try_from(index % 26).unwrap_or_default()).to_string()
}
