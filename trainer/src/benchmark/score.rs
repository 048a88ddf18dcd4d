//! What an answer is worth, by each measure of its benchmark.

use super::item::Gold;
use super::{concepts, extract, latex};

/// A measure of one answer.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Score {
    pub measure: String,
    /// What the measure took for the answer.
    pub answer: String,
    /// 0 to 1.
    pub score: f64,
}

impl Score {
    fn new(measure: &str, answer: impl Into<String>, score: f64) -> Score {
        Score { measure: measure.to_owned(), answer: answer.into(), score }
    }

    fn right_or_wrong(measure: &str, answer: impl Into<String>, is_right: bool) -> Score {
        Score::new(measure, answer, f64::from(u8::from(is_right)))
    }
}

/// Of choices: `acc` takes the likeliest, `acc_norm` the likeliest by character, `acc_bytes` the likeliest by byte of UTF-8; of
/// those that are alike, the first.
pub fn of_choices(choices: &[String], right: usize, log_likelihoods: &[f64]) -> Vec<Score> {
    let score = |name: &str, length: fn(&str) -> usize| {
        let each = choices.iter().zip(log_likelihoods).map(|(choice, sum)| sum / length(choice) as f64);
        let best = each.enumerate().fold(None, |best: Option<(usize, f64)>, (index, value)| match best {
            Some((_, known)) if known >= value => best,
            _ => Some((index, value)),
        });
        let best = best.map_or(0, |(index, _)| index);
        Score::right_or_wrong(name, choices[best].clone(), best == right)
    };
    vec![score("acc", |_| 1), score("acc_norm", |choice| choice.chars().count()), score("acc_bytes", str::len)]
}

/// Of a reply. The measures of a choice need no reply: there are none.
pub fn of_reply(gold: &Gold, reply: &str) -> Vec<Score> {
    match gold {
        Gold::Choice { .. } => Vec::new(),
        Gold::Letter(right) => {
            let letter = extract::letter(reply);
            let is_right = letter == *right;
            vec![Score::right_or_wrong("custom-extract", letter, is_right)]
        }
        Gold::Number(right) => {
            let found =
                [("strict-match", extract::strict_number(reply)), ("flexible-extract", extract::last_number(reply))];
            let score = |(name, found): (&str, String)| {
                let is_right = extract::same_number(&found, right);
                Score::right_or_wrong(name, found, is_right)
            };
            found.map(score).into()
        }
        Gold::Latex(right) => {
            let boxed = latex::last_boxed(reply).unwrap_or_else(|| latex::INVALID.to_owned());
            let found = [("final-answer", latex::final_answer(reply)), ("boxed", boxed)];
            let score = |(name, found): (&str, String)| {
                let found = latex::normalized(&found);
                let is_right = latex::same(&found, right);
                Score::right_or_wrong(name, found, is_right)
            };
            found.map(score).into()
        }
        Gold::Sentence { concepts, .. } => {
            let (covered, of) = (concepts::covered(concepts, reply), concepts.len());
            vec![
                Score::right_or_wrong("all_concepts", reply.trim(), covered == of),
                Score::new("concepts", reply.trim(), covered as f64 / of.max(1) as f64),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_choice_wins_by_length_a_short_one_by_its_sum_and_the_first_of_two_alike() {
        let choices = ["ä".to_owned(), "abcd".to_owned(), "abcd".to_owned()];
        let scores = of_choices(&choices, 1, &[-1.6, -2.0, -2.0]);
        // By character -1.6 and -0.5, by byte -0.8 and -0.5.
        let found: Vec<(&str, f64)> = scores.iter().map(|score| (score.measure.as_str(), score.score)).collect();
        assert_eq!(found, [("acc", 0.0), ("acc_norm", 1.0), ("acc_bytes", 1.0)]);
    }
}
