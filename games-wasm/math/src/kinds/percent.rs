//! Percentages: the part, the share, a change, the value before a change.

use ludus_game::Random;

use super::{Problem, between};

pub fn make(level: u8, random: &mut Random) -> Problem {
    // A multiple of 5 percent of a multiple of 20 is whole.
    let percent = 5 * between(random, 1, 19);
    let whole = 20 * between(random, 2, 25);
    let part = whole * percent / 100;
    match level {
        2 => Problem { text: format!("What is {percent}% of {whole}?"), answer: part.to_string() },
        3 => Problem { text: format!("What percent of {whole} is {part}?"), answer: format!("{percent}%") },
        4 => {
            let (verb, after) = if random.chance(1, 2) { ("rises", whole + part) } else { ("falls", whole - part) };
            Problem {
                text: format!("A price of {whole} {verb} by {percent}%. What is it now?"),
                answer: after.to_string(),
            }
        }
        _ if random.chance(1, 2) => Problem {
            text: format!("A price rises by {percent}% to {}. What was it before?", whole + part),
            answer: whole.to_string(),
        },
        _ => {
            // A multiple of 400 stays whole twice.
            let start = 400 * between(random, 1, 9);
            let (rise, fall) = (5 * between(random, 1, 10), 5 * between(random, 1, 10));
            let end = start * (100 + rise) / 100 * (100 - fall) / 100;
            Problem {
                text: format!("A price of {start} rises by {rise}% and then falls by {fall}%. What is it now?"),
                answer: end.to_string(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::numbers_in;

    #[test]
    fn the_answer_satisfies_what_the_text_says() {
        let mut random = Random::seeded(1);
        for level in (2..=5).cycle().take(2000) {
            let Problem { text, answer } = make(level, &mut random);
            let answer: i64 = answer.trim_end_matches('%').parse().expect("a whole number");
            let numbers = numbers_in(&text);
            let holds = match (level, &numbers[..]) {
                (2, [percent, whole]) => whole * percent == answer * 100,
                (3, [whole, part]) => whole * answer == part * 100,
                (4, [whole, percent]) if text.contains("rises") => whole * (100 + percent) == answer * 100,
                (4, [whole, percent]) => whole * (100 - percent) == answer * 100,
                (5, [percent, after]) => answer * (100 + percent) == after * 100,
                (5, [start, rise, fall]) => start * (100 + rise) * (100 - fall) == answer * 10_000,
                _ => false,
            };
            assert!(holds, "{text} {answer}");
        }
    }
}
