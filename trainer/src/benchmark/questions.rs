//! The questions of a benchmark: its items, and the solved examples that are shown before them.
//!
//! Examples are the first ones of their split, but never the item itself that is asked: its answer would stand in the prompt.
//! Where the same files are asked and shown, each item has the first ones of the others, as in lm-evaluation-harness.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::BenchmarkError;
use super::files;
use super::item::{Gold, Item};
use super::rows;
use super::task::{Task, first_of_each};

/// What is asked.
pub struct Questions {
    pub task: Task,
    pub items: Vec<Item>,
    /// All solved examples, by subject where the benchmark has them of the item's own; else all under no subject.
    examples: BTreeMap<String, Vec<Item>>,
    pub split: String,
    pub examples_split: Option<String>,
    pub shots: usize,
}

/// Where items come from; what is none is the benchmark's own default.
pub struct Source<'a> {
    pub task: Task,
    /// A file of items, or a folder with the files of its splits.
    pub data: &'a Path,
    pub split: Option<&'a str>,
    /// The same for solved examples.
    pub examples: Option<&'a Path>,
    pub shots: Option<usize>,
    /// At most so many items of each subject.
    pub limit: Option<usize>,
}

impl Questions {
    /// Reads the items, and the examples where some are shown.
    ///
    /// # Errors
    /// Where files are missing or damaged, lack something, or have too few examples.
    pub fn read(source: &Source) -> Result<Questions, BenchmarkError> {
        let task = source.task;
        let defaults = task.defaults();
        let splits: Vec<&str> = source.split.map_or_else(|| defaults.splits.to_vec(), |split| vec![split]);
        let (split, paths) = if source.data.is_dir() {
            files::of_split(source.data, &splits)?
        } else {
            (source.split.unwrap_or(splits[0]).to_owned(), vec![source.data.to_path_buf()])
        };
        let mut items = read_items(task, &paths)?;
        if let Some(limit) = source.limit {
            items = first_of_each(items, limit);
        }
        if items.is_empty() {
            return Err(BenchmarkError::Asked(format!("{} has no items", source.data.display())));
        }
        let shots = source.shots.unwrap_or(defaults.shots);
        let mut questions = Questions { task, items, examples: BTreeMap::new(), split, examples_split: None, shots };
        if shots > 0 {
            questions.read_examples(source, &paths, defaults.examples, defaults.examples_by_subject)?;
        }
        Ok(questions)
    }

    /// `asked` are the files of the items.
    fn read_examples(
        &mut self,
        source: &Source,
        asked: &[PathBuf],
        splits: &[&str],
        by_subject: bool,
    ) -> Result<(), BenchmarkError> {
        let place = source.examples.unwrap_or(source.data);
        let (split, paths) = if place.is_dir() {
            files::of_split(place, splits)?
        } else if source.examples.is_some() {
            let name = place.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            (name, vec![place.to_path_buf()])
        } else {
            return Err(BenchmarkError::Asked(format!(
                "{} solved examples are shown, and {} is a single file: name its folder as --data, the file of the examples as \
                 --examples, or --shots 0",
                self.shots,
                place.display()
            )));
        };
        for item in read_items(self.task, &paths)? {
            let subject = if by_subject { item.subject.clone() } else { String::new() };
            self.examples.entry(subject).or_default().push(item);
        }
        self.examples_split = Some(split);
        // Where an item is among the examples, there has to be one more than are shown.
        let are_asked = have_one_in_common(&paths, asked);
        let needed = self.shots.saturating_add(usize::from(are_asked));
        if let Some(item) = self.items.iter().find(|item| self.examples_for(item).len() < needed) {
            let about = if by_subject { format!(" about {}", item.subject) } else { String::new() };
            let besides = if are_asked { " besides the one that is asked" } else { "" };
            return Err(BenchmarkError::Asked(format!(
                "{} has {} solved examples{about}, and {} are to be shown{besides}: lower --shots",
                place.display(),
                self.examples_for(item).len(),
                self.shots
            )));
        }
        Ok(())
    }

    /// The examples that are shown before an item: the first ones that are not the item itself.
    pub fn examples_of(&self, item: &Item) -> Vec<&Item> {
        self.examples_for(item).iter().filter(|example| !example.asks_the_same(item)).take(self.shots).collect()
    }

    /// All examples that there are for an item, itself included where it is one.
    fn examples_for(&self, item: &Item) -> &[Item] {
        let of_subject = self.examples.get(&item.subject).or_else(|| self.examples.get(""));
        of_subject.map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether choices are scored; else replies are made.
    pub fn are_choices(&self) -> bool {
        self.items.iter().all(|item| matches!(item.gold, Gold::Choice { .. }))
    }

    /// How many answers there will be to wait for: choices or replies.
    pub fn work(&self) -> usize {
        let choices = |item: &Item| match &item.gold {
            Gold::Choice { choices, .. } => choices.len(),
            _ => 1,
        };
        self.items.iter().map(choices).sum()
    }
}

/// Whether a file is in both lists, by whatever path it is named.
fn have_one_in_common(first: &[PathBuf], second: &[PathBuf]) -> bool {
    let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    let first: Vec<PathBuf> = first.iter().map(real).collect();
    second.iter().any(|path| first.contains(&real(path)))
}

fn read_items(task: Task, paths: &[PathBuf]) -> Result<Vec<Item>, BenchmarkError> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(rows::read(path)?);
    }
    task.items(&all)
}
