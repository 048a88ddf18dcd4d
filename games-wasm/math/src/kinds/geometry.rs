//! Lengths and areas, with pi and roots at the higher levels.

use ludus_game::Random;

use super::{Problem, between};

pub fn make(level: u8, random: &mut Random) -> Problem {
    let (width, height) = (between(random, 3, 15), between(random, 3, 15));
    match level {
        2 => {
            let (wanted, answer) =
                if random.chance(1, 2) { ("area", width * height) } else { ("perimeter", 2 * (width + height)) };
            Problem {
                text: format!("A rectangle is {width} by {height}. What is its {wanted}?"),
                answer: answer.to_string(),
            }
        }
        3 => {
            let base = 2 * width;
            Problem {
                text: format!("A triangle has base {base} and height {height}. What is its area?"),
                answer: (width * height).to_string(),
            }
        }
        4 => {
            let (wanted, factor) =
                if random.chance(1, 2) { ("area", width * width) } else { ("circumference", 2 * width) };
            Problem {
                text: format!("A circle has radius {width}. What is its {wanted}? Write it with pi."),
                answer: format!("{factor} pi"),
            }
        }
        _ => {
            let square = width * width + height * height;
            let text = format!(
                "A right triangle has legs {width} and {height}. How long is the hypotenuse? Write it with sqrt, or as a whole number."
            );
            Problem { text, answer: root(square) }
        }
    }
}

/// The square root of a number, whole where it is.
fn root(square: i64) -> String {
    (1..=square)
        .take_while(|root| root * root <= square)
        .find(|root| root * root == square)
        .map_or(format!("sqrt({square})"), |root| root.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::same_value;
    use crate::kinds::numbers_in;

    #[test]
    fn the_answer_follows_from_the_lengths() {
        let mut random = Random::seeded(1);
        for level in (2..=5).cycle().take(2000) {
            let Problem { text, answer } = make(level, &mut random);
            let formula = match numbers_in(&text)[..] {
                [width, height] if text.contains("perimeter") => format!("{width} + {height} + {width} + {height}"),
                [width, height] if text.contains("rectangle") => format!("{width} * {height}"),
                [base, height] if text.contains("area") => format!("{base} * {height} / 2"),
                [radius] if text.contains("area") => format!("pi {radius}^2").replace("pi ", "pi * "),
                [radius] => format!("2 pi * {radius}"),
                [leg, other] => format!("sqrt({leg}^2 + {other}^2)"),
                _ => panic!("{text}"),
            };
            assert!(same_value(&formula, &answer), "{text} {answer} is not {formula}");
        }
    }

    #[test]
    fn a_whole_hypotenuse_is_given_as_a_whole_number() {
        assert_eq!([25, 169, 45].map(root), ["5", "13", "sqrt(45)"]);
    }
}
