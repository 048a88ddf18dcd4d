//! `ludus show`: an episode as a person would read it.

use std::io::Write as _;
use std::process::ExitCode;

use ludus_host::component_files::StoredComponents;
use ludus_host::replay::{Verdict, transcribe};
use ludus_host::store::Store;

use crate::Places;
use crate::clock;
use crate::commands::{BROKEN, open_library, transcript};
use crate::terminal::{self, BAD, BOLD, DIM, clean, styled};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The episode, by hash or the beginning of one
    hash: String,
    /// Print the bytes of the record instead, whose blake3 is the hash (docs/record-format.md)
    #[arg(long)]
    record: bool,
}

const EXAMPLES: &str = "Examples:
  ludus show 3f9a2c
  ludus show 3f9a2c --record > episode.jsonl";

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let store = Store::open_read_only(&places.store)?;
    let hash = store.find(&arguments.hash)?;
    let record = store.record(&hash)?;
    if arguments.record {
        std::io::stdout().write_all(&record)?;
        return Ok(ExitCode::SUCCESS);
    }
    let library = open_library(places)?;
    let entry = store.entry(&hash)?;
    let transcript = transcribe(&record, &StoredComponents::new(store.components(), &library))?;

    let mut output = terminal::output();
    writeln!(output, "{} {hash}", styled(BOLD, "Episode"))?;
    let mut facts = vec![format!("seed {}", entry.seed), format!("member {}", entry.member), entry.engine.clone()];
    if !entry.labels.run.is_empty() {
        let step = entry.labels.step.map(|step| format!(", step {step}")).unwrap_or_default();
        facts.push(format!("run {}{step}", entry.labels.run));
    }
    facts.push(format!("made {} UTC", clock::written(entry.created_at_s)));
    writeln!(output, "{}", styled(DIM, facts.join(" · ")))?;
    transcript::write(&transcript.entries, &mut output)?;
    if let Some(detail) = &entry.fault_detail {
        writeln!(output, "{}", styled(BAD, detail))?;
    }
    match transcript.verdict {
        Verdict::Identical => Ok(ExitCode::SUCCESS),
        Verdict::Differs(difference) => {
            writeln!(output, "{}", styled(BAD, "This is not what was recorded."))?;
            writeln!(output, "  line {}: {}", difference.line, clean(&difference.place))?;
            Ok(ExitCode::from(BROKEN))
        }
    }
}
