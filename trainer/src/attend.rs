//! Attention as one operation on a CPU: from a cache, and in a pack, there with its gradient.
//!
//! It never holds its scores; on the way back they are made once more. A row comes out the same to the last bit whatever rows are
//! computed with it (`aten/attention.cpp`). Elsewhere than on a CPU attention is libtorch's ([`crate::model::attention`]).

use std::ffi::c_char;
use std::ptr;

use tch::{Kind, Tensor};

use crate::aten::{RawTensor, check, made, raw};
use crate::fused::assert_kinds;

unsafe extern "C" {
    fn ludus_attention_cached(
        query: RawTensor,
        keys: RawTensor,
        values: RawTensor,
        places: RawTensor,
        seen: RawTensor,
        scale: f64,
        made: *mut RawTensor,
    ) -> *mut c_char;
    fn ludus_attention_pack(
        query: RawTensor,
        key: RawTensor,
        value: RawTensor,
        window_tokens: RawTensor,
        firsts: RawTensor,
        seen: RawTensor,
        scale: f64,
        made: *mut RawTensor,
    ) -> *mut c_char;
    fn ludus_attention_put(cache: RawTensor, states: RawTensor, places: RawTensor, positions: RawTensor)
    -> *mut c_char;
}

/// What the tokens of a pack look at: windows one behind the other, of one of which each token sees the beginning.
pub struct Windows {
    /// The token of the pack at each position of the windows, of int64; none where each token lies at its own.
    pub tokens: Option<Tensor>,
    /// The position where each token's window begins, `[time]` of int64. Tokens of one window follow each other.
    pub firsts: Tensor,
    /// How many positions of it each token sees, `[time]` of int64, at least one.
    pub seen: Tensor,
}

/// Attention of each token's queries over the first positions of a place in a cache, scaled by `1 / sqrt(dim)`:
/// `[time, queries * dim]`. Nothing can be learned from it.
///
/// `query` is `[time, queries, dim]`, `keys` and `values` `[places, keys, positions, dim]`. `places` and `seen`, `[time]` of int64,
/// say of each token where it looks and at how many positions, at least one.
pub fn attend_cache(query: &Tensor, keys: &Tensor, values: &Tensor, places: &Tensor, seen: &Tensor) -> Tensor {
    let (time, queries, dim) = query.size3().expect("queries");
    let (_, key_heads, _, key_dim) = keys.size4().expect("keys");
    assert!(keys.size() == values.size() && key_dim == dim && queries % key_heads == 0, "heads that fit together");
    assert_heads(query, keys, values);
    assert_of_tokens([places, seen], time);
    // SAFETY: tensors that live during the call; whoever calls looks at positions that there are.
    made(|made| unsafe {
        ludus_attention_cached(raw(query), raw(keys), raw(values), raw(places), raw(seen), scale(dim), made)
    })
}

/// The same in a pack, of keys and values of its own tokens, `[time, keys, dim]`.
pub fn attend_pack(query: &Tensor, key: &Tensor, value: &Tensor, windows: &Windows) -> Tensor {
    let (time, queries, dim) = query.size3().expect("queries");
    let (key_time, key_heads, key_dim) = key.size3().expect("keys");
    assert!(time > 0 && key_time == time && key.size() == value.size(), "keys and values of a pack's tokens");
    assert!(key_dim == dim && queries % key_heads == 0, "heads that fit together");
    assert_heads(query, key, value);
    assert_of_tokens([&windows.firsts, &windows.seen], time);
    let tokens = windows.tokens.as_ref();
    assert!(tokens.is_none_or(|tokens| tokens.kind() == Kind::Int64 && tokens.is_contiguous()), "tokens of windows");
    let tokens = tokens.map_or(ptr::null_mut(), raw);
    // SAFETY: tensors that live during the call; windows have tokens that there are, and tokens look at positions that there are.
    made(|made| unsafe {
        let (firsts, seen) = (raw(&windows.firsts), raw(&windows.seen));
        ludus_attention_pack(raw(query), raw(key), raw(value), tokens, firsts, seen, scale(dim), made)
    })
}

/// Writes `[time, heads, dim]` into a cache `[places, heads, positions, dim]`, each token at its place and position.
pub fn put(cache: &mut Tensor, states: &Tensor, places: &Tensor, positions: &Tensor) {
    let (time, heads, dim) = states.size3().expect("heads");
    let (_, cache_heads, _, cache_dim) = cache.size4().expect("a cache");
    assert!((heads, dim, states.kind()) == (cache_heads, cache_dim, cache.kind()), "heads as the cache has them");
    assert_of_tokens([places, positions], time);
    // SAFETY: tensors that live during the call; whoever calls has made room.
    check(unsafe { ludus_attention_put(raw(cache), raw(states), raw(places), raw(positions)) });
}

fn scale(dim: i64) -> f64 {
    (dim as f64).powf(-0.5)
}

fn assert_heads(query: &Tensor, keys: &Tensor, values: &Tensor) {
    assert_kinds(&[query, keys, values], &[]);
    assert!(query.kind() == keys.kind() && keys.kind() == values.kind(), "heads of one kind");
}

/// Sees to a number for each token.
fn assert_of_tokens(numbers: [&Tensor; 2], time: i64) {
    let fits = |tensor: &&Tensor| tensor.kind() == Kind::Int64 && tensor.size() == [time] && tensor.is_contiguous();
    assert!(numbers.iter().all(fits), "a place and a number for each token");
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::fused::tests::{KINDS, assert_computes, numbers};

    const INTEGERS: (Kind, Device) = (Kind::Int64, Device::Cpu);

    /// Attention of one place as its formula says.
    fn attention(query: &Tensor, keys: &Tensor, values: &Tensor, seen: &Tensor) -> Tensor {
        let (time, queries, dim) = query.size3().unwrap();
        let (_, key_heads, positions, _) = keys.size4().unwrap();
        let each = |heads: &Tensor| heads.squeeze_dim(0).repeat_interleave_self_int(queries / key_heads, 0, None);
        let hidden = Tensor::arange(positions, (Kind::Int64, Device::Cpu)).ge_tensor(&seen.unsqueeze(1));
        let scores = query.transpose(0, 1).matmul(&each(keys).transpose(1, 2)) / (dim as f64).sqrt();
        let scores = scores.masked_fill(&hidden, f64::NEG_INFINITY);
        scores.softmax(-1, None).matmul(&each(values)).transpose(0, 1).reshape([time, queries * dim])
    }

    /// Tokens, heads of queries and of keys, and the size of a head. Heads of odd sizes too; and more tokens than are looked at
    /// together, back and forth.
    const SHAPES: [(i64, i64, i64, i64); 5] =
        [(1, 1, 1, 2), (5, 6, 2, 24), (19, 9, 3, 64), (21, 4, 2, 128), (300, 2, 1, 16)];

    #[test]
    fn attention_over_a_cache_is_that_of_its_formula() {
        for (kind, &(time, queries, key_heads, dim)) in
            KINDS.iter().flat_map(|&kind| SHAPES.iter().map(move |shape| (kind, shape)))
        {
            let seen = Tensor::arange_start(4, 4 + time, (Kind::Int64, Device::Cpu));
            let shape = [1, key_heads, time + 3, dim];
            let inputs = [
                numbers(&[time, queries, dim], kind, 0) * 3.0,
                numbers(&shape, kind, 3) * 3.0,
                numbers(&shape, kind, 1),
            ];
            let found = attend_cache(&inputs[0], &inputs[1], &inputs[2], &seen.zeros_like(), &seen);
            let [query, keys, values] = inputs.map(|tensor| tensor.to_kind(Kind::Double));
            let expected = attention(&query, &keys, &values, &seen);
            let off = (found.to_kind(Kind::Double) - expected).abs().max().double_value(&[]);
            assert!(off < if kind == Kind::Float { 1e-5 } else { 0.03 }, "{off} off");
        }
    }

    #[test]
    fn attention_in_a_pack_is_that_of_its_formula_and_so_are_its_gradients() {
        for (kind, &(time, queries, key_heads, dim)) in
            KINDS.iter().flat_map(|&kind| SHAPES.iter().map(move |shape| (kind, shape)))
        {
            let shape = [time, key_heads, dim];
            let inputs = [
                numbers(&[time, queries, dim], kind, 0) * 3.0,
                numbers(&shape, kind, 3) * 3.0,
                numbers(&shape, kind, 1),
            ];
            // One segment; several that see nothing of each other; and such as see some of others and of others' beginnings.
            let (half, third) = ((time + 1) / 2, (time + 2) / 3);
            let alone: Vec<Vec<i64>> = vec![(0..time).collect()];
            let apart = vec![(0..half).collect(), (half..time).collect()];
            let together = vec![
                (0..third).collect(),
                (0..third / 2).chain(third..half).collect(),
                (0..third).chain(half..time).collect(),
            ];
            for (windows, own) in [
                (alone, vec![time]),
                (apart, vec![half, time - half]),
                (together, vec![third, half - third, time - half]),
            ] {
                let is_plain = windows.concat() == (0..time).collect::<Vec<_>>();
                let mut laid_out = Windows { tokens: None, firsts: Tensor::new(), seen: Tensor::new() };
                let (mut firsts, mut seen, mut first) = (Vec::new(), Vec::new(), 0);
                for (window, &own) in windows.iter().zip(&own) {
                    let before = window.len() as i64 - own;
                    firsts.extend(std::iter::repeat_n(first, own as usize));
                    seen.extend((0..own).map(|token| before + token + 1));
                    first += window.len() as i64;
                }
                laid_out.firsts = Tensor::from_slice(&firsts);
                laid_out.seen = Tensor::from_slice(&seen);
                laid_out.tokens = (!is_plain).then(|| Tensor::from_slice(&windows.concat()));
                assert_computes(
                    &inputs,
                    |inputs| attend_pack(&inputs[0], &inputs[1], &inputs[2], &laid_out),
                    |inputs| {
                        let mut token = 0;
                        let of_window = |(window, &own): (&Vec<i64>, &i64)| {
                            let place = |heads: &Tensor| {
                                heads.index_select(0, &Tensor::from_slice(window)).transpose(0, 1).unsqueeze(0)
                            };
                            let before = window.len() as i64 - own;
                            let seen = Tensor::arange_start(before + 1, before + own + 1, (Kind::Int64, Device::Cpu));
                            token += own;
                            attention(
                                &inputs[0].narrow(0, token - own, own),
                                &place(&inputs[1]),
                                &place(&inputs[2]),
                                &seen,
                            )
                        };
                        let found: Vec<Tensor> =
                            windows.iter().zip(&own).filter(|(_, own)| **own > 0).map(of_window).collect();
                        Tensor::cat(&found, 0)
                    },
                );
            }
        }
    }

    #[test]
    fn a_token_attends_the_same_to_the_last_bit_wherever_it_lies_and_whoever_is_beside_it() {
        for (kind, dim) in KINDS.iter().flat_map(|&kind| [40, 64, 128].map(|dim| (kind, dim))) {
            let (keys, values) = (numbers(&[3, 2, 70, dim], kind, 0), numbers(&[3, 2, 70, dim], kind, 8));
            let query = numbers(&[24, 4, dim], kind, 3);
            let places: Vec<i64> = (0..24).map(|token| token / 8).collect();
            let seen: Vec<i64> = (0..24).map(|token| 1 + token * 7 % 70).collect();
            let together =
                attend_cache(&query, &keys, &values, &Tensor::from_slice(&places), &Tensor::from_slice(&seen));
            for token in 0..24 {
                let place = places[token];
                // Only what it sees, elsewhere, and laid out the other way.
                let own = |cache: &Tensor| {
                    cache.narrow(0, place, 1).narrow(2, 0, seen[token]).transpose(1, 2).contiguous().transpose(1, 2)
                };
                let query = query.narrow(0, token as i64, 1);
                let seen = Tensor::from_slice(&seen[token..=token]);
                let alone = attend_cache(&query, &own(&keys), &own(&values), &seen.zeros_like(), &seen);
                assert!(alone == together.narrow(0, token as i64, 1), "token {token} of {kind:?}, {dim} numbers");
            }
        }
    }

    #[test]
    fn what_is_put_into_a_cache_is_where_it_belongs() {
        let states = numbers(&[3, 2, 4], Kind::BFloat16, 0);
        let mut cache = Tensor::zeros([2, 2, 5, 4], (Kind::BFloat16, Device::Cpu));
        let (places, positions) = (Tensor::from_slice(&[1i64, 0, 1]), Tensor::from_slice(&[4i64, 2, 0]));
        put(&mut cache, &states, &places, &positions);
        for (token, (place, position)) in [(1, 4), (0, 2), (1, 0)].into_iter().enumerate() {
            assert!(cache.get(place).narrow(1, position, 1).squeeze_dim(1) == states.get(token as i64));
        }
        assert_eq!(cache.ne(0.0).sum(Kind::Int64).int64_value(&[]), states.ne(0.0).sum(Kind::Int64).int64_value(&[]));
    }

    /// Only rows that exist are read: memory behind them may be anything.
    #[test]
    fn what_lies_behind_what_is_seen_changes_nothing() {
        let (query, seen) = (numbers(&[1, 2, 8], Kind::Float, 0), Tensor::from_slice(&[3i64]));
        let cache = numbers(&[1, 1, 9, 8], Kind::Float, 4);
        let found = attend_cache(&query, &cache, &cache, &seen.zeros_like(), &seen);
        let _ = cache.narrow(2, 3, 6).fill_(f64::NAN);
        assert!(found == attend_cache(&query, &cache, &cache, &seen.zeros_like(), &seen));
    }

    /// What makes ratios on policy exactly 1.
    #[test]
    fn a_token_attends_the_same_to_the_last_bit_in_a_pack_and_from_a_cache() {
        for (kind, dim) in KINDS.iter().flat_map(|&kind| [40, 64, 128].map(|dim| (kind, dim))) {
            let (key, value) = (numbers(&[50, 2, dim], kind, 0), numbers(&[50, 2, dim], kind, 8));
            let query = numbers(&[50, 6, dim], kind, 3);
            // The last twenty see the first ten.
            let tokens: Vec<i64> = (0..30).chain(0..10).chain(30..50).collect();
            let windows = Windows {
                tokens: Some(Tensor::from_slice(&tokens)),
                firsts: Tensor::cat(&[Tensor::zeros([30], INTEGERS), Tensor::full([20], 30, INTEGERS)], 0),
                seen: Tensor::cat(&[Tensor::arange_start(1, 31, INTEGERS), Tensor::arange_start(11, 31, INTEGERS)], 0),
            };
            let packed = attend_pack(&query, &key, &value, &windows);
            let place = |heads: &Tensor| {
                let of = |tokens: &[i64]| heads.index_select(0, &Tensor::from_slice(tokens)).transpose(0, 1);
                Tensor::stack(&[of(&tokens[..30]), of(&tokens[30..])], 0)
            };
            let places = Tensor::cat(&[Tensor::zeros([30], INTEGERS), Tensor::ones([20], INTEGERS)], 0);
            let cached = attend_cache(&query, &place(&key), &place(&value), &places, &windows.seen);
            assert!(packed == cached, "{kind:?}, {dim} numbers");
        }
    }

    /// More windows than there are pieces of work, and gradients that do not hide behind the largest one.
    #[test]
    fn gradients_of_narrow_heads_are_those_of_the_same_numbers_in_float32() {
        let learned = |kind: Kind| {
            let of = |heads: i64, from: i64| numbers(&[70, heads, 64], Kind::BFloat16, from).to_kind(kind);
            [of(6, 0), of(2, 4), of(2, 7)].map(|tensor| tensor.detach().set_requires_grad(true))
        };
        // Ten tokens, and sixty conversations of one each that go on from there.
        let tokens: Vec<i64> = (0..10).chain((10..70).flat_map(|token| (0..10).chain([token]))).collect();
        let windows = Windows {
            tokens: Some(Tensor::from_slice(&tokens)),
            firsts: Tensor::cat(&[Tensor::zeros([10], INTEGERS), Tensor::arange(60, INTEGERS) * 11 + 10], 0),
            seen: Tensor::cat(&[Tensor::arange_start(1, 11, INTEGERS), Tensor::full([60], 11, INTEGERS)], 0),
        };
        let gradients = |kind: Kind| {
            let inputs = learned(kind);
            let mixed = attend_pack(&inputs[0], &inputs[1], &inputs[2], &windows);
            let direction = numbers(&[70, 6 * 64], Kind::BFloat16, 5).to_kind(kind);
            (mixed * direction).sum(Kind::Float).backward();
            inputs.map(|tensor| tensor.grad().to_kind(Kind::Double))
        };
        for (narrow, wide) in gradients(Kind::BFloat16).iter().zip(&gradients(Kind::Float)) {
            // Half a unit of the eighth digit of each, and what float32 itself loses.
            let bound: Tensor = wide.abs() * 0.005 + 1e-5 * wide.abs().max().double_value(&[]);
            let off = ((narrow - wide).abs() - bound).max().double_value(&[]);
            assert!(off <= 0.0, "{off} too far");
        }
    }
}
