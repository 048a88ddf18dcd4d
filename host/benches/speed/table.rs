//! Runs the contenders side by side and prints what a person reads.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::contenders;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// About how long a contender's turn in a round takes.
const TURN_NANOSECONDS: f64 = 0.4e9;

/// What all rows are compared with, where it is there: the first one whose name begins so.
const MARK: &str = "pyspiel";

pub struct Options {
    rounds: usize,
    /// Names and commands of a shell.
    peers: Vec<(String, String)>,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Options> {
        let mut options = Options { rounds: 11, peers: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let value = rest.next().ok_or_else(|| format!("`{argument}` needs a value"))?;
            match argument.as_str() {
                "--rounds" => options.rounds = value.parse()?,
                "--peer" => {
                    let (name, command) = value.split_once('=').ok_or("write --peer NAME=COMMAND")?;
                    options.peers.push((name.to_string(), command.to_string()));
                }
                other => return Err(format!("there is no option `{other}`").into()),
            }
        }
        Ok(options)
    }
}

/// A process that plays when it is told to.
struct Contender {
    name: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Episodes of a turn.
    episodes: u64,
    rounds: Vec<Round>,
}

struct Round {
    nanoseconds_a_step: f64,
    episodes_a_second: f64,
}

impl Contender {
    /// Starts it on one core.
    fn start(name: &str, core: usize, mut command: Vec<String>) -> Result<Contender> {
        let mut pinned = vec!["taskset".to_string(), "-c".to_string(), core.to_string()];
        pinned.append(&mut command);
        let mut child = Command::new(&pinned[0])
            .args(&pinned[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`{}` does not start: {error}", pinned.join(" ")))?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut contender =
            Contender { name: name.to_string(), child, input, output, episodes: 200, rounds: Vec::new() };
        // The first turn warms it up, the second says how much it gets done.
        contender.turn()?;
        let round = contender.turn()?;
        contender.episodes = (round.episodes_a_second * TURN_NANOSECONDS / 1e9).max(1.0) as u64;
        Ok(contender)
    }

    /// One of ours.
    fn own(name: &str, title: &str, core: usize) -> Result<Contender> {
        let own = std::env::current_exe()?.display().to_string();
        Contender::start(title, core, vec![own, "contender".to_string(), name.to_string()])
    }

    fn turn(&mut self) -> Result<Round> {
        self.begin_turn()?;
        self.end_turn()
    }

    fn begin_turn(&mut self) -> Result<()> {
        writeln!(self.input, "{}", self.episodes)?;
        Ok(self.input.flush()?)
    }

    fn end_turn(&mut self) -> Result<Round> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let numbers = line.split_whitespace().map(str::parse).collect::<std::result::Result<Vec<f64>, _>>();
        match numbers.as_deref() {
            Ok([steps, nanoseconds]) => Ok(Round {
                nanoseconds_a_step: nanoseconds / steps,
                episodes_a_second: self.episodes as f64 / nanoseconds * 1e9,
            }),
            _ => Err(format!("{} ended: {line:?}", self.name).into()),
        }
    }

    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(of).collect())
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // It ends by itself with its input; this only hurries it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prints the rows of one core.
pub fn print(options: &Options) -> Result<()> {
    let mut contenders = Vec::new();
    let last_core = cores()? - 1;
    for (name, command) in &options.peers {
        let shell = ["sh", "-c", command].map(str::to_string);
        contenders.push(Contender::start(name, last_core, shell.to_vec())?);
    }
    for (name, title) in contenders::ALL {
        contenders.push(Contender::own(name, title, last_core)?);
    }
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        for contender in &mut contenders {
            let round = contender.turn()?;
            contender.rounds.push(round);
        }
    }
    println!("| tic-tac-toe, random legal play, one core | us a step | steps/s | episodes/s | steps/s beside {MARK} |");
    println!("|---|---|---|---|---|");
    let mark = contenders.iter().position(|contender| contender.name.starts_with(MARK));
    for contender in &contenders {
        // Within a round both sides had the same machine.
        let ratio = mark.map(|mark| {
            let pairs = contenders[mark].rounds.iter().zip(&contender.rounds);
            median(pairs.map(|(mark, round)| mark.nanoseconds_a_step / round.nanoseconds_a_step).collect())
        });
        let microseconds = contender.median(|round| round.nanoseconds_a_step) / 1e3;
        println!(
            "| {} | {microseconds:.2} | {:.0} | {:.0} | {} |",
            contender.name,
            1e6 / microseconds,
            contender.median(|round| round.episodes_a_second),
            ratio.map_or("-".to_string(), |ratio| format!("{ratio:.2}")),
        );
    }
    Ok(())
}

/// Prints how whole runs of the program scale with threads, storing included, and how processes that share nothing do: what
/// the machine itself allows.
pub fn print_threads() -> Result<()> {
    let cores = cores()?;
    let rate = |jobs: usize| -> Result<f64> {
        let folder = tempfile::tempdir_in(".")?;
        let output = Command::new(env!("CARGO_BIN_EXE_ludus"))
            .arg("--store")
            .arg(folder.path())
            .args(["run", "tictactoe", "--episodes", "20000", "--json", "--jobs", &jobs.to_string()])
            .output()?;
        let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        report["episodes_per_s"].as_f64().ok_or_else(|| "no rate".into())
    };
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        one.push(rate(1)?);
        all.push(rate(cores)?);
    }
    let ratio = median(one.iter().zip(&all).map(|(one, all)| all / one).collect());
    println!("\n| `ludus run tictactoe`, stored | episodes/s | beside one thread |");
    println!("|---|---|---|");
    println!("| 1 thread | {:.0} | 1.00 |", median(one));
    println!("| {cores} threads | {:.0} | {ratio:.2} |", median(all));

    let mut apart: Vec<Contender> =
        (0..cores).map(|core| Contender::own("episode", "", core)).collect::<Result<_>>()?;
    let mut ratios = Vec::new();
    for _ in 0..5 {
        let alone = apart[0].turn()?.episodes_a_second;
        apart.iter_mut().try_for_each(Contender::begin_turn)?;
        let together: f64 =
            apart.iter_mut().map(|contender| Ok(contender.end_turn()?.episodes_a_second)).sum::<Result<f64>>()?;
        ratios.push(together / alone);
    }
    println!("\n{cores} processes that store nothing, one a core: {:.2} times the episodes/s of one", median(ratios));
    Ok(())
}

fn cores() -> Result<usize> {
    Ok(std::thread::available_parallelism()?.get())
}

pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}
