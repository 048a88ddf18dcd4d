//! Where the program was built without c10d there are no other ranks.

use std::convert::Infallible;

use tch::{Device, Tensor};

use super::{Place, RanksError};

/// Ranks that are joined, which cannot be.
pub enum Group {
    #[expect(dead_code, reason = "there is none")]
    Never(Infallible),
}

impl Group {
    pub fn join(place: &Place, _: Device) -> Result<Group, RanksError> {
        Err(RanksError::Alone(place.ranks))
    }

    fn never(&self) -> ! {
        match self {
            Group::Never(never) => match *never {},
        }
    }

    pub fn may_end(&self) {
        self.never()
    }

    pub fn sum(&self, _: &Tensor) -> Result<(), RanksError> {
        self.never()
    }

    pub fn broadcast(&self, _: &[&Tensor], _: &[u32]) -> Result<(), RanksError> {
        self.never()
    }

    pub fn send(&self, _: &Tensor, _: u32) -> Result<(), RanksError> {
        self.never()
    }

    pub fn receive(&self, _: &Tensor, _: u32) -> Result<(), RanksError> {
        self.never()
    }

    pub fn reducer(&self, _: &[&Tensor], _: &[usize]) -> Result<Reducer, RanksError> {
        self.never()
    }
}

/// Sums of gradients, which cannot be either.
pub enum Reducer {}

impl Reducer {
    pub fn begin(&self, _: &[usize]) {
        match *self {}
    }

    pub fn finish(&self) -> Result<usize, RanksError> {
        match *self {}
    }
}
