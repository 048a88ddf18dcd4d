//! CommonGen: a few concepts, and a sentence with all of them.
//!
//! Rows have `concepts` and `target`; those with the same `concept_set_idx` are one item with several references. In the
//! benchmark's own archive a row is an item: `concept_set`, `field#look#stand`, and its references in `scene`.
//!
//! The benchmark's own figures (SPICE, CIDEr, coverage of lemmas) need a scene-graph parser and a lemmatizer, and it has no
//! prompt: its models were fine-tuned. So the prompt is ours, and what is computed is less, and named as what it is:
//! `all_concepts` and `concepts` by regular inflection ([`crate::benchmark::concepts`]), and corpus BLEU-4 as sacreBLEU has it
//! ([`crate::benchmark::bleu`]). None of them is the published coverage.

use std::collections::BTreeMap;

use crate::benchmark::error::BenchmarkError;
use crate::benchmark::item::{Gold, Item};
use crate::benchmark::rows::Row;

pub fn items(rows: &[Row]) -> Result<Vec<Item>, BenchmarkError> {
    let mut items: Vec<Item> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        let (concepts, targets) = read(row)?;
        let references: Vec<String> = targets.iter().map(|target| target.trim().to_owned()).collect();
        if references.iter().any(String::is_empty) || references.is_empty() {
            return Err(row.problem("it has no reference: the test split has none, use the validation split"));
        }
        let id = if row.has("concept_set_idx") { row.word("concept_set_idx")? } else { row.name() };
        if let Some(&place) = places.get(&id) {
            if let Gold::Sentence { references: known, .. } = &mut items[place].gold {
                known.extend(references);
            }
            continue;
        }
        places.insert(id.clone(), items.len());
        items.push(Item {
            id,
            subject: String::new(),
            introduction: "Write one sentence about an everyday scene that uses all of the given words.\n\n".to_owned(),
            question: format!("Words: {}\nSentence:", concepts.join(", ")),
            solution: references[0].clone(),
            gold: Gold::Sentence { concepts, references },
        });
    }
    Ok(items)
}

/// Concepts and references.
fn read(row: &Row) -> Result<(Vec<String>, Vec<String>), BenchmarkError> {
    let (concepts, targets) = if row.has("concept_set") {
        let concepts = row.text("concept_set")?.split('#').map(|concept| concept.trim().to_owned());
        (concepts.filter(|concept| !concept.is_empty()).collect(), row.texts("scene")?)
    } else {
        (row.texts("concepts")?, vec![row.text("target")?.to_owned()])
    };
    if concepts.is_empty() {
        return Err(row.problem("it has no concepts"));
    }
    Ok((concepts, targets))
}
