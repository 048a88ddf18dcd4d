//! Counting and probability: orders, choices, draws from a bag.

use ludus_game::Random;

use super::{Problem, between};
use crate::answer::rational::Rational;

pub fn counting(level: u8, random: &mut Random) -> Problem {
    match level {
        3 if random.chance(1, 2) => {
            let books = between(random, 3, 7);
            Problem {
                text: format!("In how many orders can {books} different books stand on a shelf?"),
                answer: factorial(books).to_string(),
            }
        }
        3 => {
            let people = between(random, 4, 20);
            let text = format!("{people} people shake hands, each pair once. How many handshakes are there?");
            Problem { text, answer: choose(people, 2).to_string() }
        }
        4 if random.chance(1, 2) => {
            let (people, team) = (between(random, 6, 11), between(random, 3, 4));
            Problem {
                text: format!("How many teams of {team} can be chosen from {people} people?"),
                answer: choose(people, team).to_string(),
            }
        }
        4 => {
            let runners = between(random, 5, 12);
            let text = format!("{runners} runners race. In how many ways can first, second and third place go?");
            Problem { text, answer: (runners * (runners - 1) * (runners - 2)).to_string() }
        }
        _ if random.chance(1, 2) => {
            let (red, blue) = (between(random, 2, 5), between(random, 2, 5));
            let text = format!(
                "In how many different orders can {red} equal red and {blue} equal blue beads be put on a line?"
            );
            Problem { text, answer: choose(red + blue, red).to_string() }
        }
        _ => {
            let (women, men) = (between(random, 4, 7), between(random, 4, 7));
            let text = format!("How many teams of 2 women and 2 men can be chosen from {women} women and {men} men?");
            Problem { text, answer: (choose(women, 2) * choose(men, 2)).to_string() }
        }
    }
}

pub fn probability(level: u8, random: &mut Random) -> Problem {
    let (red, blue) = (between(random, 2, 9), between(random, 2, 9));
    let all = red + blue;
    let bag = format!("A bag holds {red} red and {blue} blue balls.");
    let (drawn, favourable, possible) = match level {
        3 => ("One is drawn. How likely is it red?", red, all),
        4 => ("Two are drawn at once. How likely are both red?", choose(red, 2), choose(all, 2)),
        _ if random.chance(1, 2) => {
            ("Two are drawn at once. How likely are they of different colours?", red * blue, choose(all, 2))
        }
        _ => (
            "Three are drawn at once. How likely is at least one red?",
            choose(all, 3) - choose(blue, 3),
            choose(all, 3),
        ),
    };
    let answer = Rational::new(favourable.into(), possible.into()).expect("the bag is not empty");
    Problem { text: format!("{bag} {drawn} Reply with a fraction."), answer: answer.to_string() }
}

fn factorial(things: i64) -> i64 {
    (1..=things).product()
}

/// How many sets of `chosen` there are among `things`; 0 where there are too few.
fn choose(things: i64, chosen: i64) -> i64 {
    (0..chosen).fold(1, |sets, taken| sets * (things - taken) / (taken + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::same_value;
    use crate::kinds::numbers_in;

    /// Goes through all subsets of `things` of this size, as bits.
    fn subsets(things: i64, size: u32) -> impl Iterator<Item = u32> {
        (0..1u32 << things).filter(move |set| set.count_ones() == size)
    }

    #[test]
    fn choices_are_as_many_as_there_are_subsets() {
        for things in 0..10 {
            for size in 0..=things + 1 {
                assert_eq!(choose(things, size) as usize, subsets(things, size as u32).count(), "{size} of {things}");
            }
        }
        assert_eq!([0, 1, 5, 7].map(factorial), [1, 1, 120, 5040]);
    }

    #[test]
    fn a_probability_is_found_by_going_through_all_draws() {
        let mut random = Random::seeded(1);
        for level in (3..=5).cycle().take(90) {
            let Problem { text, answer } = probability(level, &mut random);
            let [red, blue] = numbers_in(&text)[..] else { panic!("two numbers in {text}") };
            let drawn = if text.contains("One is") {
                1
            } else if text.contains("Two are") {
                2
            } else {
                3
            };
            // The red balls are the low bits.
            let reds = |set: u32| (set & ((1 << red) - 1)).count_ones();
            let favourable = subsets(red + blue, drawn).filter(|&set| match () {
                () if text.contains("different") => reds(set) == 1,
                () if text.contains("at least") => reds(set) >= 1,
                () => reds(set) == drawn,
            });
            assert!(
                same_value(&format!("{}/{}", favourable.count(), subsets(red + blue, drawn).count()), &answer),
                "{text} {answer}"
            );
        }
    }

    #[test]
    fn a_count_is_found_by_a_formula_of_its_own() {
        let mut random = Random::seeded(2);
        for level in (3..=5).cycle().take(2000) {
            let Problem { text, answer } = counting(level, &mut random);
            let numbers = numbers_in(&text);
            let formula = match (level, &numbers[..]) {
                (3, [books]) if text.contains("books") => format!("{books}!"),
                (3, [people]) => format!("{people}({people} - 1)/2"),
                (4, [team, people]) => format!("{people}!/({team}! ({people} - {team})!)"),
                (4, [runners]) => format!("{runners}!/({runners} - 3)!"),
                (5, [red, blue]) => format!("({red} + {blue})!/({red}! {blue}!)").replace("! ", "! * "),
                (5, [2, 2, women, men]) => format!("{women}({women} - 1)/2 * {men}({men} - 1)/2"),
                _ => panic!("{text}"),
            };
            assert!(same_value(&formula, &answer), "{text} {answer} is not {formula}");
        }
    }
}
