//! `ludus-train watch RUN`: how far a run is that goes on in another process, and its curves as they come.

use std::io::{self, IsTerminal as _};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use ludus_trainer::run_log::RunLog;
use ludus_trainer::run_state::{RunState, step_line};
use ludus_trainer::watch;

use super::Places;
use super::output::line;

/// How often the run's files are read.
const LOOK_MS: u64 = 500;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A run, by name or folder
    run: String,
    /// Print how far it is now, and end
    #[arg(long)]
    once: bool,
}

pub fn run(places: &Places, arguments: &Arguments) -> anyhow::Result<()> {
    let read = || RunLog::read(&places.store, &arguments.run);
    let mut log = read()?;
    if arguments.once {
        return print(&log);
    }
    let mut panel = io::stdout().is_terminal().then(Panel::new);
    // Without a terminal, the steps that have their line.
    let mut told = 0;
    loop {
        match &mut panel {
            Some(panel) => panel.show(&RunState::of(&log)),
            None => {
                // A run that goes on from an earlier step makes some again.
                told = told.min(log.steps_done());
                for step in log.metrics.iter().filter(|step| step.step > told) {
                    line(step_line(&log, step))?;
                }
                told = log.steps_done();
            }
        }
        if !log.goes_on {
            break;
        }
        watch::pause(LOOK_MS);
        log = read()?;
    }
    match panel {
        Some(panel) => {
            panel.finish();
            print(&log)
        }
        None => line(RunState::of(&log).head),
    }
}

fn print(log: &RunLog) -> anyhow::Result<()> {
    let state = RunState::of(log);
    line(state.head)?;
    state.curves.iter().try_for_each(line)
}

/// Lines that are drawn anew in their place.
struct Panel {
    all: MultiProgress,
    lines: Vec<ProgressBar>,
}

impl Panel {
    fn new() -> Panel {
        Panel { all: MultiProgress::with_draw_target(ProgressDrawTarget::stdout()), lines: Vec::new() }
    }

    fn show(&mut self, state: &RunState) {
        let texts: Vec<&String> = std::iter::once(&state.head).chain(&state.curves).collect();
        while self.lines.len() < texts.len() {
            // A line that is wider than the terminal is cut.
            let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            self.lines.push(self.all.add(ProgressBar::new(0).with_style(style)));
        }
        for (line, text) in self.lines.iter().zip(texts) {
            line.set_message(text.clone());
            line.tick();
        }
    }

    fn finish(self) {
        self.lines.iter().for_each(ProgressBar::finish_and_clear);
    }
}
