//! The place of a process among the ranks of a run, as `torchrun` tells it in the environment.

use super::RanksError;

/// Who this process is, and where the ranks meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Counted from 0 over all machines.
    pub rank: u32,
    /// At least 2.
    pub ranks: u32,
    /// The same among the ranks of this machine.
    pub local_rank: u32,
    pub local_ranks: u32,
    /// The host and the port at which all meet.
    pub address: String,
    pub port: u16,
    /// Whether torchrun itself serves that port; else the first rank does.
    pub is_served: bool,
    /// How often torchrun has begun anew.
    pub attempt: u32,
}

impl Place {
    /// The place that the environment names; none for a process that works alone.
    ///
    /// # Errors
    /// Where a variable is not what torchrun sets.
    pub fn from_environment() -> Result<Option<Place>, RanksError> {
        Place::read(&|name| std::env::var(name).ok())
    }

    fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Place>, RanksError> {
        let number = |name: &'static str, default: Option<u32>| match variable(name) {
            None => default.ok_or(RanksError::Place { variable: name, value: "not set".into(), expected: "a number" }),
            Some(value) => {
                value.trim().parse().map_err(|_| RanksError::Place { variable: name, value, expected: "a number" })
            }
        };
        let ranks = number("WORLD_SIZE", Some(1))?;
        if ranks <= 1 {
            return Ok(None);
        }
        let rank = number("RANK", None)?;
        if rank >= ranks {
            let value = rank.to_string();
            return Err(RanksError::Place { variable: "RANK", value, expected: "a number below WORLD_SIZE" });
        }
        let port = number("MASTER_PORT", None)?;
        let wrong_port = |_| RanksError::Place { variable: "MASTER_PORT", value: port.to_string(), expected: "a port" };
        let no_address = || RanksError::Place { variable: "MASTER_ADDR", value: "not set".into(), expected: "a host" };
        Ok(Some(Place {
            rank,
            ranks,
            local_rank: number("LOCAL_RANK", Some(rank))?,
            local_ranks: number("LOCAL_WORLD_SIZE", Some(ranks))?.max(1),
            address: variable("MASTER_ADDR").ok_or_else(no_address)?,
            port: u16::try_from(port).map_err(wrong_port)?,
            is_served: variable("TORCHELASTIC_USE_AGENT_STORE").as_deref() == Some("True"),
            attempt: number("TORCHELASTIC_RESTART_COUNT", Some(0))?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Place>, String> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
        Place::read(&find).map_err(|error| error.to_string())
    }

    const TORCHRUN: [(&str, &str); 7] = [
        ("WORLD_SIZE", "4"),
        ("RANK", "3"),
        ("LOCAL_RANK", "1"),
        ("LOCAL_WORLD_SIZE", "2"),
        ("MASTER_ADDR", "first.example"),
        ("MASTER_PORT", "29500"),
        ("TORCHELASTIC_USE_AGENT_STORE", "True"),
    ];

    #[test]
    fn without_torchrun_or_with_one_process_there_is_no_place() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("WORLD_SIZE", "1"), ("RANK", "0")]), Ok(None));
    }

    #[test]
    fn a_place_is_what_torchrun_says() {
        let place = read(&TORCHRUN).unwrap().unwrap();
        assert_eq!((place.rank, place.ranks, place.local_rank, place.local_ranks), (3, 4, 1, 2));
        assert_eq!(
            (place.address.as_str(), place.port, place.is_served, place.attempt),
            ("first.example", 29500, true, 0)
        );
    }

    #[test]
    fn a_variable_that_torchrun_would_not_set_is_named() {
        let mut odd = TORCHRUN;
        odd[1].1 = "4";
        assert!(read(&odd).unwrap_err().starts_with("RANK is 4, but torchrun sets a number below WORLD_SIZE"));
        assert!(read(&TORCHRUN[..4]).unwrap_err().starts_with("MASTER_PORT is not set"));
        assert!(read(&[("WORLD_SIZE", "two")]).unwrap_err().starts_with("WORLD_SIZE is two"));
    }
}
