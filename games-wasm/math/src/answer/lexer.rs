//! Text to tokens: plain text, LaTeX and the common signs of Unicode come out the same.
//!
//! Unknown commands and signs are `None`: then an answer is no value and is compared as text.

use super::number::Number;
use super::rational::Rational;

/// Text longer than this is no value.
const LETTERS_MAX: usize = 1000;
/// Nor is text that is nested deeper: a component has a small stack.
pub const DEPTH_MAX: usize = 8;
/// Digits that always fit.
const DIGITS_MAX: usize = 36;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bracket {
    Round,
    Square,
    Curly,
}

#[derive(Clone, Debug)]
pub enum Token {
    /// `whole`: written without a point.
    Number {
        value: Number,
        whole: bool,
    },
    /// Letters that mean nothing here: `x`.
    Name(String),
    Plus,
    Minus,
    PlusMinus,
    Times,
    Divide,
    Power,
    Percent,
    Factorial,
    Equals,
    /// Also `;`, `or` and `and`.
    Comma,
    Fraction,
    Choose,
    Root,
    Pi,
    Open(Bracket),
    Close,
}

/// Reads all of a text.
pub fn tokens(text: &str) -> Option<Vec<Token>> {
    let letters: Vec<char> = text.chars().take(LETTERS_MAX + 1).collect();
    if letters.len() > LETTERS_MAX {
        return None;
    }
    let mut lexer = Lexer { letters, position: 0, open: Vec::new(), tokens: Vec::new() };
    while lexer.position < lexer.letters.len() {
        lexer.token()?;
    }
    lexer.open.is_empty().then_some(lexer.tokens)
}

struct Lexer {
    letters: Vec<char>,
    position: usize,
    /// The brackets that are open.
    open: Vec<Bracket>,
    tokens: Vec<Token>,
}

impl Lexer {
    fn token(&mut self) -> Option<()> {
        let letter = self.letters[self.position];
        if letter.is_ascii_digit() || letter == '.' {
            return self.number();
        }
        if letter.is_alphabetic() && letter != 'π' {
            let word = self.take_while(char::is_alphabetic);
            return self.word(word);
        }
        self.position += 1;
        if letter == '\\' {
            return self.command();
        }
        self.sign(letter)
    }

    fn sign(&mut self, letter: char) -> Option<()> {
        let token = match letter {
            ' ' | '\t' | '$' | '°' | '~' | '\u{a0}' => return Some(()),
            '+' => Token::Plus,
            '-' | '−' | '–' => Token::Minus,
            '±' => Token::PlusMinus,
            '*' | '×' | '·' | '⋅' => Token::Times,
            '/' | '÷' | '⁄' => Token::Divide,
            '^' => return self.power(),
            '²' => return self.raised(2),
            '³' => return self.raised(3),
            '%' => Token::Percent,
            '!' => Token::Factorial,
            '=' => Token::Equals,
            ',' | ';' => Token::Comma,
            '√' => Token::Root,
            'π' => Token::Pi,
            '(' => return self.open(Bracket::Round),
            '[' => return self.open(Bracket::Square),
            '{' => return self.open(Bracket::Curly),
            ')' => return self.close(Bracket::Round),
            ']' => return self.close(Bracket::Square),
            '}' => return self.close(Bracket::Curly),
            _ => return None,
        };
        self.tokens.push(token);
        Some(())
    }

    /// What follows a backslash.
    fn command(&mut self) -> Option<()> {
        let letter = *self.letters.get(self.position)?;
        if !letter.is_alphabetic() {
            self.position += 1;
            return match letter {
                '!' | ',' | ';' | ':' | '$' | '(' | ')' | '[' | ']' => Some(()),
                _ => self.sign(letter),
            };
        }
        let token = match self.take_while(char::is_alphabetic).as_str() {
            "left" | "right" | "circ" | "degree" | "quad" => return Some(()),
            "text" | "mathrm" | "mbox" | "textbf" => return self.quoted(),
            "frac" | "dfrac" | "tfrac" | "cfrac" => return self.fraction(),
            "binom" | "dbinom" | "tbinom" => Token::Choose,
            "sqrt" => Token::Root,
            "pi" => Token::Pi,
            "cdot" | "times" | "ast" => Token::Times,
            "div" => Token::Divide,
            "pm" => Token::PlusMinus,
            _ => return None,
        };
        self.tokens.push(token);
        Some(())
    }

    fn word(&mut self, word: String) -> Option<()> {
        self.tokens.push(match word.to_ascii_lowercase().as_str() {
            "or" | "and" => Token::Comma,
            "sqrt" => Token::Root,
            "pi" => Token::Pi,
            _ => Token::Name(word),
        });
        Some(())
    }

    /// `\text{ cm}` is a unit, and left out; `\text{ or }` is what it says.
    fn quoted(&mut self) -> Option<()> {
        let length = self.letters[self.position..].iter().position(|&letter| letter == '}')?;
        let quoted: String = self.letters[self.position..][..length].iter().collect();
        self.position += length + 1;
        let word = quoted.strip_prefix('{')?.trim();
        if word == "or" || word == "and" { self.word(word.to_owned()) } else { Some(()) }
    }

    /// `\frac12` is one half.
    fn fraction(&mut self) -> Option<()> {
        self.tokens.push(Token::Fraction);
        for _ in 0..2 {
            let Some(digit) = self.letters.get(self.position).and_then(|letter| letter.to_digit(10)) else { break };
            self.position += 1;
            self.open(Bracket::Curly)?;
            self.tokens.push(Token::Number { value: Number::integer(digit.into()), whole: true });
            self.close(Bracket::Curly)?;
        }
        Some(())
    }

    /// `^\circ` and `^{\circ}` are degrees, and left out.
    fn power(&mut self) -> Option<()> {
        for degrees in ["\\circ", "{\\circ}"] {
            if self.letters[self.position..].iter().copied().take(degrees.len()).eq(degrees.chars()) {
                self.position += degrees.len();
                return Some(());
            }
        }
        self.tokens.push(Token::Power);
        Some(())
    }

    fn raised(&mut self, exponent: i128) -> Option<()> {
        self.tokens.push(Token::Power);
        self.tokens.push(Token::Number { value: Number::integer(exponent), whole: true });
        Some(())
    }

    fn open(&mut self, bracket: Bracket) -> Option<()> {
        self.open.push(bracket);
        self.tokens.push(Token::Open(bracket));
        (self.open.len() <= DEPTH_MAX).then_some(())
    }

    fn close(&mut self, bracket: Bracket) -> Option<()> {
        self.tokens.push(Token::Close);
        (self.open.pop() == Some(bracket)).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        let mut digits = self.take_while(|letter| letter.is_ascii_digit());
        if (1..=3).contains(&digits.len()) && self.open.is_empty() {
            while let Some(group) = self.thousands() {
                digits.push_str(&group);
            }
        }
        let point = self.letters.get(self.position) == Some(&'.');
        self.position += usize::from(point);
        let decimals = if point { self.take_while(|letter| letter.is_ascii_digit()) } else { String::new() };
        if digits.len() + decimals.len() == 0 || digits.len() + decimals.len() > DIGITS_MAX {
            return None;
        }
        let scale = 10i128.checked_pow(decimals.len() as u32)?;
        let value = Rational::new((digits + &decimals).parse().ok()?, scale)?;
        self.tokens.push(Token::Number { value: Number::Exact(value), whole: !point });
        Some(())
    }

    /// Three digits after a comma belong to the number before it; in a bracket a comma always stands between two numbers.
    fn thousands(&mut self) -> Option<String> {
        let rest = &self.letters[self.position..];
        let separator = [",\\!", "{,}", ","]
            .into_iter()
            .find(|separator| rest.iter().copied().take(separator.len()).eq(separator.chars()))?;
        let group: String = rest[separator.len()..].iter().take_while(|letter| letter.is_ascii_digit()).collect();
        if group.len() != 3 {
            return None;
        }
        self.position += separator.len() + group.len();
        Some(group)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let taken: String =
            self.letters[self.position..].iter().copied().take_while(|&letter| wanted(letter)).collect();
        self.position += taken.chars().count();
        taken
    }
}
