//! Several processes that train one network together, each with a copy of it: data parallelism over libtorch's own c10d.
//!
//! ```text
//! torchrun -> RANK, WORLD_SIZE, … -> Place -> Ranks
//!
//! rollout     each rank plays its share of the groups; what was played goes to all
//! filter, advantages, minibatches     the same on every rank, because of the same trajectories
//! update      each rank walks back through its share of a minibatch; gradients are summed bucket by bucket meanwhile
//! optimizer   every rank makes the same step, or its share of one (`optimizer.sharded`), which goes to all
//! books       the first rank writes; the others are silent
//! ```
//!
//! A loss weighs its tokens by counts of the whole update, so the sum of the ranks' gradients is the gradient that one process
//! has, to rounding. Ranks do the same things in the same order: whatever one of them decides by itself, such as to stop, is
//! agreed on first.
//!
//! Where one of them ends, the connections to it break, and the others end with a sentence. Nothing of it is repaired: the run
//! goes on from its newest checkpoint, with as many ranks as one likes.
//!
//! One process alone is one rank, for which all of this does nothing.

mod gradients;
#[cfg(ludus_c10d)]
mod group;
#[cfg(not(ludus_c10d))]
#[path = "ranks/no_group.rs"]
mod group;
mod place;
mod shards;
mod share;

use std::ops::Range;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tch::{Device, Kind, Tensor};

pub use self::gradients::Gradients;
use self::group::Group;
pub use self::place::Place;
pub use self::shards::Shards;

/// The ranks of a run, as one of them sees them.
#[derive(Clone)]
pub struct Ranks {
    number: u32,
    count: u32,
    /// The shares of a rollout that this process plays, one after the other, of so many.
    plays: Range<u32>,
    shares: u32,
    group: Option<Rc<Group>>,
}

/// Why ranks cannot work together.
#[derive(Debug, thiserror::Error)]
pub enum RanksError {
    #[error(
        "{variable} is {value}, but torchrun sets {expected}; start the ranks with torchrun, or leave WORLD_SIZE out"
    )]
    Place { variable: &'static str, value: String, expected: &'static str },
    #[error(
        "WORLD_SIZE is {0}, but this program was built to run alone: install Gloo's headers (`./just setup`, or on \
         Debian apt-get install libgloo-dev), then touch trainer/build.rs and build again"
    )]
    Alone(u32),
    #[error("the ranks cannot meet at {address}:{port}: {reason}")]
    Meeting { address: String, port: u16, reason: String },
    #[error(
        "this program was built without NCCL, which ranks on GPUs need: install NCCL's and CUDA's headers from PyPI (`just \
         setup`) and build again, or set model.device=cpu"
    )]
    NoNccl,
    #[error(
        "another rank ended or cannot be reached ({reason}), so this one ends; --resume goes on from the newest checkpoint"
    )]
    Lost { reason: String },
    #[error("another rank cannot go on, and says why; this one ends with it")]
    Another,
}

/// What ranks can be joined by in this build.
pub fn backends() -> Option<&'static str> {
    match (cfg!(ludus_c10d), cfg!(ludus_nccl)) {
        (true, true) => Some("Gloo and NCCL"),
        (true, false) => Some("Gloo, for ranks on CPUs"),
        (false, _) => None,
    }
}

/// Whether this process was joined to others.
static JOINED: AtomicBool = AtomicBool::new(false);

/// Whether this process was joined to others. Then libtorch has threads that may wait for them, and a program that ends with an
/// error ends without its destructors, which would wait for these.
pub fn were_joined() -> bool {
    JOINED.load(Ordering::Relaxed)
}

impl Ranks {
    /// A process that works alone.
    pub fn alone() -> Ranks {
        Ranks::alone_as(1)
    }

    /// A process that works alone, and plays the shares of so many ranks one after the other: what they played comes out, bit for
    /// bit.
    pub fn alone_as(ranks: u32) -> Ranks {
        Ranks { number: 0, count: 1, plays: 0..ranks, shares: ranks, group: None }
    }

    /// Meets the other ranks, if there are any. `device` is what this one computes on.
    ///
    /// # Errors
    /// Where they do not come, or this program or machine lacks what it takes.
    pub fn meet(place: Option<&Place>, device: Device) -> Result<Ranks, RanksError> {
        let Some(place) = place else { return Ok(Ranks::alone()) };
        let group = Group::join(place, device)?;
        JOINED.store(true, Ordering::Relaxed);
        let (number, count) = (place.rank, place.ranks);
        Ok(Ranks { number, count, plays: number..number + 1, shares: count, group: Some(Rc::new(group)) })
    }

    /// Parts from the others, when everything is done.
    pub fn leave(self) {
        if let Some(group) = &self.group {
            // One that is gone already needs nothing any more.
            if group.sum(&Tensor::zeros([1], (Kind::Float, Device::Cpu))).is_ok() {
                group.may_end();
            }
        }
    }

    /// Whether this is the rank that writes, shows and reports.
    pub fn is_first(&self) -> bool {
        self.number == 0
    }

    /// How many processes work together.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The parts of so many things in a row that this process plays. In the order of ranks they are the whole row.
    pub fn shares(&self, of: usize) -> Vec<Range<usize>> {
        self.plays.clone().map(|number| share::even(of, number, self.shares)).collect()
    }

    /// The part of things in a row that this rank takes, where each is as much work as its weight says.
    pub fn part(&self, weights: &[usize]) -> Range<usize> {
        share::weighted(weights, self.number, self.count)
    }

    /// What each rank has of something, in the order of ranks.
    ///
    /// # Errors
    /// Where a rank is lost.
    pub fn each<T: Serialize + DeserializeOwned>(&self, own: T) -> Result<Vec<T>, RanksError> {
        let Some(group) = &self.group else { return Ok(vec![own]) };
        let bytes = postcard::to_stdvec(&own).map_err(unreadable)?;
        let mut lengths = vec![0_i64; self.count as usize];
        lengths[self.number as usize] = bytes.len() as i64;
        let lengths = Tensor::from_slice(&lengths);
        group.sum(&lengths)?;
        let lengths = Vec::<i64>::try_from(&lengths).map_err(unreadable)?;
        let mut parts: Vec<Tensor> =
            lengths.iter().map(|&length| Tensor::zeros([length], (Kind::Uint8, Device::Cpu))).collect();
        parts[self.number as usize] = Tensor::from_slice(&bytes);
        let from: Vec<u32> = (0..self.count).collect();
        group.broadcast(&parts.iter().collect::<Vec<_>>(), &from)?;
        let mut own = Some(own);
        let mut all = Vec::with_capacity(parts.len());
        for (number, part) in parts.iter().enumerate() {
            all.push(match own.take_if(|_| number == self.number as usize) {
                Some(own) => own,
                None => {
                    let bytes = Vec::<u8>::try_from(part).map_err(unreadable)?;
                    postcard::from_bytes(&bytes).map_err(unreadable)?
                }
            });
        }
        Ok(all)
    }

    /// What the first rank has of something.
    ///
    /// # Errors
    /// Where a rank is lost.
    pub fn of_first<T: Serialize + DeserializeOwned>(&self, own: T) -> Result<T, RanksError> {
        // There is always a first.
        Ok(self.each(own)?.swap_remove(0))
    }

    /// Whether it is so on any rank.
    ///
    /// # Errors
    /// Where a rank is lost.
    pub fn any(&self, own: bool) -> Result<bool, RanksError> {
        Ok(self.each(own)?.contains(&true))
    }

    /// Goes on only where all ranks can. Each waits here for the others.
    ///
    /// # Errors
    /// This rank's own error, or that another has one.
    pub fn agree<T, E: From<RanksError>>(&self, own: Result<T, E>) -> Result<T, E> {
        let anyone_failed = self.any(own.is_err());
        let own = own?;
        if anyone_failed? { Err(RanksError::Another.into()) } else { Ok(own) }
    }

    /// Copies each tensor from the rank that has it to all others.
    ///
    /// # Errors
    /// Where a rank is lost.
    pub fn broadcast(&self, tensors: &[&Tensor], from: &[u32]) -> Result<(), RanksError> {
        self.group.as_ref().map_or(Ok(()), |group| group.broadcast(tensors, from))
    }

    /// A tensor that the rank `from` has and the first one wants: there it comes back, in the host's memory. On others nothing
    /// comes back. `like` has its shape.
    ///
    /// # Errors
    /// Where a rank is lost.
    pub fn to_first(&self, own: Option<&Tensor>, like: &Tensor, from: u32) -> Result<Option<Tensor>, RanksError> {
        let host = |tensor: &Tensor| tensor.to_device(Device::Cpu).contiguous();
        match (&self.group, own) {
            (Some(group), Some(own)) if from != 0 && self.number == from => group.send(&host(own), 0).map(|()| None),
            (Some(group), _) if from != 0 && self.is_first() => {
                let tensor = Tensor::zeros(like.size(), (Kind::Float, Device::Cpu));
                group.receive(&tensor, from)?;
                Ok(Some(tensor))
            }
            (_, own) if self.is_first() => Ok(own.map(Tensor::shallow_clone)),
            _ => Ok(None),
        }
    }

    /// The sums of gradients over ranks, where there are several. From now on the parameters' gradients are views of buckets.
    ///
    /// # Errors
    /// Where libtorch refuses.
    pub fn gradients(&self, parameters: &[(String, Tensor)]) -> Result<Option<Gradients>, RanksError> {
        self.group.as_ref().map(|group| Gradients::of(group, parameters)).transpose()
    }

    /// Which rank steps which parameters, where they share an optimizer.
    pub fn shards(&self, parameters: &[(String, Tensor)]) -> Shards {
        Shards::of(parameters, self.number, self.count)
    }
}

/// What another rank said makes no sense: it is another build of this program.
fn unreadable(error: impl std::fmt::Display) -> RanksError {
    RanksError::Lost { reason: format!("what it says cannot be read: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rank_alone_has_everything_and_agrees_with_itself() {
        let alone = Ranks::alone();
        assert_eq!((alone.is_first(), alone.count()), (true, 1));
        assert_eq!(alone.shares(5).first(), Some(&(0..5)));
        assert_eq!(alone.part(&[7, 1, 1]), 0..3);
        assert_eq!(alone.each(7).unwrap_or_default(), [7]);
        assert!(alone.any(true).unwrap_or(false) && !alone.any(false).unwrap_or(true));
    }

    #[test]
    fn alone_as_several_it_plays_the_shares_of_all() {
        assert_eq!(Ranks::alone_as(3).shares(5), [0..1, 1..3, 3..5]);
    }
}
