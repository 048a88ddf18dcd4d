//! Tokens to a value, by recursive descent.
//!
//! ```text
//! sum     = product (("+" | "-" | "±") product)*
//! product = sign (("*" | "/" | nothing) sign)*          nothing: 2pi, 3(4)
//! sign    = ("-" | "+" | "±") sign | power
//! power   = postfix ("^" sign)?
//! postfix = atom ("%" | "!")*
//! atom    = number | number number "/" number | pi | root | fraction | choose | bracket sum bracket
//! ```
//!
//! One pass, no backtracking, and a bound on depth: the work grows with the length of the text, whatever it holds.
//!
//! It also counts the work that is *left undone*: an operation on rational numbers with a rational result. `1/2`, `3 + sqrt(2)`
//! and `4pi` leave none; `40 + 2`, `84/6`, `2^10` and `sqrt(49)` do. So that a problem said back is not taken for its answer.

use super::lexer::{Bracket, DEPTH_MAX, Token};
use super::number::Number;

/// What an expression comes to.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    pub number: Number,
    /// Operations that could have been carried out.
    pub undone: u32,
    /// A whole number, as it is written in a fraction.
    whole: bool,
}

/// Evaluates all of the tokens. `plus_minus` is the sign that ± stands for.
pub fn evaluate(tokens: &[Token], plus_minus: i128) -> Option<Value> {
    let mut parser = Parser { tokens, plus_minus, depth: 0 };
    let value = parser.sum()?;
    parser.tokens.is_empty().then_some(value)
}

struct Parser<'tokens> {
    /// Those still to read.
    tokens: &'tokens [Token],
    plus_minus: i128,
    depth: usize,
}

impl Parser<'_> {
    fn sum(&mut self) -> Option<Value> {
        let mut sum = self.product()?;
        loop {
            sum = match self.tokens.first() {
                Some(Token::Plus) => sum.joined(self.skip().product()?, Number::add),
                Some(Token::Minus) => sum.joined(self.skip().product()?, Number::subtract),
                Some(Token::PlusMinus) => sum.joined(self.skip().product()?.signed(self.plus_minus)?, Number::add),
                _ => return Some(sum),
            }?;
        }
    }

    fn product(&mut self) -> Option<Value> {
        let mut product = self.sign()?;
        loop {
            product = match self.tokens.first() {
                Some(Token::Times) => product.joined(self.skip().sign()?, Number::multiply),
                Some(Token::Divide) => product.over(self.skip().sign()?),
                Some(Token::Open(_) | Token::Pi | Token::Root | Token::Fraction | Token::Choose) => {
                    product.joined(self.power()?, Number::multiply)
                }
                _ => return Some(product),
            }?;
        }
    }

    fn sign(&mut self) -> Option<Value> {
        let sign = match self.tokens.first() {
            Some(Token::Plus) => 1,
            Some(Token::Minus) => -1,
            Some(Token::PlusMinus) => self.plus_minus,
            _ => return self.power(),
        };
        self.deeper(|parser| parser.skip().sign())?.signed(sign)
    }

    fn power(&mut self) -> Option<Value> {
        let base = self.postfix()?;
        if !matches!(self.tokens.first(), Some(Token::Power)) {
            return Some(base);
        }
        let exponent = self.deeper(|parser| parser.skip().sign())?;
        base.joined(exponent, Number::power)
    }

    fn postfix(&mut self) -> Option<Value> {
        let mut value = self.atom()?;
        loop {
            value = match self.tokens.first() {
                Some(Token::Percent) => {
                    Value { number: value.number.divide(Number::integer(100))?, whole: false, ..value }
                }
                Some(Token::Factorial) => {
                    Value { number: value.number.factorial()?, undone: value.undone + 1, whole: false }
                }
                _ => return Some(value),
            };
            self.skip();
        }
    }

    fn atom(&mut self) -> Option<Value> {
        match self.tokens.first()? {
            &Token::Number { value, whole } => {
                let number = Value { number: value, undone: 0, whole };
                self.skip().mixed(number)
            }
            Token::Pi => {
                self.skip();
                Some(Value { number: Number::PI, undone: 0, whole: false })
            }
            Token::Open(_) => self.bracket(),
            Token::Root => self.skip().root(),
            Token::Fraction => {
                let (above, below) = self.skip().pair()?;
                above.over(below)
            }
            Token::Choose => {
                let (things, chosen) = self.skip().pair()?;
                things.joined(chosen, Number::choose)
            }
            _ => None,
        }
    }

    /// `1 1/2` and `1\frac{1}{2}` are one and a half.
    fn mixed(&mut self, whole: Value) -> Option<Value> {
        let slash = match self.tokens {
            [Token::Number { whole: true, .. }, Token::Divide, Token::Number { whole: true, .. }, ..] => true,
            [
                Token::Fraction,
                Token::Open(_),
                Token::Number { whole: true, .. },
                Token::Close,
                Token::Open(_),
                Token::Number { whole: true, .. },
                Token::Close,
                ..,
            ] => false,
            _ => return Some(whole),
        };
        let part = if slash {
            let above = self.plain_number()?;
            above.over(self.skip().plain_number()?)?
        } else {
            self.atom()?
        };
        let number = whole.number.add(part.number).filter(|_| whole.whole)?;
        Some(Value { number, undone: part.undone, whole: false })
    }

    fn plain_number(&mut self) -> Option<Value> {
        let &Token::Number { value, whole } = self.tokens.first()? else { return None };
        self.skip();
        Some(Value { number: value, undone: 0, whole })
    }

    /// What follows `\sqrt`: perhaps `[3]`, then `{8}`, `(8)`, `8` or `pi`.
    fn root(&mut self) -> Option<Value> {
        let degree = match self.tokens.first() {
            Some(Token::Open(Bracket::Square)) => u32::try_from(self.bracket()?.number.as_integer()?).ok()?,
            _ => 2,
        };
        let radicand = self.deeper(Self::atom)?;
        let number = radicand.number.root(degree)?;
        Some(Value { number, undone: radicand.undone + u32::from(number.is_exact()), whole: false })
    }

    /// The two groups after `\frac` or `\binom`.
    fn pair(&mut self) -> Option<(Value, Value)> {
        Some((self.bracket()?, self.bracket()?))
    }

    fn bracket(&mut self) -> Option<Value> {
        let (Token::Open(_), rest) = self.tokens.split_first()? else { return None };
        self.tokens = rest;
        let value = self.deeper(Self::sum)?;
        // The lexer has matched the brackets.
        let (Token::Close, rest) = self.tokens.split_first()? else { return None };
        self.tokens = rest;
        Some(value)
    }

    fn skip(&mut self) -> &mut Self {
        self.tokens = &self.tokens[1..];
        self
    }

    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Option<Value>) -> Option<Value> {
        self.depth += 1;
        let value = if self.depth > DEPTH_MAX { None } else { read(self) };
        self.depth -= 1;
        value
    }
}

impl Value {
    fn signed(self, sign: i128) -> Option<Self> {
        Some(Self { number: if sign < 0 { self.number.negate()? } else { self.number }, ..self })
    }

    /// An operation on two values.
    fn joined(self, other: Self, operation: fn(Number, Number) -> Option<Number>) -> Option<Self> {
        let number = operation(self.number, other.number)?;
        let carried_out = self.number.is_exact() && other.number.is_exact() && number.is_exact();
        Some(Self { number, undone: self.undone + other.undone + u32::from(carried_out), whole: false })
    }

    /// A quotient. One of two whole numbers is a fraction, which is a number as it stands, unless it is whole itself.
    fn over(self, below: Self) -> Option<Self> {
        let quotient = self.joined(below, Number::divide)?;
        let fraction = self.whole && below.whole && quotient.number.as_integer().is_none();
        Some(if fraction { Self { undone: self.undone + below.undone, ..quotient } } else { quotient })
    }
}
