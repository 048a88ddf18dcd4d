//! Exact fractions. Every operation is checked: what does not fit in 128 bits is `None`, never wrong.

use std::fmt;

/// A fraction in lowest terms, its denominator positive: equal values are equal fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rational {
    numerator: i128,
    denominator: i128,
}

impl Rational {
    /// `None` where the denominator is 0, or where it does not fit.
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        let divisor = gcd(numerator.checked_abs()?, denominator.checked_abs()?);
        let sign = denominator.signum();
        (sign != 0).then(|| Self { numerator: numerator / divisor * sign, denominator: denominator / divisor * sign })
    }

    pub fn integer(value: i128) -> Self {
        Self { numerator: value, denominator: 1 }
    }

    pub fn plus(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::new(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    pub fn times(self, other: Self) -> Option<Self> {
        Self::new(self.numerator.checked_mul(other.numerator)?, self.denominator.checked_mul(other.denominator)?)
    }

    pub fn negated(self) -> Option<Self> {
        Some(Self { numerator: self.numerator.checked_neg()?, denominator: self.denominator })
    }

    /// One over it; `None` for 0.
    pub fn inverse(self) -> Option<Self> {
        Self::new(self.denominator, self.numerator)
    }

    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negated()?)
    }

    pub fn over(self, other: Self) -> Option<Self> {
        self.times(other.inverse()?)
    }

    /// By repeated squaring: at most 128 steps before it overflows or is done.
    pub fn power(self, exponent: i128) -> Option<Self> {
        let mut square = if exponent < 0 { self.inverse()? } else { self };
        let mut left = exponent.checked_abs()?;
        let mut product = Self::integer(1);
        while left > 0 {
            if left % 2 == 1 {
                product = product.times(square)?;
            }
            left /= 2;
            if left > 0 {
                square = square.times(square)?;
            }
        }
        Some(product)
    }

    /// The exact root, where there is one.
    pub fn root(self, degree: u32) -> Option<Self> {
        let numerator = integer_root(self.numerator.checked_abs()?, degree)?;
        let denominator = integer_root(self.denominator, degree)?;
        match (self.numerator < 0, degree % 2) {
            (true, 0) => None,
            (true, _) => Self::new(-numerator, denominator),
            (false, _) => Self::new(numerator, denominator),
        }
    }

    /// Its value where it is whole.
    pub fn as_integer(self) -> Option<i128> {
        (self.denominator == 1).then_some(self.numerator)
    }

    /// Numerator and denominator, in lowest terms.
    pub fn parts(self) -> (i128, i128) {
        (self.numerator, self.denominator)
    }

    pub fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

impl fmt::Display for Rational {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(formatter, "{}", self.numerator),
            denominator => write!(formatter, "{}/{denominator}", self.numerator),
        }
    }
}

/// The greatest common divisor of two numbers of which none is negative; 1 for two zeros, so that one may divide by it.
pub fn gcd(mut first: i128, mut second: i128) -> i128 {
    while second != 0 {
        (first, second) = (second, first % second);
    }
    first.max(1)
}

/// The float guess is right or off by little; the neighbours are tried too.
fn integer_root(value: i128, degree: u32) -> Option<i128> {
    let guess = (value as f64).powf(1.0 / f64::from(degree)).round() as i128;
    (guess.saturating_sub(1)..=guess.saturating_add(1)).find(|root| root.checked_pow(degree) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fraction(numerator: i128, denominator: i128) -> Rational {
        Rational::new(numerator, denominator).expect("a small fraction")
    }

    #[test]
    fn equal_fractions_are_the_same() {
        assert_eq!(fraction(2, -4), fraction(-1, 2));
        assert_eq!(fraction(0, -7), Rational::integer(0));
        assert_eq!(fraction(6, -3).to_string(), "-2");
        assert_eq!(fraction(-6, 4).to_string(), "-3/2");
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(fraction(1, 6).plus(fraction(1, 10)), Some(fraction(4, 15)));
        assert_eq!(fraction(1, 6).minus(fraction(1, 10)), Some(fraction(1, 15)));
        assert_eq!(fraction(-2, 3).over(fraction(4, 9)), Some(fraction(-3, 2)));
        assert_eq!(fraction(-2, 3).power(3), Some(fraction(-8, 27)));
        assert_eq!(fraction(-2, 3).power(-2), Some(fraction(9, 4)));
        assert_eq!(Rational::integer(-1).power(i128::MAX), Some(Rational::integer(-1)));
    }

    #[test]
    fn roots_are_exact_or_none() {
        assert_eq!(fraction(49, 64).root(2), Some(fraction(7, 8)));
        assert_eq!(fraction(-27, 8).root(3), Some(fraction(-3, 2)));
        assert_eq!(Rational::integer(2).root(2), None);
        assert_eq!(Rational::integer(-4).root(2), None);
        assert_eq!(Rational::integer(10i128.pow(36) + 1).root(2), None);
    }

    #[test]
    fn what_does_not_fit_or_is_not_defined_is_none() {
        assert_eq!(Rational::new(1, 0), None);
        assert_eq!(Rational::integer(0).inverse(), None);
        assert_eq!(Rational::integer(0).power(-1), None);
        assert_eq!(Rational::integer(10).power(39), None);
        assert_eq!(Rational::integer(i128::MAX).plus(Rational::integer(1)), None);
        assert_eq!(Rational::new(i128::MIN, 3), None);
    }
}
