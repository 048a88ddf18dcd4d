//! Sequences: the next term, a far term, a sum.

use ludus_game::Random;

use super::{Problem, between, nonzero};

pub fn make(level: u8, random: &mut Random) -> Problem {
    let (start, step) = (between(random, 1, 20), between(random, 2, 12));
    match level {
        1 => next(&steps(start, step, 5)),
        2 => {
            let (start, ratio) = (between(random, 1, 6), between(random, 2, 4));
            next(&(0..5).map(|place| start * ratio.pow(place)).collect::<Vec<_>>())
        }
        3 => {
            let place = between(random, 10, 40);
            let text = format!("What is term number {place} of {}, ...?", listed(&steps(start, step, 4)));
            Problem { text, answer: (start + step * (place - 1)).to_string() }
        }
        4 => {
            let count = between(random, 8, 25);
            let text =
                format!("What is the sum of the first {count} terms of {}, ...?", listed(&steps(start, step, 4)));
            Problem { text, answer: (count * start + step * count * (count - 1) / 2).to_string() }
        }
        _ => {
            // Steps that grow by the same amount.
            let growth = nonzero(random, 5);
            next(&(0..6).map(|place| start + step * place + growth * place * (place - 1) / 2).collect::<Vec<_>>())
        }
    }
}

fn steps(start: i64, step: i64, count: i64) -> Vec<i64> {
    (0..count).map(|place| start + step * place).collect()
}

/// Asks for the last of some terms.
fn next(terms: &[i64]) -> Problem {
    let (last, shown) = terms.split_last().expect("some terms");
    Problem { text: format!("What number comes next: {}?", listed(shown)), answer: last.to_string() }
}

fn listed(terms: &[i64]) -> String {
    terms.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::numbers_in;

    #[test]
    fn the_answer_goes_on_as_the_terms_began() {
        let mut random = Random::seeded(1);
        for level in (1..=5).cycle().take(2000) {
            let Problem { text, answer } = make(level, &mut random);
            let answer: i64 = answer.parse().expect("a whole number");
            let mut numbers = numbers_in(&text);
            let differences = |terms: &[i64]| terms.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>();
            let all_equal = |terms: &[i64]| terms.iter().all(|term| *term == terms[0]);
            let holds = match level {
                2 => {
                    numbers.push(answer);
                    numbers.windows(3).all(|terms| terms[1] * terms[1] == terms[0] * terms[2])
                }
                1 | 5 => {
                    numbers.push(answer);
                    let steps = differences(&numbers);
                    all_equal(&if level == 5 { differences(&steps) } else { steps })
                }
                _ => {
                    let count = numbers.remove(0) as usize;
                    let step = numbers[1] - numbers[0];
                    let terms: Vec<i64> =
                        std::iter::successors(Some(numbers[0]), |term| Some(term + step)).take(count).collect();
                    terms.starts_with(&numbers)
                        && answer == if level == 3 { terms[count - 1] } else { terms.iter().sum() }
                }
            };
            assert!(holds, "{text} {answer}");
        }
    }
}
