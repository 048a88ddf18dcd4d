//! Answers, compared as values: `0.5`, `1/2`, `\frac{2}{4}` and `50%` are the same one.
//!
//! ```text
//! "so x = \frac{1}{2}."  ->  what is said as the answer  ->  tokens  ->  a number, or a list of answers  ->  compared
//! ```
//!
//! Lists: `(1, 2)` and `[1, 2]` have an order; `{1, 2}`, `1, 2` and `x = 1 or x = 2` have none; `y = 2, x = 1` is ordered by its
//! names. A percent sign may be left out. What is no value (`east`, `x + 1`) is compared as text, without what does not show.
//! It does no algebra: an answer with a free letter is text.

mod expression;
mod lexer;
mod number;
pub mod rational;

use expression::evaluate;
use lexer::{Bracket, Token};
use number::Number;

/// True where a reply gives the wanted value, and leaves no more arithmetic undone than the wanted answer does: `40 + 2` is not
/// the answer where `42` is.
pub fn is_right(reply: &str, wanted: &str) -> bool {
    compare(reply, wanted, |reply, wanted| wanted.matches(reply) && reply.undone() <= wanted.undone())
}

/// True where a reply has the wanted value, however much is left to work out in it.
pub fn same_value(reply: &str, wanted: &str) -> bool {
    compare(reply, wanted, |reply, wanted| wanted.matches(reply))
}

fn compare(reply: &str, wanted: &str, agree: impl Fn(&Answer, &Answer) -> bool) -> bool {
    let (reply, wanted) = (said(reply), said(wanted));
    match Answer::read(wanted) {
        Some(wanted) => Answer::read_reply(reply).is_some_and(|reply| agree(&reply, &wanted)),
        None => same_text(reply, wanted),
    }
}

/// The part of a text that is its answer: what is boxed last, or what follows `answer is`.
fn said(text: &str) -> &str {
    let text = boxed(text).unwrap_or(text);
    let lower = text.to_ascii_lowercase();
    let start =
        ["answer is", "answer:"].iter().filter_map(|lead| Some(lower.rfind(lead)? + lead.len())).max().unwrap_or(0);
    let text = text[start..].trim_start_matches(':').trim();
    text.strip_suffix('.').unwrap_or(text).trim()
}

fn boxed(text: &str) -> Option<&str> {
    const BOX: &str = "\\boxed{";
    let inside = &text[text.rfind(BOX)? + BOX.len()..];
    let mut depth = 1;
    for (place, letter) in inside.char_indices() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if depth == 0 {
            return Some(&inside[..place]);
        }
    }
    None
}

/// Equal but for white space, case, dollar signs and what LaTeX puts around words.
fn same_text(reply: &str, wanted: &str) -> bool {
    let bare = |text: &str| {
        let mut bare: String =
            text.to_ascii_lowercase().chars().filter(|letter| !letter.is_whitespace() && *letter != '$').collect();
        for decoration in ["\\left", "\\right", "\\!", "\\,"] {
            bare = bare.replace(decoration, "");
        }
        let words = bare.strip_prefix("\\text{").and_then(|rest| rest.strip_suffix('}'));
        words.map_or(bare.clone(), str::to_owned)
    };
    let (reply, wanted) = (bare(reply), bare(wanted));
    !wanted.is_empty() && reply == wanted
}

#[derive(Debug)]
enum Answer {
    /// `percent`: a percent sign stands behind it, and is counted in.
    Number {
        number: Number,
        percent: bool,
        undone: u32,
    },
    List {
        items: Vec<Self>,
        bracket: Option<Bracket>,
    },
}

impl Answer {
    fn read(text: &str) -> Option<Self> {
        Self::of(&lexer::tokens(text)?)
    }

    /// A reply may name a unit: `12 apples`. A wanted answer that does (`5 million`) is no value, and so is compared as text.
    fn read_reply(text: &str) -> Option<Self> {
        let mut tokens = lexer::tokens(text)?;
        while tokens.pop_if(|token| matches!(token, Token::Name(name) if name.len() > 1)).is_some() {}
        Self::of(&tokens)
    }

    /// The lexer bounds the depth of brackets, and so of lists in lists.
    fn of(tokens: &[Token]) -> Option<Self> {
        let tokens = after_equals(tokens).1;
        let bare = split(tokens);
        if bare.len() > 1 {
            return Self::list(&bare, None);
        }
        match tokens {
            [Token::Open(bracket), inside @ .., Token::Close] if closes_last(tokens) => {
                let parts = split(inside);
                if parts.len() == 1 && *bracket != Bracket::Curly {
                    Self::scalar(tokens)
                } else {
                    Self::list(&parts, Some(*bracket))
                }
            }
            _ => Self::scalar(tokens),
        }
    }

    fn list(parts: &[&[Token]], bracket: Option<Bracket>) -> Option<Self> {
        let mut named: Vec<(Option<&str>, &[Token])> = parts.iter().map(|part| after_equals(part)).collect();
        let distinct =
            |place: usize| named[place].0.is_some() && !named[..place].iter().any(|part| part.0 == named[place].0);
        let by_name = bracket.is_none() && named.len() > 1 && (0..named.len()).all(distinct);
        if by_name {
            named = in_order_of_names(&named);
        }
        let mut items = Vec::new();
        for (_, part) in named {
            match Self::of(part)? {
                // Two values of a ±: in a part there are no commas that could give another bare list.
                Self::List { items: both, bracket: None } => items.extend(both),
                item => items.push(item),
            }
        }
        Some(Self::List { items, bracket: if by_name { Some(Bracket::Round) } else { bracket } })
    }

    /// One number, or the two that a ± stands for.
    fn scalar(tokens: &[Token]) -> Option<Self> {
        let number = |plus_minus| {
            let value = evaluate(tokens, plus_minus)?;
            let percent = matches!(tokens.last(), Some(Token::Percent));
            Some(Self::Number { number: value.number, percent, undone: value.undone })
        };
        if tokens.iter().any(|token| matches!(token, Token::PlusMinus)) {
            return Some(Self::List { items: vec![number(1)?, number(-1)?], bracket: None });
        }
        number(1)
    }

    /// Whether a reply is this answer. At most the product of their lengths is compared.
    fn matches(&self, reply: &Self) -> bool {
        match (self, reply) {
            (Self::Number { number, percent, .. }, Self::Number { number: replied, percent: replied_percent, .. }) => {
                let without_sign = match (percent, replied_percent) {
                    (true, false) => hundredfold(*number).is_some_and(|number| number.same(*replied)),
                    (false, true) => hundredfold(*replied).is_some_and(|replied| number.same(replied)),
                    _ => false,
                };
                number.same(*replied) || without_sign
            }
            (Self::List { items, bracket }, Self::List { items: replied, bracket: replied_bracket }) => {
                match (bracket, replied_bracket) {
                    (Some(Bracket::Round), Some(Bracket::Square)) | (Some(Bracket::Square), Some(Bracket::Round)) => {
                        false
                    }
                    (Some(Bracket::Round | Bracket::Square), _) => {
                        items.len() == replied.len()
                            && items.iter().zip(replied).all(|(item, replied)| item.matches(replied))
                    }
                    _ => same_set(items, replied),
                }
            }
            // A set of one thing, `{5}`, is that thing.
            (Self::List { items, .. }, _) => matches!(&items[..], [item] if item.matches(reply)),
            (_, Self::List { items, .. }) => matches!(&items[..], [item] if self.matches(item)),
        }
    }

    fn undone(&self) -> u32 {
        match self {
            Self::Number { undone, .. } => *undone,
            Self::List { items, .. } => items.iter().map(Self::undone).sum(),
        }
    }
}

/// Each item has a partner of its own.
fn same_set(items: &[Answer], replied: &[Answer]) -> bool {
    let mut left: Vec<&Answer> = replied.iter().collect();
    items.len() == left.len()
        && items.iter().all(|item| {
            let partner = left.iter().position(|replied| item.matches(replied));
            partner.map(|place| left.swap_remove(place)).is_some()
        })
}

/// By insertion: a list is short, and the library's sort would weigh more than the rest of this file.
fn in_order_of_names<'text, T: Copy>(named: &[(Option<&'text str>, T)]) -> Vec<(Option<&'text str>, T)> {
    let mut sorted: Vec<(Option<&str>, T)> = Vec::new();
    for part in named {
        sorted.insert(sorted.partition_point(|(name, _)| *name < part.0), *part);
    }
    sorted
}

/// A percentage without its sign.
fn hundredfold(number: Number) -> Option<Number> {
    number.multiply(Number::integer(100))
}

/// The parts between commas that stand in no bracket.
fn split(tokens: &[Token]) -> Vec<&[Token]> {
    let depths = depths(tokens);
    let mut parts = Vec::new();
    let mut rest = 0;
    for (place, token) in tokens.iter().enumerate() {
        if matches!(token, Token::Comma) && depths[place] == 0 {
            parts.push(&tokens[rest..place]);
            rest = place + 1;
        }
    }
    parts.push(&tokens[rest..]);
    parts
}

/// Whether the first bracket is closed by the last token.
fn closes_last(tokens: &[Token]) -> bool {
    depths(tokens).iter().position(|&depth| depth == 0) == Some(tokens.len() - 1)
}

/// What stands after the last `=` that is in no bracket, and what is before it where that is a name; all of a list.
fn after_equals(tokens: &[Token]) -> (Option<&str>, &[Token]) {
    let depths = depths(tokens);
    let equals = tokens.iter().zip(&depths).rposition(|(token, depth)| matches!(token, Token::Equals) && *depth == 0);
    match equals {
        Some(place) if split(tokens).len() == 1 => {
            let name = if let [Token::Name(name)] = &tokens[..place] { Some(name.as_str()) } else { None };
            (name, &tokens[place + 1..])
        }
        _ => (None, tokens),
    }
}

/// How many brackets are open behind each token.
fn depths(tokens: &[Token]) -> Vec<i32> {
    let steps = tokens
        .iter()
        .map(|token| i32::from(matches!(token, Token::Open(_))) - i32::from(matches!(token, Token::Close)));
    steps
        .scan(0, |depth, step| {
            *depth += step;
            Some(*depth)
        })
        .collect()
}

#[cfg(test)]
mod tests;
