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
        Gradients::in_buckets(group, parameters, BUCKET_BYTES)
    }

    fn in_buckets(group: &Group, parameters: &[(String, Tensor)], bytes: usize) -> Result<Gradients, RanksError> {
        let is_behind = |index: &usize| BEHIND_THE_LAYERS.contains(&parameters[*index].0.as_str());
        let (already, rest): (Vec<usize>, Vec<usize>) = (0..parameters.len()).partition(is_behind);
        let order = already.iter().copied().chain(rest.into_iter().rev());
        let sizes: Vec<usize> = parameters.iter().map(|(_, tensor)| tensor.numel() * FLOAT32_BYTES).collect();
        let places = buckets(order, &sizes, bytes);
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

    /// A rank that has nobody to meet still goes the whole way through libtorch.
    #[cfg(ludus_c10d)]
    #[test]
    fn sums_begin_while_gradients_still_come_and_what_is_left_is_summed_at_the_end() {
        use crate::ranks::Place;
        use tch::{Device, Kind};

        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = Place {
            rank: 0,
            ranks: 1,
            local_rank: 0,
            local_ranks: 1,
            address: "127.0.0.1".into(),
            port,
            is_served: false,
            attempt: 0,
        };
        let group = Group::join(&place, Device::Cpu).unwrap();
        let names = ["model.embed_tokens.weight", "model.layers.0.weight", "model.norm.weight"];
        let parameter =
            |name: &str| (name.to_string(), Tensor::ones([4], (Kind::Float, Device::Cpu)).set_requires_grad(true));
        let parameters = names.map(parameter);
        let [(_, embedding), (_, layer), (_, norm)] = &parameters;
        let gradients = Gradients::in_buckets(&group, &parameters, 16).unwrap();
        let all = || parameters.each_ref().map(|(_, tensor)| tensor.grad().double_value(&[0]));

        // As a pack goes: the head first, then the walk. An earlier pack has left something.
        (embedding * 10.0).sum(Kind::Float).backward();
        (norm * 3.0).sum(Kind::Float).backward();
        gradients.begin();
        (layer * embedding * 2.0).sum(Kind::Float).backward();
        assert_eq!(gradients.finish().unwrap(), 3, "all three were under way before the end");
        assert_eq!(all(), [12.0, 2.0, 3.0]);

        // Where the walk does not come to a parameter, or there is none, sums begin at the end.
        gradients.begin();
        (layer * 5.0).sum(Kind::Float).backward();
        assert_eq!(gradients.finish().unwrap(), 2);
        assert_eq!(gradients.finish().unwrap(), 0);
        assert_eq!(all(), [12.0, 7.0, 3.0]);
        group.may_end();
    }
}
