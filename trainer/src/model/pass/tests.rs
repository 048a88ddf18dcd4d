//! A layer in one call against its parts.

use tch::Device;

use super::*;
use crate::model::attention::Read;
use crate::model::config::{Architecture, ModelConfig};

/// A small network of a family, in bfloat16, of numbers without a pattern that matters.
fn network(architecture: Architecture) -> Llama {
    let text = r#"{"model_type": "llama", "vocab_size": 50, "hidden_size": 72, "intermediate_size": 150,
        "num_hidden_layers": 1, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 24, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 800, "tie_word_embeddings": true}"#;
    let config = ModelConfig::from_json(text).unwrap();
    let config = ModelConfig {
        architecture,
        attention_bias: architecture == Architecture::Qwen2,
        qk_norm: architecture == Architecture::Qwen3,
        ..config
    };
    let numbers = |shape: &[i64], from: i64| {
        let count: i64 = shape.iter().product();
        (Tensor::arange_start(from, from + count, (Kind::Double, Device::Cpu)) * 0.7).sin().reshape(shape)
    };
    let tensors = config.tensors().into_iter().enumerate();
    let parameters = tensors.map(|(at, (name, shape))| (name, numbers(&shape, 17 * at as i64).to_kind(Kind::Float)));
    let parameters = parameters.collect();
    Llama::new(config, parameters, Device::Cpu, Kind::BFloat16)
}

/// What two passes make of a cache, the second of which reads some conversations token by token and some at length: the states
/// behind the layer, and the cache.
fn passes(llama: &Llama, lengths: &[usize], whole: bool) -> (Vec<Tensor>, Tensor, Tensor) {
    let weights = llama.weights();
    let mut cache = llama.cache();
    let histories: Vec<usize> = lengths.iter().map(|_| cache.add()).collect();
    let reads = |tokens: &dyn Fn(usize) -> usize| -> Vec<Read> {
        histories.iter().map(|&history| Read { history, tokens: tokens(history) }).collect()
    };
    let passes = [reads(&|history| 1 + history % 2), reads(&|history| lengths[history])];
    let states = passes.map(|reads| {
        let before = |read: &Read| cache.length(read.history);
        let positions: Vec<i64> =
            reads.iter().flat_map(|read| before(read)..before(read) + read.tokens as i64).collect();
        let positions = Tensor::from_slice(&positions);
        let time = positions.size()[0];
        let states = Tensor::arange(time * 72, (Kind::Double, Device::Cpu)).cos().view([time, 72]).to_kind(Kind::Float);
        let mut pass = llama.pass(&positions, Sight::Cached { cache: &mut cache, reads: &reads });
        if whole {
            assert!(pass.attention.place(0, &pass.rotation).is_some() && llama.whole(&weights.layers[0]).is_some());
            pass.layer(&weights, 0, &states)
        } else {
            pass.layer_by_parts(&weights.layers[0], 0, &states)
        }
    });
    let (keys, values) = cache.layer(0);
    let written = |tensor: &Tensor| {
        let of = |&history: &usize| tensor.get(history as i64).narrow(1, 0, cache.length(history));
        Tensor::cat(&histories.iter().map(of).collect::<Vec<_>>(), 1)
    };
    (states.into(), written(keys), written(values))
}

#[test]
fn a_layer_in_one_call_is_its_parts_to_the_last_bit() {
    if !layer::can(Device::Cpu, Kind::BFloat16) {
        eprintln!("this processor has no kernel for products of bfloat16, so layers are never one call");
        return;
    }
    tch::no_grad(|| {
        for architecture in [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3] {
            let llama = network(architecture);
            for lengths in [&[1][..], &[1, 1, 1, 7, 40], &[300, 20, 250], &[700]] {
                let (whole, parts) = (passes(&llama, lengths, true), passes(&llama, lengths, false));
                assert!(whole == parts, "{architecture:?}, {lengths:?}");
                assert!(whole.0.iter().all(|states| states.isfinite().all().int64_value(&[]) == 1));
            }
        }
    });
}
