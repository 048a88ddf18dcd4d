//! How sure a number is: intervals at 95 %, and numbers as people read them.
//!
//! A share of wins gets Wilson's score interval (Wilson 1927), which stays inside 0 to 1 and is right for few episodes
//! and for shares near 0 or 1, where the textbook's is not. With n trials, share p and z = 1.96:
//!
//! ```text
//! (p + z^2 / 2n  ±  z * sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
//! ```
//!
//! A mean of anything else gets the normal interval, or a bootstrap (Efron 1979) where its values are far from normal. Two who
//! answered the same questions are compared with McNemar's test.

use ludus_host::stream::Stream;
use serde::{Deserialize, Serialize};

/// The normal distribution's 97.5 % quantile.
const Z: f64 = 1.959_963_984_540_054;

/// Where the true value lies with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    /// Wilson's interval for `part` of `whole` trials. `part` may be a sum of scores from 0 to 1: the interval is then
    /// on the safe side. Of no trials nothing is known: 0 to 1.
    pub fn wilson(part: f64, whole: u64) -> Interval {
        if whole == 0 {
            return Interval { low: 0.0, high: 1.0 };
        }
        let n = whole as f64;
        let share = (part / n).clamp(0.0, 1.0);
        let center = share + Z * Z / (2.0 * n);
        let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        // At 0 and 1 the bounds meet the share exactly; rounding must not put them beyond it.
        Interval {
            low: ((center - spread) / scale).clamp(0.0, share),
            high: ((center + spread) / scale).clamp(share, 1.0),
        }
    }

    /// The normal interval of a mean: 1.96 standard errors to each side. Fewer than two values say nothing of their
    /// spread: the interval is then infinite.
    pub fn normal(values: &[f64]) -> Interval {
        if values.len() < 2 {
            return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let half = Z * (variance / n).sqrt();
        Interval { low: mean - half, high: mean + half }
    }

    /// The percentile bootstrap of a mean: the middle 95 % of the means of `resamples` draws with replacement. The same
    /// seed gives the same interval. Of no values nothing is known, as in [`Interval::normal`].
    pub fn bootstrap(values: &[f64], resamples: usize, seed: u64) -> Interval {
        let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
        if count == 0 || resamples == 0 {
            return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        let mut stream = Stream::derive(seed, &["bootstrap".into()]);
        let mut means: Vec<f64> = (0..resamples)
            .map(|_| (0..count).map(|_| values[stream.below(count) as usize]).sum::<f64>() / f64::from(count))
            .collect();
        means.sort_unstable_by(f64::total_cmp);
        let at = |quantile: f64| means[((resamples - 1) as f64 * quantile).round() as usize];
        Interval { low: at(0.025), high: at(0.975) }
    }

    /// The percentile bootstrap of a mean of groups that were drawn, too, such as the episodes of several runs: each resample
    /// draws groups with replacement, and values within each (Davison and Hinkley 1997, section 3.8). Groups count alike. With
    /// one group it is that group's own bootstrap, and says nothing of other groups.
    pub fn bootstrap_of_groups(groups: &[Vec<f64>], resamples: usize, seed: u64) -> Interval {
        let groups: Vec<&Vec<f64>> = groups.iter().filter(|group| !group.is_empty()).collect();
        if groups.is_empty() || resamples == 0 {
            return Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
        }
        let mut stream = Stream::derive(seed, &["bootstrap".into(), "groups".into()]);
        let mut below = |count: usize| stream.below(u32::try_from(count).unwrap_or(u32::MAX)) as usize;
        let mut means: Vec<f64> = (0..resamples)
            .map(|_| {
                let sum: f64 = (0..groups.len())
                    .map(|_| {
                        let group = groups[below(groups.len())];
                        let drawn: f64 = (0..group.len()).map(|_| group[below(group.len())]).sum();
                        drawn / group.len() as f64
                    })
                    .sum();
                sum / groups.len() as f64
            })
            .collect();
        means.sort_unstable_by(f64::total_cmp);
        let at = |quantile: f64| means[((resamples - 1) as f64 * quantile).round() as usize];
        Interval { low: at(0.025), high: at(0.975) }
    }

    /// Whether two intervals share no value.
    pub fn is_apart_from(&self, other: &Interval) -> bool {
        self.high < other.low || other.high < self.low
    }
}

/// McNemar's exact test (McNemar 1947) of two answerers of the same questions, two-sided: how likely a split at least as uneven
/// would be among the questions that only one has right, were each as likely to fall to either.
///
/// ```text
/// p = min(1, 2 * sum_{k <= min(b, c)} C(b + c, k) / 2^(b + c))
/// ```
pub fn mcnemar(only_first: u64, only_second: u64) -> f64 {
    let n = only_first + only_second;
    // In logarithms: 2^n is too large for a float from n = 1024 on.
    let mut logarithm = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=only_first.min(only_second) {
        tail += logarithm.exp();
        logarithm += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

/// A share as people read it: `71.5 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I,
    /// method 3.
    #[test]
    fn wilsons_interval_has_the_published_values() {
        let cases = [
            (81.0, 263, 0.2553, 0.3662),
            (15.0, 148, 0.0624, 0.1605),
            (0.0, 20, 0.0, 0.1611),
            (1.0, 29, 0.0061, 0.1718),
        ];
        for (part, whole, low, high) in cases {
            let interval = Interval::wilson(part, whole);
            let close = |found: f64, expected: f64| (found - expected).abs() < 5e-5;
            assert!(close(interval.low, low) && close(interval.high, high), "{part}/{whole}: {interval:?}");
        }
    }

    #[test]
    fn wilsons_interval_holds_the_share_at_its_ends_and_knows_nothing_of_nothing() {
        assert_eq!(Interval::wilson(20.0, 20).high, 1.0);
        assert_eq!(Interval::wilson(0.0, 20).low, 0.0);
        assert_eq!(Interval::wilson(0.0, 0), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn the_normal_interval_is_two_standard_errors_wide() {
        let interval = Interval::normal(&[1.0, 2.0, 3.0, 4.0]);
        // Variance 5/3, standard error sqrt(5/12).
        let half = Z * (5.0_f64 / 12.0).sqrt();
        assert!((interval.low - (2.5 - half)).abs() < 1e-12 && (interval.high - (2.5 + half)).abs() < 1e-12);
        assert!(Interval::normal(&[1.0]).low.is_infinite());
    }

    #[test]
    fn the_bootstrap_agrees_with_the_normal_interval_on_many_values_and_repeats_itself() {
        let values: Vec<f64> = (0..400).map(|index| f64::from(index % 20)).collect();
        let (bootstrap, normal) = (Interval::bootstrap(&values, 2000, 7), Interval::normal(&values));
        assert!((bootstrap.low - normal.low).abs() < 0.1, "{bootstrap:?} {normal:?}");
        assert!((bootstrap.high - normal.high).abs() < 0.1, "{bootstrap:?} {normal:?}");
        assert_eq!(bootstrap, Interval::bootstrap(&values, 2000, 7));
    }

    #[test]
    fn the_bootstrap_of_groups_is_as_wide_as_the_groups_differ() {
        // Two kinds of runs that differ by far more than their episodes do.
        let groups: Vec<Vec<f64>> = (0..8).map(|run| vec![f64::from(run % 2); 50]).collect();
        let interval = Interval::bootstrap_of_groups(&groups, 2000, 7);
        // The mean of eight fair coins: half, give or take twice the root of 1/32.
        assert!((interval.low - 0.125).abs() < 0.13 && (interval.high - 0.875).abs() < 0.13, "{interval:?}");
        let all: Vec<f64> = groups.concat();
        let pooled = Interval::bootstrap(&all, 2000, 7);
        assert!(interval.high - interval.low > 4.0 * (pooled.high - pooled.low), "{interval:?} {pooled:?}");
        let one = Interval::bootstrap_of_groups(std::slice::from_ref(&all), 2000, 7);
        assert!((one.low - pooled.low).abs() < 0.02 && (one.high - pooled.high).abs() < 0.02, "{one:?} {pooled:?}");
        assert_eq!(interval, Interval::bootstrap_of_groups(&groups, 2000, 7));
    }

    #[test]
    fn intervals_that_share_a_value_are_not_apart() {
        let interval = |low, high| Interval { low, high };
        assert!(interval(0.1, 0.2).is_apart_from(&interval(0.3, 0.4)));
        assert!(interval(0.3, 0.4).is_apart_from(&interval(0.1, 0.2)));
        assert!(!interval(0.1, 0.3).is_apart_from(&interval(0.3, 0.4)));
    }

    /// By hand, from rows of Pascal's triangle; the last two are SciPy's `binomtest(k, n, 0.5).pvalue`.
    #[test]
    fn mcnemars_exact_test_has_the_values_of_the_binomial_distribution() {
        let cases = [
            (0, 0, 1.0),
            (1, 0, 1.0),
            (0, 5, 2.0 / 32.0),
            (1, 9, 2.0 * 11.0 / 1024.0),
            (3, 3, 1.0),
            (20, 40, 0.013_489),
            (1000, 1100, 0.030_721),
        ];
        for (only_first, only_second, expected) in cases {
            let found = mcnemar(only_first, only_second);
            assert!((found - expected).abs() < 1e-6, "{only_first} {only_second}: {found}");
            assert_eq!(found, mcnemar(only_second, only_first));
        }
    }

    #[test]
    fn percents_have_one_place() {
        assert_eq!(percent(0.715), "71.5 %");
        assert_eq!(percent(1.0), "100.0 %");
    }
}
