//! CommonGen: a few concepts, and a sentence with all of them.
//!
//! Rows have `concepts` and `target`; those with the same `concept_set_idx` are one item with several references.
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
        let target = row.text("target")?.trim().to_owned();
        if target.is_empty() {
            return Err(
                row.problem("its `target` is empty: the test split has no references, use the validation split")
            );
        }
        let id = if row.has("concept_set_idx") { row.word("concept_set_idx")? } else { row.name() };
        if let Some(&place) = places.get(&id) {
            if let Gold::Sentence { references, .. } = &mut items[place].gold {
                references.push(target);
            }
            continue;
        }
        places.insert(id.clone(), items.len());
        let concepts = row.texts("concepts")?;
        if concepts.is_empty() {
            return Err(row.problem("its `concepts` are none"));
        }
        items.push(Item {
            id,
            subject: String::new(),
            introduction: "Write one sentence about an everyday scene that uses all of the given words.\n\n".to_owned(),
            question: format!("Words: {}\nSentence:", concepts.join(", ")),
            solution: target.clone(),
            gold: Gold::Sentence { concepts, references: vec![target] },
        });
    }
    Ok(items)
}
