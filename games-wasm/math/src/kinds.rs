//! The kinds of problems, with the levels that each has. A problem is made from its answer, or together with it.

mod arithmetic;
mod chances;
mod divisors;
mod equations;
mod fractions;
mod geometry;
mod percent;
mod sequences;

use std::ops::RangeInclusive;

use ludus_game::Random;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The easiest and the hardest level.
pub const LEVELS: RangeInclusive<u8> = 1..=5;

/// A question and its exact answer.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    #[serde(rename = "problem")]
    pub text: String,
    /// A number, a closed form, a list or a word.
    pub answer: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Arithmetic,
    Sequences,
    Fractions,
    Percent,
    Linear,
    Divisors,
    Geometry,
    Quadratics,
    Counting,
    Probability,
    Systems,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::Arithmetic,
        Self::Sequences,
        Self::Fractions,
        Self::Percent,
        Self::Linear,
        Self::Divisors,
        Self::Geometry,
        Self::Quadratics,
        Self::Counting,
        Self::Probability,
        Self::Systems,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Arithmetic => "arithmetic",
            Self::Sequences => "sequences",
            Self::Fractions => "fractions",
            Self::Percent => "percent",
            Self::Linear => "linear",
            Self::Divisors => "divisors",
            Self::Geometry => "geometry",
            Self::Quadratics => "quadratics",
            Self::Counting => "counting",
            Self::Probability => "probability",
            Self::Systems => "systems",
        }
    }

    /// The levels that it has problems of.
    pub fn levels(self) -> RangeInclusive<u8> {
        match self {
            Self::Arithmetic | Self::Sequences => 1..=5,
            Self::Fractions | Self::Percent | Self::Linear | Self::Divisors | Self::Geometry => 2..=5,
            Self::Quadratics | Self::Counting | Self::Probability => 3..=5,
            Self::Systems => 4..=5,
        }
    }

    /// A problem of one of its levels.
    pub fn problem(self, level: u8, random: &mut Random) -> Problem {
        debug_assert!(self.levels().contains(&level), "{} has no level {level}", self.name());
        match self {
            Self::Arithmetic => arithmetic::make(level, random),
            Self::Sequences => sequences::make(level, random),
            Self::Fractions => fractions::make(level, random),
            Self::Percent => percent::make(level, random),
            Self::Linear => equations::linear(level, random),
            Self::Divisors => divisors::make(level, random),
            Self::Geometry => geometry::make(level, random),
            Self::Quadratics => equations::quadratics(level, random),
            Self::Counting => chances::counting(level, random),
            Self::Probability => chances::probability(level, random),
            Self::Systems => equations::systems(level, random),
        }
    }
}

/// A uniform draw, both ends included.
fn between(random: &mut Random, least: i64, most: i64) -> i64 {
    least + i64::from(random.below((most - least + 1) as u32))
}

/// A uniform draw from `-most..=most` without 0.
fn nonzero(random: &mut Random, most: i64) -> i64 {
    let size = between(random, 1, most);
    if random.chance(1, 2) { size } else { -size }
}

/// A term with its sign apart: `+ 3`, `- 3`.
fn signed(value: i64) -> String {
    format!("{} {}", if value < 0 { '-' } else { '+' }, value.abs())
}

/// The whole numbers of a text, in order, a minus before one counted in.
#[cfg(test)]
fn numbers_in(text: &str) -> Vec<i64> {
    text.split(|letter: char| !letter.is_ascii_digit() && letter != '-')
        .filter_map(|number| number.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::answer::is_right;

    fn every_kind_and_level() -> impl Iterator<Item = (Kind, u8)> {
        Kind::ALL.into_iter().flat_map(|kind| kind.levels().map(move |level| (kind, level)))
    }

    #[test]
    fn every_answer_is_right_and_a_value_of_its_own() {
        let mut random = Random::seeded(1);
        for (kind, level) in every_kind_and_level() {
            for _ in 0..300 {
                let Problem { text, answer } = kind.problem(level, &mut random);
                assert!(is_right(&answer, &answer), "{text} {answer}");
                assert!(!is_right(&format!("{answer} + 1"), &answer) && !is_right(&text, &answer), "{text} {answer}");
            }
        }
    }

    #[test]
    fn problems_are_short_and_vary() {
        let mut random = Random::seeded(2);
        for (kind, level) in every_kind_and_level() {
            let problems: Vec<Problem> = (0..300).map(|_| kind.problem(level, &mut random)).collect();
            assert!(
                problems.iter().all(|problem| problem.text.len() <= 130 && problem.answer.len() <= 20),
                "{:?}",
                problems[0]
            );
            let texts: BTreeSet<&str> = problems.iter().map(|problem| problem.text.as_str()).collect();
            let answers: BTreeSet<&str> = problems.iter().map(|problem| problem.answer.as_str()).collect();
            assert!(
                texts.len() >= 15 && answers.len() >= 8,
                "{} level {level}: {} texts, {} answers",
                kind.name(),
                texts.len(),
                answers.len()
            );
        }
    }

    #[test]
    fn the_name_of_a_kind_is_the_one_that_options_use() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a name"), kind.name());
        }
    }

    #[test]
    fn every_level_has_problems() {
        for level in LEVELS {
            assert!(Kind::ALL.iter().any(|kind| kind.levels().contains(&level)), "{level}");
        }
        assert!(every_kind_and_level().all(|(_, level)| LEVELS.contains(&level)));
    }
}
