//! Whole numbers: sums with a carry, products, quotients without a remainder, several steps.

use ludus_game::Random;

use super::{Problem, between};

pub fn make(level: u8, random: &mut Random) -> Problem {
    let (expression, value) = match level {
        1 => carried(9, random),
        2 if random.chance(1, 2) => carried(89, random),
        2 => product(two_digits(random, 1, 9), between(random, 3, 9)),
        3 if random.chance(1, 2) => product(two_digits(random, 1, 5), two_digits(random, 1, 9)),
        3 => {
            let (quotient, divisor) = (between(random, 12, 99), between(random, 3, 9));
            (format!("{} / {divisor}", quotient * divisor), quotient)
        }
        4 => {
            let [first, second, third, fourth] = [(); 4].map(|()| between(random, 3, 15));
            if random.chance(1, 2) {
                (format!("{first} * {second} + {third} * {fourth}"), first * second + third * fourth)
            } else {
                (format!("{first} * {second} - {third} * {fourth}"), first * second - third * fourth)
            }
        }
        _ => {
            let (first, second) = (between(random, 112, 899), between(random, 12, 49));
            let (third, fourth) = (between(random, 12, 79), between(random, 12, 79));
            (format!("{first} * {second} - ({third} + {fourth}) * {second}"), (first - third - fourth) * second)
        }
    };
    Problem { text: format!("Work out {expression}."), answer: value.to_string() }
}

/// A number with these tens and units that are not 0.
fn two_digits(random: &mut Random, tens_min: i64, tens_max: i64) -> i64 {
    10 * between(random, tens_min, tens_max) + between(random, 1, 9)
}

/// A sum whose units carry, or the difference that takes it back.
fn carried(tens_max: i64, random: &mut Random) -> (String, i64) {
    let units = between(random, 1, 9);
    let other_units = between(random, 10 - units, 9);
    let (first, second) = (10 * between(random, 1, tens_max) + units, 10 * between(random, 1, tens_max) + other_units);
    let sum = first + second;
    if random.chance(1, 2) { (format!("{first} + {second}"), sum) } else { (format!("{sum} - {second}"), first) }
}

fn product(first: i64, second: i64) -> (String, i64) {
    (format!("{first} * {second}"), first * second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{is_right, same_value};

    #[test]
    fn the_answer_is_what_the_expression_comes_to_and_not_the_expression_itself() {
        let mut random = Random::seeded(1);
        for level in (1..=5).cycle().take(2000) {
            let problem = make(level, &mut random);
            let expression = problem.text.trim_start_matches("Work out ").trim_end_matches('.');
            assert!(same_value(expression, &problem.answer), "{problem:?}");
            assert!(!is_right(expression, &problem.answer), "{problem:?}");
        }
    }

    #[test]
    fn the_easiest_sums_carry_and_the_easiest_differences_borrow() {
        let mut random = Random::seeded(2);
        for _ in 0..500 {
            let problem = make(1, &mut random);
            let numbers: Vec<i64> = problem
                .text
                .split(|letter: char| !letter.is_ascii_digit())
                .filter_map(|digits| digits.parse().ok())
                .collect();
            let units = (numbers[0] % 10, numbers[1] % 10);
            assert!(
                if problem.text.contains('+') { units.0 + units.1 >= 10 } else { units.0 < units.1 },
                "{problem:?}"
            );
        }
    }
}
