//! The benchmarks: which splits they use, how many examples they show, where replies end.

use std::collections::BTreeMap;

use super::error::BenchmarkError;
use super::item::Item;
use super::rows::Row;
use super::tasks::{common_gen, gsm8k, math_500, mmlu, mmlu_pro, social_iqa};

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Task {
    /// Massive Multitask Language Understanding (Hendrycks et al. 2020)
    Mmlu,
    /// MMLU-Pro (Wang et al. 2024)
    MmluPro,
    /// SocialIQA (Sap et al. 2019)
    SocialIqa,
    /// CommonGen (Lin et al. 2020)
    CommonGen,
    /// 500 problems of MATH (Hendrycks et al. 2021, Lightman et al. 2023)
    #[value(name = "math-500")]
    Math500,
    /// Grade school math (Cobbe et al. 2021)
    Gsm8k,
}

/// How a benchmark is run where nothing else is said.
pub struct Defaults {
    /// The split that is asked; the first of these that is there.
    pub splits: &'static [&'static str],
    /// Where solved examples come from.
    pub examples: &'static [&'static str],
    pub shots: usize,
    /// Examples are of the item's own subject.
    pub examples_by_subject: bool,
    /// A reply is cut before the first of these.
    pub stops: &'static [&'static str],
    pub reply_tokens: usize,
}

impl Task {
    pub fn name(self) -> &'static str {
        match self {
            Task::Mmlu => "mmlu",
            Task::MmluPro => "mmlu-pro",
            Task::SocialIqa => "social-iqa",
            Task::CommonGen => "common-gen",
            Task::Math500 => "math-500",
            Task::Gsm8k => "gsm8k",
        }
    }

    /// The harness's own settings, but that CommonGen is not in it, and that MATH-500 has no examples of its own: the
    /// harness brings four.
    pub fn defaults(self) -> Defaults {
        let plain = Defaults {
            splits: &["test"],
            examples: &["train"],
            shots: 0,
            examples_by_subject: false,
            stops: &[],
            reply_tokens: 256,
        };
        match self {
            Task::Mmlu => Defaults { examples: &["dev"], examples_by_subject: true, ..plain },
            Task::MmluPro => Defaults {
                examples: &["validation"],
                shots: 5,
                examples_by_subject: true,
                stops: &["Question:"],
                reply_tokens: 2048,
                ..plain
            },
            Task::SocialIqa => Defaults { splits: &["validation", "dev"], ..plain },
            Task::CommonGen => Defaults { splits: &["validation", "dev"], stops: &["\n"], reply_tokens: 64, ..plain },
            Task::Math500 => Defaults { stops: &["Problem:"], ..plain },
            Task::Gsm8k => Defaults { shots: 5, stops: &["Question:", "</s>", "<|im_end|>"], ..plain },
        }
    }

    /// The items of rows, in their order.
    ///
    /// # Errors
    /// Where a row lacks something.
    pub fn items(self, rows: &[Row]) -> Result<Vec<Item>, BenchmarkError> {
        match self {
            Task::Mmlu => rows.iter().map(mmlu::item).collect(),
            Task::MmluPro => rows.iter().map(mmlu_pro::item).collect(),
            Task::SocialIqa => social_iqa::items(rows),
            Task::CommonGen => common_gen::items(rows),
            Task::Math500 => rows.iter().map(math_500::item).collect(),
            Task::Gsm8k => rows.iter().map(gsm8k::item).collect(),
        }
    }
}

/// The first `limit` items of each subject.
pub fn first_of_each(items: Vec<Item>, limit: usize) -> Vec<Item> {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut is_in = |item: &Item| {
        let count = taken.entry(item.subject.clone()).or_default();
        *count += 1;
        *count <= limit
    };
    items.into_iter().filter(|item| is_in(item)).collect()
}
