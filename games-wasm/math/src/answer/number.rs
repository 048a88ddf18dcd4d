//! A value: exact as long as it is rational, a float once a root or pi is in it.

use super::rational::Rational;

/// How far two floats may be apart, relative to the larger one, and still be the same closed form …
const RELATIVE_TOLERANCE: f64 = 1e-9;
/// … and how far from 0 one may be to be 0: what `sqrt(2) * sqrt(2) - 2` leaves.
const ZERO_TOLERANCE: f64 = 1e-12;

#[derive(Clone, Copy, Debug)]
pub enum Number {
    Exact(Rational),
    /// Always finite.
    Real(f64),
}

use Number::{Exact, Real};

impl Number {
    pub const PI: Self = Real(std::f64::consts::PI);

    pub fn integer(value: i128) -> Self {
        Exact(Rational::integer(value))
    }

    pub fn add(self, other: Self) -> Option<Self> {
        self.combine(other, Rational::plus, |left, right| left + right)
    }

    pub fn subtract(self, other: Self) -> Option<Self> {
        self.combine(other, Rational::minus, |left, right| left - right)
    }

    pub fn multiply(self, other: Self) -> Option<Self> {
        self.combine(other, Rational::times, |left, right| left * right)
    }

    pub fn divide(self, other: Self) -> Option<Self> {
        self.combine(other, Rational::over, |left, right| left / right)
    }

    pub fn negate(self) -> Option<Self> {
        self.multiply(Self::integer(-1))
    }

    pub fn power(self, exponent: Self) -> Option<Self> {
        let Exact(exact) = exponent else { return real(self.to_f64().powf(exponent.to_f64())) };
        let (numerator, denominator) = exact.parts();
        match self {
            Exact(base) => Exact(base.power(numerator)?).root(u32::try_from(denominator).ok()?),
            Real(base) => real(base.powf(exact.to_f64())),
        }
    }

    /// The real root: exact where there is an exact one.
    pub fn root(self, degree: u32) -> Option<Self> {
        let float = || match (self.to_f64(), degree) {
            (_, 0) => None,
            (value, 2) => real(value.sqrt()),
            (value, _) if value < 0.0 && degree % 2 == 1 => real(-(-value).powf(1.0 / f64::from(degree))),
            (value, _) => real(value.powf(1.0 / f64::from(degree))),
        };
        match self {
            _ if degree == 1 => Some(self),
            Exact(exact) if degree > 1 => exact.root(degree).map(Exact).or_else(float),
            _ => float(),
        }
    }

    /// `None` past 33!, which is the last to fit.
    pub fn factorial(self) -> Option<Self> {
        let value = self.as_integer().filter(|value| (0..=33).contains(value))?;
        Some(Self::integer((1..=value).product()))
    }

    /// How many sets of `chosen` there are among `self` things.
    pub fn choose(self, chosen: Self) -> Option<Self> {
        self.factorial()?.divide(chosen.factorial()?)?.divide(self.subtract(chosen)?.factorial()?)
    }

    pub fn as_integer(self) -> Option<i128> {
        match self {
            Exact(exact) => exact.as_integer(),
            Real(_) => None,
        }
    }

    pub fn is_exact(self) -> bool {
        matches!(self, Exact(_))
    }

    /// Equal as fractions, or as near as two ways to write one closed form come out.
    pub fn same(self, other: Self) -> bool {
        if let (Exact(left), Exact(right)) = (self, other) {
            return left == right;
        }
        let (left, right) = (self.to_f64(), other.to_f64());
        (left - right).abs() <= (RELATIVE_TOLERANCE * left.abs().max(right.abs())).max(ZERO_TOLERANCE)
    }

    fn to_f64(self) -> f64 {
        match self {
            Exact(exact) => exact.to_f64(),
            Real(value) => value,
        }
    }

    fn combine(
        self,
        other: Self,
        exact: fn(Rational, Rational) -> Option<Rational>,
        float: fn(f64, f64) -> f64,
    ) -> Option<Self> {
        match (self, other) {
            (Exact(left), Exact(right)) => exact(left, right).map(Exact),
            _ => real(float(self.to_f64(), other.to_f64())),
        }
    }
}

fn real(value: f64) -> Option<Number> {
    value.is_finite().then_some(Real(value))
}
