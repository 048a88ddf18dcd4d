//! Keys and values of conversations that are being generated.
//!
//! A *history* is what one or more conversations have seen so far. Histories lie in the first places of every layer, without
//! gaps, so that attention reads them where they are. One that is no longer needed is filled with the last one; one that
//! parts is copied. So conversations come and go at the cost of their own keys and values, never of all.

use tch::Tensor;

use super::attention::Heads;
use crate::attend;

/// Keys and values of every layer, `[places, keys, room, dim]` each: what a head attends to lies together, so that a product
/// reads it where it is.
pub struct Cache {
    heads: Heads,
    layers: Vec<(Tensor, Tensor)>,
    /// Places, and positions in each, that there is memory for.
    places: i64,
    room: i64,
    /// Tokens of each history.
    lengths: Vec<i64>,
}

/// New positions are made this many at a time: with fewer the cache would be copied more often to grow.
const ROOM_STEP: i64 = 64;
/// New places are made this many at a time.
const PLACES_STEP: i64 = 8;

impl Cache {
    /// A cache without histories.
    pub fn new(heads: Heads, layers: i64) -> Cache {
        let empty = || memory(heads, 0, 0);
        let layers = (0..layers).map(|_| (empty(), empty())).collect();
        Cache { heads, layers, places: 0, room: 0, lengths: Vec::new() }
    }

    pub fn histories(&self) -> usize {
        self.lengths.len()
    }

    /// Tokens of a history.
    pub fn length(&self, history: usize) -> i64 {
        self.lengths[history]
    }

    /// Adds a history of no tokens and returns its place.
    pub fn add(&mut self) -> usize {
        self.lengths.push(0);
        self.reserve(self.lengths.len() as i64, 0);
        self.lengths.len() - 1
    }

    /// Adds a copy of each of these histories, behind the others.
    pub fn copy(&mut self, from: &[usize]) {
        let before = self.lengths.len();
        self.lengths.extend(from.iter().map(|&history| self.lengths[history]).collect::<Vec<i64>>());
        self.reserve(self.lengths.len() as i64, 0);
        let to: Vec<usize> = (before..self.lengths.len()).collect();
        self.move_to(from, &to);
    }

    /// Drops the histories that are not `used`, and returns the new place of each (of a dropped one it means nothing).
    pub fn compact(&mut self, used: &[bool]) -> Vec<usize> {
        let kept = used.iter().filter(|&&used| used).count();
        let mut places: Vec<usize> = (0..used.len()).collect();
        let to: Vec<usize> = (0..kept).filter(|&history| !used[history]).collect();
        let from: Vec<usize> = (kept..used.len()).filter(|&history| used[history]).collect();
        self.move_to(&from, &to);
        for (&from, &to) in from.iter().zip(&to) {
            self.lengths[to] = self.lengths[from];
            places[from] = to;
        }
        self.lengths.truncate(kept);
        places
    }

    /// Makes room for so many histories and positions.
    pub(super) fn reserve(&mut self, histories: i64, positions: i64) {
        let whole = |number: i64, step: i64| (number + step - 1) / step * step;
        let places = whole(histories, PLACES_STEP).max(self.places);
        let room = whole(positions, ROOM_STEP).max(self.room);
        if (places, room) == (self.places, self.room) {
            return;
        }
        for (keys, values) in &mut self.layers {
            for tensor in [keys, values] {
                let larger = memory(self.heads, places, room);
                if tensor.numel() > 0 {
                    larger.narrow(0, 0, self.places).narrow(2, 0, self.room).copy_(tensor);
                }
                *tensor = larger;
            }
        }
        (self.places, self.room) = (places, room);
    }

    /// Writes the keys and values of new tokens, `[time, keys, dim]`, into a layer, each into its history and position.
    pub(super) fn put(&mut self, layer: usize, histories: &Tensor, positions: &Tensor, key: &Tensor, value: &Tensor) {
        let (keys, values) = &mut self.layers[layer];
        if self.heads.fused {
            attend::put(keys, key, histories, positions);
            attend::put(values, value, histories, positions);
            return;
        }
        let place = [Some(histories), None, Some(positions)];
        // Two indices with a whole dimension between them come first in what they name: `[time, keys, dim]`.
        let _ = keys.index_put_(&place, key, false);
        let _ = values.index_put_(&place, value, false);
    }

    /// All keys and values of a layer, `[places, keys, room, dim]`.
    pub(super) fn layer(&self, layer: usize) -> (&Tensor, &Tensor) {
        let (keys, values) = &self.layers[layer];
        (keys, values)
    }

    /// The first positions of some histories in a layer, as views: keys and values, `[histories, positions, keys, dim]`.
    pub(super) fn view(&self, layer: usize, first: i64, histories: i64, positions: i64) -> (Tensor, Tensor) {
        let part = |tensor: &Tensor| tensor.narrow(0, first, histories).narrow(2, 0, positions).transpose(1, 2);
        let (keys, values) = &self.layers[layer];
        (part(keys), part(values))
    }

    /// Notes that a history has so many more tokens.
    pub(super) fn grow(&mut self, history: usize, tokens: usize) {
        self.lengths[history] += tokens as i64;
    }

    /// Copies keys and values, as many positions as the longest of them has.
    fn move_to(&mut self, from: &[usize], to: &[usize]) {
        let longest = from.iter().map(|&history| self.lengths[history]).max().unwrap_or(0);
        if longest == 0 {
            return;
        }
        let index = |places: &[usize]| {
            let places: Vec<i64> = places.iter().map(|&place| place as i64).collect();
            Tensor::from_slice(&places).to_device(self.heads.device)
        };
        let (from, to) = (index(from), index(to));
        for (keys, values) in &mut self.layers {
            for tensor in [keys, values] {
                let mut used = tensor.narrow(2, 0, longest);
                let moved = used.index_select(0, &from);
                let _ = used.index_copy_(0, &to, &moved);
            }
        }
    }
}

/// Memory for keys or values. Where attention is masked it is zeros, not whatever lies there: a masked NaN would still poison the
/// sum. Where it is fused nothing is read that was not written.
fn memory(heads: Heads, places: i64, room: i64) -> Tensor {
    let (size, options) = ([places, heads.keys, room, heads.dim], (heads.compute, heads.device));
    if heads.fused { Tensor::empty(size, options) } else { Tensor::zeros(size, options) }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    const HEADS: Heads = Heads { queries: 1, keys: 1, dim: 2, compute: Kind::Float, device: Device::Cpu, fused: true };

    /// A cache of histories whose tokens all have the same number as keys and values.
    fn cache(histories: &[(i64, f64)]) -> Cache {
        let mut cache = Cache::new(HEADS, 2);
        for &(length, number) in histories {
            let history = cache.add();
            cache.reserve(0, length);
            let positions = Tensor::arange(length, (Kind::Int64, Device::Cpu));
            let places = positions.zeros_like() + history as i64;
            let state = Tensor::ones([length, 1, 2], (Kind::Float, Device::Cpu)) * number;
            for layer in 0..2 {
                cache.put(layer, &places, &positions, &state, &state);
            }
            cache.grow(history, length as usize);
        }
        cache
    }

    /// The numbers of a history's tokens, in a layer's keys and values alike.
    fn numbers(cache: &Cache, history: usize) -> Vec<f64> {
        let read = |tensor: &Tensor| -> Vec<f64> {
            (0..cache.length(history)).map(|position| tensor.double_value(&[0, position, 0, 1])).collect()
        };
        let of_layer = |layer: usize| {
            let (keys, values) = cache.view(layer, history as i64, 1, cache.length(history));
            assert_eq!(read(&keys), read(&values));
            read(&keys)
        };
        assert_eq!(of_layer(0), of_layer(1));
        of_layer(0)
    }

    #[test]
    fn a_copy_has_what_its_origin_had_and_goes_on_alone() {
        let mut cache = cache(&[(3, 1.0), (2, 2.0)]);
        cache.copy(&[1, 0, 1]);
        assert_eq!(cache.histories(), 5);
        assert_eq!(numbers(&cache, 2), [2.0, 2.0]);
        assert_eq!(numbers(&cache, 3), [1.0, 1.0, 1.0]);
        let new = Tensor::ones([1, 1, 2], (Kind::Float, Device::Cpu)) * 9.0;
        for layer in 0..2 {
            cache.put(layer, &Tensor::from_slice(&[4i64]), &Tensor::from_slice(&[2i64]), &new, &new);
        }
        cache.grow(4, 1);
        assert_eq!(numbers(&cache, 4), [2.0, 2.0, 9.0]);
        assert_eq!(numbers(&cache, 1), [2.0, 2.0]);
    }

    #[test]
    fn dropped_histories_leave_no_gap_and_the_others_keep_what_they_have() {
        let mut cache = cache(&[(1, 1.0), (70, 2.0), (2, 3.0), (3, 4.0), (1, 5.0)]);
        let places = cache.compact(&[false, true, false, true, true]);
        assert_eq!(cache.histories(), 3);
        assert_eq!(numbers(&cache, places[1]), [2.0; 70]);
        assert_eq!(numbers(&cache, places[3]), [4.0; 3]);
        assert_eq!(numbers(&cache, places[4]), [5.0]);
        // Added again, a history has nothing of the one that lay there.
        let added = cache.add();
        assert_eq!(numbers(&cache, added), [0.0; 0]);
    }
}
