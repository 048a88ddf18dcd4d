//! Sums, products and quotients of fractions.

use ludus_game::Random;

use super::{Problem, between};
use crate::answer::rational::Rational;

pub fn make(level: u8, random: &mut Random) -> Problem {
    let (first, second) = (proper(random), proper(random));
    let (text, value) = match level {
        2 => {
            let below = i128::from(between(random, 5, 12));
            let [one, two] = [(); 2].map(|()| i128::from(between(random, 1, below as i64 - 1)));
            (format!("{one}/{below} + {two}/{below}"), Rational::new(one + two, below))
        }
        3 if random.chance(1, 2) => (format!("{first} + {second}"), first.plus(second)),
        3 => (format!("{first} - {second}"), first.minus(second)),
        4 if random.chance(1, 2) => (format!("({first}) * ({second})"), first.times(second)),
        4 => (format!("({first}) / ({second})"), first.over(second)),
        _ => {
            let third = proper(random);
            (format!("{first} - ({second}) * ({third})"), second.times(third).and_then(|product| first.minus(product)))
        }
    };
    Problem { text: format!("Work out {text} as a fraction."), answer: value.expect("small fractions fit").to_string() }
}

/// A fraction between 0 and 1 with a small denominator.
fn proper(random: &mut Random) -> Rational {
    let below = i128::from(between(random, 2, 12));
    let above = i128::from(between(random, 1, below as i64 - 1));
    Rational::new(above, below).expect("its denominator is not 0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{is_right, same_value};

    #[test]
    fn the_answer_is_what_the_expression_comes_to_and_not_the_expression_itself() {
        let mut random = Random::seeded(1);
        for level in (2..=5).cycle().take(2000) {
            let problem = make(level, &mut random);
            let expression = problem.text.trim_start_matches("Work out ").trim_end_matches(" as a fraction.");
            assert!(same_value(expression, &problem.answer), "{problem:?}");
            assert!(!is_right(expression, &problem.answer), "{problem:?}");
        }
    }
}
