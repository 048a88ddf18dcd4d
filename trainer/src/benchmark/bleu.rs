//! Corpus BLEU-4 with several references (Papineni et al. 2002), as sacreBLEU computes it (Post 2018, 1804.08771): texts cut by
//! the rules of mteval-v13a, case kept, precisions of zero smoothed exponentially.
//!
//! ```text
//! BLEU = 100 * exp(min(0, 1 - r / c)) * (p_1 p_2 p_3 p_4)^(1/4)
//! p_n  = n-grams that are also in a reference, each at most as often as in one / n-grams;  1 / (2^k * n-grams) for the k-th zero
//! r, c = tokens of the closest references, of the replies
//! ```

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

const ORDER: usize = 4;

/// BLEU of replies, 0 to 100, each with its references. 0 where no reply shares a word with a reference.
pub fn corpus(pairs: &[(&str, &[String])]) -> f64 {
    let (mut matched, mut whole) = ([0usize; ORDER], [0usize; ORDER]);
    let (mut replies, mut closest) = (0, 0);
    for (reply, references) in pairs {
        let reply = tokens(reply);
        let references: Vec<Vec<String>> = references.iter().map(|reference| tokens(reference)).collect();
        replies += reply.len();
        // Of two that are as far, the shorter one.
        let nearest = references.iter().map(Vec::len).min_by_key(|&length| (length.abs_diff(reply.len()), length));
        closest += nearest.unwrap_or(0);
        for order in 1..=ORDER {
            let of_references: Vec<_> = references.iter().map(|reference| counts(reference, order)).collect();
            for (gram, count) in counts(&reply, order) {
                let most = of_references.iter().filter_map(|known| known.get(gram)).max().copied().unwrap_or(0);
                matched[order - 1] += count.min(most);
                whole[order - 1] += count;
            }
        }
    }
    if matched[0] == 0 || whole.contains(&0) {
        return 0.0;
    }
    let mut smoothing = 1.0;
    let logarithms = matched.iter().zip(whole).map(|(&matched, whole)| {
        let share = if matched > 0 {
            matched as f64
        } else {
            smoothing *= 2.0;
            1.0 / smoothing
        };
        (share / whole as f64).ln()
    });
    let mean = logarithms.sum::<f64>() / ORDER as f64;
    let brevity = (1.0 - closest as f64 / replies as f64).min(0.0);
    100.0 * (brevity + mean).exp()
}

fn counts(tokens: &[String], order: usize) -> BTreeMap<&[String], usize> {
    let mut counts = BTreeMap::new();
    for gram in tokens.windows(order) {
        *counts.entry(gram).or_default() += 1;
    }
    counts
}

/// Words and signs as mteval-v13a cuts them.
fn tokens(text: &str) -> Vec<String> {
    static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let rules = [
            (r"([\{-\~\[-\` -\&\(-\+\:-\@\/])", " $1 "),
            (r"([^0-9])([\.,])", "$1 $2 "),
            (r"([\.,])([^0-9])", " $1 $2"),
            (r"([0-9])(-)", "$1 $2 "),
        ];
        rules
            .into_iter()
            .map(|(found, written)| (Regex::new(found).expect("a pattern that the tests use"), written))
            .collect()
    });
    let joined = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    let joined = joined.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let cut = RULES
        .iter()
        .fold(format!(" {joined} "), |text, (found, written)| found.replace_all(&text, *written).into_owned());
    cut.split_whitespace().map(str::to_owned).collect()
}
