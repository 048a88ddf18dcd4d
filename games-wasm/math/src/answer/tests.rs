//! Tables of answers: pairs that are the same, pairs that are not, and text that means harm.

use super::*;

/// A reply and the wanted answer.
const RIGHT: &[(&str, &str)] = &[
    // Whole numbers and decimals
    ("42", "42"),
    (" 42. ", "42"),
    ("042", "42"),
    ("+42", "42"),
    ("42.0", "42"),
    ("-7", "−7"),
    ("--7", "7"),
    (".5", "0.50"),
    ("1,234", "1234"),
    ("1,234,567.5", "1234567.5"),
    ("1{,}234", "1,234"),
    ("1,\\!234", "1234"),
    ("$18.90", "18.9"),
    ("\\$18.90", "$18.90$"),
    // Fractions
    ("1/2", "0.5"),
    ("2/4", "1/2"),
    ("-3/4", "3/(-4)"),
    ("-\\frac{3}{4}", "\\frac{-3}{4}"),
    ("\\dfrac{1}{2}", "\\tfrac12"),
    ("7/2", "3 1/2"),
    ("3\\frac{1}{2}", "3.5"),
    ("-1 1/2", "-3/2"),
    // Percent: the sign may be left out, and counts where it stands
    ("25%", "25\\%"),
    ("25", "25%"),
    ("25%", "25"),
    ("25%", "1/4"),
    ("0.25", "25%"),
    // Closed forms
    ("sqrt(2)", "\\sqrt{2}"),
    ("√2", "\\sqrt2"),
    ("\\sqrt{45}", "3\\sqrt{5}"),
    ("1/\\sqrt{2}", "\\frac{\\sqrt{2}}{2}"),
    ("(6+sqrt(8))/2", "3 + \\sqrt{2}"),
    ("2^(1/2)", "sqrt(2)"),
    ("4*pi", "4\\pi"),
    ("4π", "4 \\cdot \\pi"),
    ("12.566370614359", "4pi"),
    ("\\sqrt[3]{2}", "2^{1/3}"),
    ("1024", "2^{10}"),
    ("2^10", "2^{10}"),
    ("120", "5!"),
    ("10", "\\binom{5}{2}"),
    ("90^\\circ", "90"),
    ("90°", "90^{\\circ}"),
    // What stands around an answer
    ("x = 3", "3"),
    ("12 + 30 = 42", "42"),
    ("The answer is 42.", "42"),
    ("Answer: x = 42", "42"),
    ("So it is \\boxed{\\frac{1}{2}}.", "1/2"),
    ("\\boxed{1} no, \\boxed{2}", "2"),
    ("$\\frac{1}{2}$", "0.5"),
    ("\\(5\\)", "5"),
    ("5 cm", "5\\text{ cm}"),
    ("12 apples", "12"),
    // Lists
    ("(1, 2)", "(1,2)"),
    ("\\left(1, \\frac{1}{2}\\right)", "(1, 0.5)"),
    ("1, 2", "(1, 2)"),
    ("x = 1, y = 2", "(1, 2)"),
    ("y = 2, x = 1", "(1, 2)"),
    ("(x, y) = (1, 2)", "(1, 2)"),
    ("3, 2", "2, 3"),
    ("3 and 2", "{2, 3}"),
    ("x = 3 or x = 2", "\\{2, 3\\}"),
    ("{5}", "5"),
    ("2; 3", "2 \\text{ or } 3"),
    ("4, 2", "3 ± 1"),
    ("3 - sqrt(2), 3 + sqrt(2)", "3 \\pm \\sqrt{2}"),
    ("(3,4), (1,2)", "(1,2), (3,4)"),
    // Text
    ("East", "\\text{east}"),
    ("x + 1", "x+1"),
    ("[1, 2)", "[1,2)"),
    ("5 million", "5 million"),
];

const WRONG: &[(&str, &str)] = &[
    ("", "42"),
    (".", "42"),
    ("41", "42"),
    ("forty-two", "42"),
    ("4 2", "42"),
    ("1 2", "12"),
    ("1 1/2", "11/2"),
    ("42 43", "42"),
    ("1,2", "12"),
    ("12,34", "1234"),
    ("(1,234)", "1234"),
    ("0.333", "1/3"),
    ("0.3333333333333333", "1/3"),
    ("1.414", "sqrt(2)"),
    ("3.14", "pi"),
    ("22/7", "\\pi"),
    ("-7", "7"),
    ("1/0", "0"),
    ("0/0", "0/0 + 1"),
    ("2500%", "0.25"),
    ("0.25", "25"),
    ("250000%", "25"),
    ("\\frac{1}{23}", "\\frac{12}{3}"),
    ("(2, 1)", "(1, 2)"),
    ("2, 1", "(1, 2)"),
    ("x = 2, y = 1", "(1, 2)"),
    ("[1, 2]", "(1, 2)"),
    ("(1, 2, 3)", "(1, 2)"),
    ("1", "1, 1"),
    ("2, 2", "2, 3"),
    ("2 or 3", "2"),
    ("2, 3, 4", "2, 3"),
    ("(1, 2]", "[1, 2)"),
    ("5", "5 million"),
    ("west", "east"),
    ("100000000000000000000000000000000000000000001", "100000000000000000000000000000000000000000002"),
    // Work left undone
    ("40 + 2", "42"),
    ("6*7", "42"),
    ("84/2", "42"),
    ("\\frac{84}{2}", "42"),
    ("2^10", "1024"),
    ("sqrt(49)", "7"),
    ("50% * 84", "42"),
    ("5!", "120"),
    ("1/2 + 1/4", "3/4"),
    ("sqrt(3^2 + 6^2)", "sqrt(45)"),
    ("pi*2^2", "4pi"),
    ("(1 + 1, 2)", "(2, 2)"),
];

#[test]
fn equal_values_are_right_however_they_are_written() {
    let wrong: Vec<_> = RIGHT.iter().filter(|(reply, wanted)| !is_right(reply, wanted)).collect();
    assert!(wrong.is_empty(), "taken for wrong: {wrong:?}");
}

#[test]
fn other_values_and_unfinished_work_are_wrong() {
    let right: Vec<_> = WRONG.iter().filter(|(reply, wanted)| is_right(reply, wanted)).collect();
    assert!(right.is_empty(), "taken for right: {right:?}");
}

#[test]
fn an_unfinished_reply_still_has_the_value() {
    for (reply, wanted) in [
        ("40 + 2", "42"),
        ("2^10", "1024"),
        ("1/2 + 1/4", "3/4"),
        ("3 ± 1", "2, 4"),
        ("(1 + 1, 2)", "(2, 2)"),
        ("2 - 3 * 4 ^ 2 / 8", "-4"),
        ("-2^2", "-4"),
    ] {
        assert!(same_value(reply, wanted), "{reply} is {wanted}");
    }
}

#[test]
fn an_answer_equals_itself() {
    for (_, wanted) in RIGHT {
        assert!(is_right(wanted, wanted), "{wanted}");
    }
}

#[test]
fn hostile_text_is_wrong_and_nothing_worse() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(90), close.repeat(90));
    let hostile = [
        deep("(", ")"),
        deep("{", "}"),
        deep("\\{", "\\}"),
        deep("(1,", ")"),
        deep("\\frac{1}{", "}"),
        deep("\\sqrt{", "}"),
        deep("sqrt", ""),
        deep("-", ""),
        deep("±", ""),
        deep("2^", ""),
        deep("9^(", ")"),
        "(".repeat(200),
        ")".repeat(200),
        ",".repeat(200),
        "=".repeat(200),
        "\\".repeat(200),
        "\\text{".repeat(40),
        "\\boxed{".repeat(40),
        "\\frac".repeat(40),
        "\\frac12".repeat(28),
        "±1,".repeat(66),
        "1,".repeat(100),
        "9".repeat(200),
        "9^9^9^9^9".to_owned(),
        "9^-9999999999999999999999999999999999".to_owned(),
        "0^-1".to_owned(),
        "99999!".to_owned(),
        "3!!!!!!!!".to_owned(),
        "\\binom{3}{9}".to_owned(),
        "\\sqrt[0]{2}".to_owned(),
        "\\sqrt[-2]{2}".to_owned(),
        "\\sqrt[99999999999]{2}".to_owned(),
        "sqrt(-1)".to_owned(),
        "pi^pi^pi^pi^pi".to_owned(),
        "(-1)^(1/2)".to_owned(),
        "170141183460469231731687303715884105727".to_owned(),
        "-170141183460469231731687303715884105728 - 1".to_owned(),
        "½\u{0}\u{202e}𝟜\u{301}".to_owned(),
        "İ answer is İ".to_owned(),
        "NaN".to_owned(),
        "inf".to_owned(),
    ];
    for text in &hostile {
        for wanted in ["42", "1/2", "sqrt(2)", "(1, 2)", "{1, 2}", "east"] {
            assert!(!is_right(text, wanted), "{text}");
        }
        // Wanted answers come from people's files: they must not do harm either.
        is_right("42", text);
        same_value(text, text);
    }
}

#[test]
fn every_mangled_answer_is_compared_without_a_panic() {
    let letters: Vec<char> = "0129./-+*^(){}[],=%!$\\ xπ√±²".chars().collect();
    let mut random = ludus_game::Random::seeded(1);
    for (_, wanted) in RIGHT {
        for _ in 0..200 {
            let mut mangled: Vec<char> = wanted.chars().collect();
            for _ in 0..=random.below(3) {
                let place = random.below(mangled.len() as u32) as usize;
                mangled[place] = *random.pick(&letters);
            }
            let mangled: String = mangled.into_iter().collect();
            is_right(&mangled, wanted);
            is_right(wanted, &mangled);
        }
    }
}
