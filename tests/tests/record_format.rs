//! A reader of records that was written from docs/record-format.md, in another language, reads what we write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn read(record: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/read_record.py");
    Command::new("python3").arg(script).arg(record).output().expect("python3 runs")
}

fn golden_records() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut records = Vec::new();
    for game in fs::read_dir(golden).expect("tests/golden") {
        for entry in fs::read_dir(game.expect("an entry").path()).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                records.push(path);
            }
        }
    }
    records
}

#[test]
fn the_reader_in_python_finds_the_hash_and_the_return_of_every_golden_record() {
    let records = golden_records();
    assert!(records.len() > 20, "{} records", records.len());
    for record in records {
        let output = read(&record);
        assert!(output.status.success(), "{}: {}", record.display(), String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let hash = text.lines().last().and_then(|line| line.strip_prefix("hash ")).expect("the hash");
        assert_eq!(Some(hash), record.file_stem().and_then(|stem| stem.to_str()));
    }
}

#[test]
fn the_reader_in_python_notices_a_return_that_is_not_what_its_stages_come_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = fs::read_to_string(&golden_records()[0]).expect("a record");
    let end = record.rfind("\"return\":").expect("a return");
    let path = folder.path().join("changed.jsonl");
    fs::write(&path, format!("{}\"return\":0.125}}\n", &record[..end])).expect("written");
    let output = read(&path);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("its stages come to"));
}
