//! Which rank steps which parameters, where ranks share the optimizer's state (ZeRO-1, 1910.02054).
//!
//! Each rank holds the moments of a row of parameters, about as many numbers as any other. It steps these and hands them to all.
//! Parameters are not cut: where one is most of the network, its rank has most of the moments.

use std::ops::Range;

use tch::Tensor;

use super::share;

/// The parameters of each rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shards {
    own: usize,
    rows: Vec<Range<usize>>,
}

impl Shards {
    pub(super) fn of(parameters: &[(String, Tensor)], number: u32, ranks: u32) -> Shards {
        let sizes: Vec<usize> = parameters.iter().map(|(_, tensor)| tensor.numel()).collect();
        let rows = (0..ranks).map(|number| share::weighted(&sizes, number, ranks)).collect();
        Shards { own: number as usize, rows }
    }

    /// The parameters that this rank steps.
    pub fn own(&self) -> Range<usize> {
        self.rows[self.own].clone()
    }

    /// The rank that steps each parameter.
    pub fn owners(&self) -> Vec<u32> {
        (0_u32..).zip(&self.rows).flat_map(|(number, row)| row.clone().map(move |_| number)).collect()
    }
}
