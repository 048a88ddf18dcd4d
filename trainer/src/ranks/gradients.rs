//! Gradients summed over ranks while they are computed.
//!
//! Parameters are put into buckets of about 25 MB in the order in which a walk back through the network reaches them. In a
//! rank's last walk of a minibatch a bucket's sum begins as soon as all its gradients are there, and goes on beside the walk.
//! What is left is summed at the end. A rank that has nothing to walk through takes part with zeros.
//!
//! The gradients are views of the buckets, so nothing is copied and nothing is held twice.

use tch::Tensor;

use super::RanksError;
use super::group::{Group, Reducer};

const BUCKET_BYTES: usize = 25 << 20;
const FLOAT32_BYTES: usize = 4;

/// What comes last in the network, and so first on the way back: the gradients of these are final before the layers are walked
/// through, because logits are made in parts.
const BEHIND_THE_LAYERS: [&str; 2] = ["lm_head.weight", "model.norm.weight"];

/// The sums of all parameters' gradients.
pub struct Gradients {
    reducer: Reducer,
    /// Parameters whose gradients are final when the walk begins.
    already: Vec<usize>,
}

impl Gradients {
    pub(super) fn of(group: &Group, parameters: &[(String, Tensor)]) -> Result<Gradients, RanksError> {
        let is_behind = |index: &usize| BEHIND_THE_LAYERS.contains(&parameters[*index].0.as_str());
        let (already, rest): (Vec<usize>, Vec<usize>) = (0..parameters.len()).partition(is_behind);
        let order = already.iter().copied().chain(rest.into_iter().rev());
        let sizes: Vec<usize> = parameters.iter().map(|(_, tensor)| tensor.numel() * FLOAT32_BYTES).collect();
        let places = buckets(order, &sizes, BUCKET_BYTES);
        let tensors: Vec<&Tensor> = parameters.iter().map(|(_, tensor)| tensor).collect();
        Ok(Gradients { reducer: group.reducer(&tensors, &places)?, already })
    }

    /// Says that the last walk back through the network begins.
    pub fn begin(&self) {
        self.reducer.begin(&self.already);
    }

    /// Waits until all gradients are sums over the ranks. Returns how many buckets were under way before the walk ended.
    ///
    /// # Errors
    /// Where a rank is lost.
    pub fn finish(&self) -> Result<usize, RanksError> {
        self.reducer.finish()
    }
}

/// The bucket of each parameter, filled in an order until they are full.
fn buckets(order: impl Iterator<Item = usize>, sizes: &[usize], full: usize) -> Vec<usize> {
    let mut places = vec![0; sizes.len()];
    let (mut bucket, mut filled) = (0, 0);
    for parameter in order {
        if filled > 0 && filled + sizes[parameter] > full {
            (bucket, filled) = (bucket + 1, 0);
        }
        places[parameter] = bucket;
        filled += sizes[parameter];
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_filled_from_the_end_of_the_network_on() {
        let places = buckets([3, 2, 1, 0].into_iter(), &[90, 5, 5, 3], 10);
        assert_eq!(places, [2, 1, 0, 0]);
    }
}
