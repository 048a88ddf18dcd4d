//! Divisors: greatest common ones, least common multiples, remainders.

use ludus_game::Random;

use super::{Problem, between};
use crate::answer::rational::gcd;

pub fn make(level: u8, random: &mut Random) -> Problem {
    match level {
        2 => divisor(between(random, 2, 9), 9, random),
        3 => {
            let (first, second) = (between(random, 4, 20), between(random, 4, 20));
            let multiple = first * second / divisor_of(first, second);
            Problem {
                text: format!("What is the least common multiple of {first} and {second}?"),
                answer: multiple.to_string(),
            }
        }
        4 => divisor(between(random, 6, 25), 30, random),
        _ => {
            let (base, exponent, modulus) = (between(random, 2, 9), between(random, 5, 30), between(random, 5, 13));
            let remainder = (0..exponent).fold(1, |power, _| power * base % modulus);
            Problem {
                text: format!("What is the remainder of {base}^{exponent} divided by {modulus}?"),
                answer: remainder.to_string(),
            }
        }
    }
}

/// Asks for the greatest common divisor of two different multiples of `common`.
fn divisor(common: i64, factor_max: i64, random: &mut Random) -> Problem {
    let first = between(random, 2, factor_max);
    let second = first % (factor_max - 1) + 2;
    let (first, second) = (first * common, second * common);
    let answer = divisor_of(first, second).to_string();
    Problem { text: format!("What is the greatest common divisor of {first} and {second}?"), answer }
}

fn divisor_of(first: i64, second: i64) -> i64 {
    gcd(first.into(), second.into()) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::numbers_in;

    #[test]
    fn the_answer_is_found_by_trying_all_numbers() {
        let mut random = Random::seeded(1);
        for level in (2..=5).cycle().take(2000) {
            let Problem { text, answer } = make(level, &mut random);
            let tried = match (level, &numbers_in(&text)[..]) {
                (2 | 4, &[first, second]) => {
                    (1..=first).rev().find(|&divisor| first % divisor == 0 && second % divisor == 0)
                }
                (3, &[first, second]) => {
                    (1..=first * second).find(|multiple| multiple % first == 0 && multiple % second == 0)
                }
                (5, &[base, exponent, modulus]) => {
                    Some((i128::from(base).pow(exponent as u32) % i128::from(modulus)) as i64)
                }
                _ => None,
            };
            assert_eq!(tried.map(|tried| tried.to_string()), Some(answer), "{text}");
        }
    }

    #[test]
    fn a_divisor_is_asked_of_two_different_numbers() {
        let mut random = Random::seeded(2);
        for level in [2, 4].into_iter().cycle().take(2000) {
            let numbers = numbers_in(&make(level, &mut random).text);
            assert_ne!(numbers[0], numbers[1]);
        }
    }
}
