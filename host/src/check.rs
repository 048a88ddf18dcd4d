//! Everything that a guest returns is checked here, and leaves as the plain types of `turn.rs`.
//!
//! Each check answers with the kind of fault and a sentence for people. Nothing is repaired except -0, which becomes 0, and
//! the order of seats, which carries no meaning.

use crate::bindings::exports::ludus::game::game as raw;
use crate::fault::FaultKind;
use crate::limits::Limits;
use crate::manifest::is_kebab_case;
use crate::turn::{Count, Outcome, Progress, Rejection, Request, Seat, Turn};

/// A value that broke the contract.
pub(crate) type Broken = (FaultKind, String);

/// The table at which values are checked.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    pub seats: u32,
    pub limits: &'a Limits,
}

impl Table<'_> {
    pub fn turn(self, turn: raw::Turn) -> Result<Turn, Broken> {
        match turn {
            raw::Turn::Decide(requests) => self.requests(requests).map(Turn::Decide),
            raw::Turn::Over(outcome) => self.outcome(outcome).map(Turn::Over),
        }
    }

    /// `asked` are the seats whose moves were just handed in.
    pub fn progress(self, progress: raw::Progress, asked: &[Seat]) -> Result<Progress, Broken> {
        let mut rejections = Vec::with_capacity(progress.rejections.len().min(asked.len()));
        for rejection in progress.rejections {
            if !asked.contains(&rejection.seat) {
                return broken(
                    FaultKind::BadSeats,
                    format!("it rejects a move of seat {}, which made none", rejection.seat),
                );
            }
            let reason = self.text("the reason of a rejection", rejection.reason)?;
            rejections.push(Rejection { seat: rejection.seat, reason });
        }
        rejections.sort_by_key(|rejection| rejection.seat);
        once_each(rejections.iter().map(|rejection| rejection.seat), "rejects")?;

        let turn = self.turn(progress.turn)?;
        for rejection in &rejections {
            let asked_again = match &turn {
                Turn::Decide(requests) => requests.iter().any(|request| request.seat == rejection.seat),
                Turn::Over(_) => false,
            };
            if !asked_again {
                let seat = rejection.seat;
                return broken(
                    FaultKind::BadSeats,
                    format!("it rejects the move of seat {seat} and does not ask it again"),
                );
            }
        }
        Ok(Progress { rejections, turn })
    }

    fn requests(self, requests: Vec<raw::Request>) -> Result<Vec<Request>, Broken> {
        if requests.is_empty() {
            return broken(FaultKind::BadSeats, "it goes on and asks nobody to move");
        }
        let mut checked = Vec::with_capacity(requests.len().min(self.seats as usize));
        for request in requests {
            self.seat("asks", request.seat)?;
            checked.push(Request { seat: request.seat, prompt: self.text("a prompt", request.prompt)? });
        }
        checked.sort_by_key(|request| request.seat);
        once_each(checked.iter().map(|request| request.seat), "asks")?;
        Ok(checked)
    }

    fn outcome(self, outcome: raw::Outcome) -> Result<Outcome, Broken> {
        if outcome.scores.len() as u64 != u64::from(self.seats) {
            let scores = outcome.scores.len();
            return broken(FaultKind::BadScores, format!("it gives {scores} scores to {} seats", self.seats));
        }
        let mut scores = outcome.scores;
        for score in &mut scores {
            if !(0.0..=1.0).contains(score) {
                return broken(FaultKind::BadScores, format!("a score of {score} is not from 0 to 1"));
            }
            // -0 equals 0 and has other bytes: it must not get into a hash.
            *score += 0.0;
        }
        let counts = self.counts(outcome.counts)?;
        let summary = self.text_or_none("the summary", outcome.summary)?;
        Ok(Outcome { scores, counts, summary })
    }

    fn counts(self, counts: Vec<raw::Count>) -> Result<Vec<Count>, Broken> {
        if counts.len() > self.limits.counts_max {
            let counts_max = self.limits.counts_max;
            return broken(
                FaultKind::BadCounts,
                format!("it returns {} counts, and {counts_max} are the most", counts.len()),
            );
        }
        let mut checked: Vec<Count> = Vec::with_capacity(counts.len());
        for raw::Count { seat, name, times, chances } in counts {
            self.seat("counts for", seat).map_err(|(_, sentence)| (FaultKind::BadCounts, sentence))?;
            if name.len() > self.limits.name_bytes_max || !is_kebab_case(&name) {
                let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
                return broken(FaultKind::BadCounts, format!("`{shown}` is no kebab-case name for a count"));
            }
            if times > chances {
                return broken(FaultKind::BadCounts, format!("`{name}` has {times} times of {chances} chances"));
            }
            if checked.iter().any(|other| other.seat == seat && other.name == name) {
                return broken(FaultKind::BadCounts, format!("`{name}` is counted twice for seat {seat}"));
            }
            checked.push(Count { seat, name, times, chances });
        }
        Ok(checked)
    }

    pub fn legal_moves(self, moves: Vec<String>) -> Result<Vec<String>, Broken> {
        if moves.is_empty() {
            return broken(FaultKind::BadLegalMoves, "it asks a seat to move that has no legal move");
        }
        if moves.len() > self.limits.legal_moves_max {
            let moves_max = self.limits.legal_moves_max;
            return broken(
                FaultKind::BadLegalMoves,
                format!("it lists {} legal moves, and {moves_max} are the most", moves.len()),
            );
        }
        moves.into_iter().map(|text| self.text("a legal move", text)).collect()
    }

    /// A text that must not be empty.
    pub fn text(self, what: &str, text: String) -> Result<String, Broken> {
        if text.chars().all(char::is_whitespace) {
            return broken(FaultKind::BadText, format!("{what} is empty"));
        }
        self.text_or_none(what, text)
    }

    /// A text that may be empty.
    pub fn text_or_none(self, what: &str, text: String) -> Result<String, Broken> {
        let bytes_max = self.limits.text_bytes_max;
        if text.len() > bytes_max {
            return broken(
                FaultKind::BadText,
                format!("{what} has {} bytes, and {bytes_max} are the most", text.len()),
            );
        }
        Ok(text)
    }

    fn seat(self, does: &str, seat: Seat) -> Result<(), Broken> {
        if seat < self.seats {
            return Ok(());
        }
        broken(FaultKind::BadSeats, format!("it {does} seat {seat} at a table of {} seats, counted from 0", self.seats))
    }
}

fn broken<T>(kind: FaultKind, sentence: impl Into<String>) -> Result<T, Broken> {
    Err((kind, sentence.into()))
}

/// `seats` are sorted.
fn once_each(seats: impl Iterator<Item = Seat>, does: &str) -> Result<(), Broken> {
    let mut last = None;
    for seat in seats {
        if last == Some(seat) {
            return broken(FaultKind::BadSeats, format!("it {does} seat {seat} twice in one turn"));
        }
        last = Some(seat);
    }
    Ok(())
}
