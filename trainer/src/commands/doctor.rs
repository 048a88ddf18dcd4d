//! `ludus-train doctor`: what is here and what is missing.

use ludus_trainer::doctor;

use super::Places;
use super::output::line;

pub fn run(places: &Places) -> anyhow::Result<()> {
    for finding in doctor::examine(&super::open_library(places)?) {
        line(finding)?;
    }
    Ok(())
}
