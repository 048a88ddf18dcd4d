//! Equations: linear ones, pairs of them, and quadratic ones. They are made from their solutions.

use ludus_game::Random;

use super::{Problem, between, nonzero, signed};
use crate::answer::rational::Rational;

pub fn linear(level: u8, random: &mut Random) -> Problem {
    let x = nonzero(random, 12);
    let (factor, term) = (between(random, 2, 9), nonzero(random, 20));
    let (left, right, x) = match level {
        2 => (format!("x {}", signed(term)), (x + term).to_string(), Rational::integer(x.into())),
        3 => (format!("{factor}x {}", signed(term)), (factor * x + term).to_string(), Rational::integer(x.into())),
        4 => {
            let less = between(random, 1, factor - 1);
            let rest = factor * x + term - less * x;
            (format!("{factor}x {}", signed(term)), format!("{less}x {}", signed(rest)), Rational::integer(x.into()))
        }
        _ => {
            // factor (x + term) = less x + rest
            let less = between(random, 1, factor - 1);
            let rest = nonzero(random, 20);
            let x = Rational::new((rest - factor * term).into(), (factor - less).into()).expect("the factors differ");
            (format!("{factor}(x {})", signed(term)), format!("{less}x {}", signed(rest)), x)
        }
    };
    Problem { text: format!("Solve {left} = {right} for x."), answer: x.to_string() }
}

pub fn systems(level: u8, random: &mut Random) -> Problem {
    let (x, y) = (nonzero(random, 9), nonzero(random, 9));
    let (first, second) = if level <= 4 {
        (format!("x + y = {}", x + y), format!("x - y = {}", x - y))
    } else {
        // Two rows whose determinant is not 0: the second is the first with a step added, in a way that cannot be a multiple.
        let (a, b) = (between(random, 2, 6), between(random, 2, 6));
        let (c, d) = (a + 1, b - between(random, 1, 7));
        let d = if d == 0 { -b } else { d };
        (format!("{a}x {} = {}", term(b, "y"), a * x + b * y), format!("{c}x {} = {}", term(d, "y"), c * x + d * y))
    };
    Problem { text: format!("Solve {first} and {second}. Reply as (x, y)."), answer: format!("({x}, {y})") }
}

pub fn quadratics(level: u8, random: &mut Random) -> Problem {
    match level {
        3 => {
            let root = between(random, 2, 20);
            Problem {
                text: format!("What is the positive solution of x^2 = {}?", root * root),
                answer: root.to_string(),
            }
        }
        4 => {
            let first = nonzero(random, 9);
            let other = nonzero(random, 9);
            let second = if other == first { -first } else { other };
            let text = format!("Find all solutions of {} = 0.", monic(-(first + second), first * second));
            Problem { text, answer: format!("{{{first}, {second}}}") }
        }
        _ => {
            // (x - middle)^2 = radicand, which is no square.
            let middle = nonzero(random, 9);
            let radicand = *random.pick(&[2, 3, 5, 6, 7, 10, 11, 13, 14, 15]);
            let text = format!(
                "Find the larger solution of {} = 0. Write it with sqrt.",
                monic(-2 * middle, middle * middle - radicand)
            );
            Problem { text, answer: format!("{middle} + sqrt({radicand})") }
        }
    }
}

/// `x^2 + 3x - 4`, without the terms that are 0.
fn monic(linear: i64, constant: i64) -> String {
    let linear = if linear == 0 { String::new() } else { format!(" {}", term(linear, "x")) };
    let constant = if constant == 0 { String::new() } else { format!(" {}", signed(constant)) };
    format!("x^2{linear}{constant}")
}

/// `- y`, `+ 3y`
fn term(factor: i64, letter: &str) -> String {
    match factor {
        1 => format!("+ {letter}"),
        -1 => format!("- {letter}"),
        _ => format!("{}{letter}", signed(factor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::same_value;

    /// Puts values in place of letters and compares both sides.
    fn holds(equation: &str, values: &[(&str, &str)]) -> bool {
        let put = |side: &str| {
            values.iter().fold(side.to_owned(), |side, (letter, value)| side.replace(letter, &format!("({value})")))
        };
        let (left, right) = equation.split_once(" = ").expect("an equation");
        same_value(&put(left), &put(right))
    }

    #[test]
    fn the_solution_of_a_linear_equation_satisfies_it() {
        let mut random = Random::seeded(1);
        for level in (2..=5).cycle().take(2000) {
            let Problem { text, answer } = linear(level, &mut random);
            let equation = text.trim_start_matches("Solve ").trim_end_matches(" for x.");
            assert!(holds(equation, &[("x", &answer)]), "{text} {answer}");
            assert!(!holds(equation, &[("x", &format!("{answer} + 1"))]), "every x solves {text}");
        }
    }

    #[test]
    fn the_solution_of_a_system_satisfies_both_equations_and_is_the_only_one() {
        let mut random = Random::seeded(2);
        for level in (4..=5).cycle().take(2000) {
            let Problem { text, answer } = systems(level, &mut random);
            let (x, y) = answer.trim_matches(['(', ')']).split_once(", ").expect("a pair");
            let equations = text.trim_start_matches("Solve ").trim_end_matches(". Reply as (x, y).");
            let (first, second) = equations.split_once(" and ").expect("two equations");
            assert!(holds(first, &[("x", x), ("y", y)]) && holds(second, &[("x", x), ("y", y)]), "{text} {answer}");
            // Another point on the first line, one step along it, is not on the second.
            let sides = |equation: &str, x: &str, y: &str| {
                equation
                    .split(" = ")
                    .next()
                    .map(|left| left.replace('x', &format!("({x})")).replace('y', &format!("({y})")))
            };
            let factor = |equation: &str, x: &str, y: &str| sides(equation, x, y).expect("a left side");
            let determinant = format!(
                "({})*({}) - ({})*({})",
                factor(first, "1", "0"),
                factor(second, "0", "1"),
                factor(first, "0", "1"),
                factor(second, "1", "0")
            );
            assert!(!same_value(&determinant, "0"), "{text} has more solutions");
        }
    }

    #[test]
    fn the_solutions_of_a_quadratic_equation_satisfy_it() {
        let mut random = Random::seeded(3);
        for level in (3..=5).cycle().take(2000) {
            let Problem { text, answer } = quadratics(level, &mut random);
            let equation = text
                .split(" of ")
                .nth(1)
                .expect("an equation")
                .trim_end_matches(" Write it with sqrt.")
                .trim_end_matches(['.', '?']);
            let roots: Vec<&str> = answer.trim_matches(['{', '}']).split(", ").collect();
            assert!(roots.iter().all(|root| holds(equation, &[("x", root)])), "{text} {answer}");
            assert!(level != 4 || roots.len() == 2 && roots[0] != roots[1], "{text} {answer}");
        }
    }
}
