//! How much memory a plan needs, from the model's shape and the recipe's sizes alone.
//!
//! With P parameters, in bytes:
//!
//! ```text
//! weights      those of networks that do not learn; 4 P, and 2 p more where passes compute in bfloat16, p being those of
//!              projections, on a GPU with the head; once more in the kind of computation where the KL to the start is measured
//! gradients    4 T                               optimizer   8 T (two moments), T being what is trained: P, or the adapters
//! cache        rows * context * layers * 2 * kv_heads * head_dim * width
//! activations  pack * layers * per-token-and-layer; one layer's, and what enters each, where they are recomputed
//! attention    the keys and values that each segment of a pack sees: segments * context * layers * 2 * kv_heads * head_dim *
//!              width; on a CPU those of one layer, and their gradients in float32
//! logits       rows that are held at once * vocabulary * 4, times the copies that are made of them
//! ```
//!
//! Weights, gradients and optimizer stay for the whole run; the cache and sampling belong to the rollout, activations
//! and the loss to the update, and the larger of the two counts. It is an estimate for refusing what cannot work, not
//! an accounting: the allocator's own waste is covered by a twentieth on top. `just bench-trainer` holds it against what an update
//! takes whose texts are as long as the context allows.

use serde::Serialize;

use crate::model::config::ModelConfig;
use crate::model::lora::Lora;
use crate::objective::LOGITS_ROWS;

/// Logits are made for this many positions at a time in an update.
const LOSS_ROWS: u64 = LOGITS_ROWS as u64;
/// Copies of the logits that are alive at once: in an update the logits, over which their gradient is written, or, where libtorch's own
/// operations are used, the log-probabilities, the probabilities and what is made of them; when sampling the logits, their order and
/// their sums.
const LOSS_COPIES: u64 = 3;
const FUSED_LOSS_COPIES: u64 = 1;
const SAMPLING_COPIES: u64 = 4;
/// libtorch, the tokenizer and compiled games.
const PROGRAM_BYTES: u64 = 600 << 20;
const FLOAT32_BYTES: u64 = 4;

/// A decoder's sizes: what of a model's config memory depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelShape {
    pub vocab_size: u64,
    pub hidden_size: u64,
    pub intermediate_size: u64,
    pub layers: u64,
    pub heads: u64,
    pub kv_heads: u64,
    pub head_dim: u64,
    pub tied_embeddings: bool,
    /// Biases on queries, keys and values (Qwen2).
    pub attention_bias: bool,
    /// A norm on each head's queries and keys (Qwen3).
    pub qk_norm: bool,
}

impl From<&ModelConfig> for ModelShape {
    fn from(config: &ModelConfig) -> ModelShape {
        // A config was checked when it was read: no size is negative.
        let size = |number: i64| u64::try_from(number).unwrap_or(0);
        ModelShape {
            vocab_size: size(config.vocab_size),
            hidden_size: size(config.hidden_size),
            intermediate_size: size(config.intermediate_size),
            layers: size(config.layers),
            heads: size(config.heads),
            kv_heads: size(config.kv_heads),
            head_dim: size(config.head_dim),
            tied_embeddings: config.tied_embeddings,
            attention_bias: config.attention_bias,
            qk_norm: config.qk_norm,
        }
    }
}

impl ModelShape {
    /// The projections of a layer: name, inputs and outputs.
    fn projections(&self) -> [(&'static str, u64, u64); 7] {
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        [
            ("q_proj", hidden, queries),
            ("k_proj", hidden, keys),
            ("v_proj", hidden, keys),
            ("o_proj", queries, hidden),
            ("gate_proj", hidden, inner),
            ("up_proj", hidden, inner),
            ("down_proj", inner, hidden),
        ]
    }

    /// The numbers in all projections: those that are computed with in the kind of computation.
    fn in_projections(&self) -> u64 {
        self.layers * self.projections().iter().map(|(_, inputs, outputs)| inputs * outputs).sum::<u64>()
    }

    /// The numbers of adapters.
    pub fn in_adapters(&self, lora: &Lora) -> u64 {
        let rank = u64::try_from(lora.rank).unwrap_or(0);
        let targets = self.projections().into_iter().filter(|(name, ..)| lora.has(name));
        self.layers * targets.map(|(_, inputs, outputs)| rank * (inputs + outputs)).sum::<u64>()
    }

    /// What a network takes that is frozen, or only computed with in a kind of so many bytes a number.
    pub fn held_bytes(&self, compute_bytes: u64, narrow_head: bool) -> u64 {
        let in_projections = self.in_projections();
        let narrow_head = if narrow_head { compute_bytes * self.in_head() } else { 0 };
        FLOAT32_BYTES * (self.parameters() - in_projections) + compute_bytes * in_projections + narrow_head
    }

    /// The numbers in the head, which are the embedding's where the two are tied.
    fn in_head(&self) -> u64 {
        self.vocab_size * self.hidden_size
    }

    /// The numbers that a token is multiplied with in a pass: all but an embedding that is no head.
    pub fn multiplied(&self) -> u64 {
        self.parameters() - if self.tied_embeddings { 0 } else { self.in_head() }
    }

    /// How many numbers the model has learned.
    pub fn parameters(&self) -> u64 {
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let attention = self.hidden_size * (queries + 2 * keys) + queries * self.hidden_size;
        let biases = if self.attention_bias { queries + 2 * keys } else { 0 };
        let head_norms = if self.qk_norm { 2 * self.head_dim } else { 0 };
        let feed_forward = 3 * self.hidden_size * self.intermediate_size;
        let layer = attention + biases + head_norms + feed_forward + 2 * self.hidden_size;
        let embeddings = self.in_head() * if self.tied_embeddings { 1 } else { 2 };
        embeddings + self.layers * layer + self.hidden_size
    }
}

/// The shapes of well-known models, so that a plan can be made without their files.
pub fn known_shape(source: &str) -> Option<ModelShape> {
    let name = source.rsplit('/').next().unwrap_or(source).to_ascii_lowercase();
    let smollm2 = |[hidden_size, intermediate_size, layers, heads, kv_heads]: [u64; 5]| ModelShape {
        vocab_size: 49152,
        hidden_size,
        intermediate_size,
        layers,
        heads,
        kv_heads,
        head_dim: hidden_size / heads,
        tied_embeddings: true,
        attention_bias: false,
        qk_norm: false,
    };
    let qwen2 = |[hidden_size, intermediate_size, layers, heads, kv_heads]: [u64; 5]| ModelShape {
        vocab_size: 151_936,
        attention_bias: true,
        ..smollm2([hidden_size, intermediate_size, layers, heads, kv_heads])
    };
    match name.trim_end_matches("-instruct") {
        "smollm2-135m" => Some(smollm2([576, 1536, 30, 9, 3])),
        "qwen2.5-0.5b" => Some(qwen2([896, 4864, 24, 14, 2])),
        "qwen2.5-1.5b" => Some(qwen2([1536, 8960, 28, 12, 2])),
        "qwen2.5-7b" => {
            let shape = qwen2([3584, 18944, 28, 28, 4]);
            Some(ModelShape { vocab_size: 152_064, tied_embeddings: false, ..shape })
        }
        _ => None,
    }
}

/// What the estimate depends on besides the model's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryNeeds {
    /// Bytes of a number in the network's passes: 4 or 2.
    pub compute_bytes: u64,
    /// Whether the head is held in the passes' kind too.
    pub narrow_head: bool,
    pub batch_rows: u64,
    pub context_tokens: u64,
    /// The longest pack that goes through the network in an update.
    pub pack_tokens: u64,
    /// Conversations in a pack at most: each adds one segment.
    pub segments: u64,
    /// Whether norms, gates and the rest beside products are one operation each, as on a CPU (see `fused`).
    pub fused: bool,
    /// Whether the first weights are kept beside those that are trained.
    pub keeps_start: bool,
    /// Whether activations are made again on the way back.
    pub recomputes: bool,
    /// The numbers of the adapters that are trained; none where the whole network is.
    pub in_adapters: Option<u64>,
    /// The weights of networks that do not learn.
    pub frozen_bytes: u64,
}

/// Bytes by purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryEstimate {
    pub weights: u64,
    pub gradients: u64,
    pub optimizer: u64,
    pub cache: u64,
    pub sampling_logits: u64,
    pub activations: u64,
    pub loss_logits: u64,
    /// The most that is held at one time.
    pub peak: u64,
}

/// Estimates the memory of a run.
pub fn estimate(shape: &ModelShape, needs: MemoryNeeds) -> MemoryEstimate {
    let (all, in_projections) = (shape.parameters(), shape.in_projections());
    let trained = needs.in_adapters.unwrap_or(all);
    let copy_of = |numbers: u64| if needs.compute_bytes == FLOAT32_BYTES { 0 } else { needs.compute_bytes * numbers };
    let held = shape.held_bytes(needs.compute_bytes, needs.narrow_head);
    let narrow_head = if needs.narrow_head { needs.compute_bytes * shape.in_head() } else { 0 };
    let weights = needs.frozen_bytes
        + match needs.in_adapters {
            Some(adapters) => held + FLOAT32_BYTES * adapters + copy_of(adapters),
            None => {
                let start = if needs.keeps_start { held } else { 0 };
                FLOAT32_BYTES * all + copy_of(in_projections) + narrow_head + start
            }
        };
    let gradients = FLOAT32_BYTES * trained;
    let optimizer = 2 * FLOAT32_BYTES * trained;
    let cache = needs.batch_rows
        * needs.context_tokens
        * shape.layers
        * 2
        * shape.kv_heads
        * shape.head_dim
        * needs.compute_bytes;
    let logits = |rows: u64, copies: u64| rows * shape.vocab_size * FLOAT32_BYTES * copies;
    let sampling_logits = logits(needs.batch_rows, SAMPLING_COPIES);
    let seen = needs.segments * needs.context_tokens * 2 * shape.kv_heads * shape.head_dim * needs.compute_bytes;
    let (seen_kept, seen_once) = if needs.fused { (0, seen + seen_gradients(shape, needs)) } else { (seen, 0) };
    let of_layer = needs.pack_tokens * activation_bytes_per_token_and_layer(shape, needs) + seen_kept;
    let kept = if needs.recomputes {
        // What enters each layer, and one layer's own.
        needs.pack_tokens * shape.layers * shape.hidden_size * FLOAT32_BYTES + of_layer
    } else {
        shape.layers * of_layer
    };
    // On the way back a layer's gradients are about as large as what it kept.
    let activations = kept + of_layer + seen_once;
    // Where libtorch's own operations are used, the gradient of the embedding is made before it is added.
    let embedding = if needs.fused || needs.in_adapters.is_some() { 0 } else { shape.in_head() * FLOAT32_BYTES };
    let loss_copies = if needs.fused { FUSED_LOSS_COPIES } else { LOSS_COPIES };
    let loss_logits = logits(needs.pack_tokens.min(LOSS_ROWS), loss_copies) + embedding;
    let mut estimate =
        MemoryEstimate { weights, gradients, optimizer, cache, sampling_logits, activations, loss_logits, peak: 0 };
    estimate.peak = estimate.rollout_peak().max(estimate.update_peak());
    estimate
}

impl MemoryEstimate {
    /// The estimate of one of so many ranks that share the optimizer's moments.
    pub fn with_shared_optimizer(self, ranks: u32) -> MemoryEstimate {
        let mut estimate = MemoryEstimate { optimizer: self.optimizer.div_ceil(u64::from(ranks.max(1))), ..self };
        estimate.peak = estimate.rollout_peak().max(estimate.update_peak());
        estimate
    }

    /// What a checkpoint takes on a disk: what is trained, and both its moments.
    pub fn checkpoint(&self) -> u64 {
        3 * self.gradients
    }

    /// What is held all the time.
    pub fn lasting(&self) -> u64 {
        self.held_beside(0)
    }

    /// The most that a rollout holds.
    pub fn rollout_peak(&self) -> u64 {
        self.held_beside(self.cache + self.sampling_logits)
    }

    /// The most that an update holds.
    pub fn update_peak(&self) -> u64 {
        self.held_beside(self.activations + self.loss_logits)
    }

    /// A twentieth is for what allocators lose between blocks.
    fn held_beside(&self, passing: u64) -> u64 {
        (self.weights + self.gradients + self.optimizer + PROGRAM_BYTES + passing) / 20 * 21
    }
}

/// What autograd keeps of one token in one layer for the backward pass. With hidden size H, intermediate size I, query size Q and
/// key size K: what enters the two norms in float32 (2 H), what enters products (2 H, Q, I), queries (Q), and the gated unit's two
/// halves (2 I). Keys and values (2 K) are kept once where attention is one operation, else as segments see them. What norms and gates
/// make for products (2 H, I) is made again instead where they are one operation with them (see `projections::Entering`). Where
/// libtorch's own operations are used there is more: what norms make on the way (2 H in float32), queries, keys and values before and
/// after they are turned (2 Q, 5 K), and a gate's result (I).
fn activation_bytes_per_token_and_layer(shape: &ModelShape, needs: MemoryNeeds) -> u64 {
    let (hidden, inner) = (shape.hidden_size, shape.intermediate_size);
    let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    let (wide, narrow) = (2 * hidden, 2 * hidden + 2 * queries + 3 * inner);
    let (more_wide, more_narrow) =
        if needs.fused { (0, 2 * keys) } else { (2 * hidden, 2 * queries + 5 * keys + inner) };
    let is_made_again = needs.fused && needs.in_adapters.is_none();
    let made_again = if is_made_again { 2 * hidden + inner } else { 0 };
    (wide + more_wide) * FLOAT32_BYTES + (narrow + more_narrow - made_again) * needs.compute_bytes
}

/// On the way back attention adds up the gradients of what each segment sees, of few segments in some parts (`PIECES_BACK` and
/// `PARTS_BACK` in `aten/attention.cpp`).
fn seen_gradients(shape: &ModelShape, needs: MemoryNeeds) -> u64 {
    const PIECES: u64 = 48;
    const PARTS: u64 = 8;
    let seen = (PIECES / shape.kv_heads.max(1)).max(needs.segments).min(PARTS * needs.segments);
    seen * needs.context_tokens * 2 * shape.kv_heads * shape.head_dim * FLOAT32_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lora::TARGETS;

    /// The counts that Hugging Face publishes for these models.
    #[test]
    fn known_models_have_their_published_number_of_parameters() {
        let cases = [
            ("smollm2-135m-instruct", 134_515_008),
            ("Qwen/Qwen2.5-0.5B-Instruct", 494_032_768),
            ("Qwen/Qwen2.5-1.5B-Instruct", 1_543_714_304),
            ("Qwen/Qwen2.5-7B-Instruct", 7_615_616_512),
        ];
        for (name, parameters) in cases {
            assert_eq!(known_shape(name).unwrap().parameters(), parameters, "{name}");
        }
        assert_eq!(known_shape("somebody/else"), None);
    }

    #[test]
    fn the_default_models_config_has_the_known_shape() {
        let text = r#"{"model_type":"llama","vocab_size":49152,"hidden_size":576,"intermediate_size":1536,
            "num_hidden_layers":30,"num_attention_heads":9,"num_key_value_heads":3,"tie_word_embeddings":true,
            "rope_theta":100000.0,"rms_norm_eps":1e-5,"max_position_embeddings":8192,"hidden_act":"silu"}"#;
        let config = ModelConfig::from_json(text).unwrap();
        assert_eq!(Some(ModelShape::from(&config)), known_shape("smollm2-135m-instruct"));
    }

    #[test]
    fn the_peak_counts_what_lasts_and_the_larger_of_rollout_and_update() {
        let shape = known_shape("smollm2-135m-instruct").unwrap();
        let needs = MemoryNeeds {
            compute_bytes: 4,
            narrow_head: false,
            batch_rows: 64,
            context_tokens: 1024,
            pack_tokens: 4096,
            segments: 48,
            fused: true,
            keeps_start: false,
            recomputes: false,
            in_adapters: None,
            frozen_bytes: 0,
        };
        let full = estimate(&shape, needs);
        assert_eq!(full.weights, 4 * 134_515_008);
        assert_eq!(full.optimizer, 2 * full.weights);
        // 64 rows of 1024 tokens, 30 layers, keys and values of 3 heads of 64 numbers of 4 bytes.
        assert_eq!(full.cache, 64 * 1024 * 30 * 2 * 3 * 64 * 4);
        // What libtorch's own operations keep more in 30 layers, and one layer's gradients of it: with what enters products, which
        // otherwise is made again, and the keys and values that 48 segments see, which otherwise one layer alone has, and their
        // gradients.
        let apart = estimate(&shape, MemoryNeeds { fused: false, ..needs });
        let made_again = 2 * 576 + 1536;
        let more = 4096 * 31 * (2 * 576 + 2 * 576 + 3 * 192 + 1536 + made_again) * 4;
        let seen_by = |segments: u64| segments * 1024 * 2 * 3 * 64 * 4;
        assert_eq!(apart.activations - full.activations, more + (31 - 2) * seen_by(48));
        // Two more copies of the logits, and the gradient of the embedding.
        assert_eq!(apart.loss_logits - full.loss_logits, 2 * 128 * 49152 * 4 + 49152 * 576 * 4);
        // Unless adapters read it too.
        for compute_bytes in [2, 4] {
            let alone = estimate(&shape, MemoryNeeds { compute_bytes, ..needs });
            let adapted = estimate(&shape, MemoryNeeds { compute_bytes, in_adapters: Some(1), ..needs });
            assert_eq!(adapted.activations - alone.activations, 4096 * 31 * made_again * compute_bytes);
        }
        let few = estimate(&shape, MemoryNeeds { segments: 8, ..needs });
        // Gradients of few are in 16 parts, one for each of 48 pieces of work on three heads.
        assert_eq!(full.activations - few.activations, seen_by(48 - 8) + seen_by(48 - 16));
        assert_eq!(full.with_shared_optimizer(1), full);
        let saved = full.peak - full.with_shared_optimizer(4).peak;
        assert!(saved.abs_diff(full.optimizer / 4 * 3 / 20 * 21) <= 21, "{saved}");
        let small = estimate(&shape, MemoryNeeds { pack_tokens: 512, batch_rows: 8, ..needs });
        assert!(small.peak < full.peak);
        assert!(small.peak > small.weights + small.gradients + small.optimizer);
        // Recomputed, activations are those of one of 30 layers and its gradients, and what enters each: 576 numbers a token.
        let recomputed = estimate(&shape, MemoryNeeds { recomputes: true, ..needs });
        let of_layers = full.activations - 2 * seen_by(48);
        assert_eq!(recomputed.activations, of_layers / 31 * 2 + 4096 * 30 * 576 * 4 + 2 * seen_by(48));
    }

    /// The count that PEFT prints for rank 8 on queries and values of this model (hidden 576, keys 192, 30 layers).
    #[test]
    fn adapters_are_all_that_is_trained_beside_a_frozen_network() {
        let shape = known_shape("smollm2-135m-instruct").unwrap();
        let lora = Lora { rank: 8, alpha: 16.0, targets: vec!["q_proj".into(), "v_proj".into()] };
        assert_eq!(shape.in_adapters(&lora), 460_800);
        let all = Lora { targets: TARGETS.map(str::to_string).to_vec(), ..lora };
        assert_eq!(shape.in_adapters(&all), 2_442_240);
        // Two bytes for each number in a projection, four for embeddings and norms.
        let seven = known_shape("qwen2.5-7b-instruct").unwrap();
        let needs = MemoryNeeds {
            compute_bytes: 2,
            narrow_head: true,
            batch_rows: 64,
            context_tokens: 2048,
            pack_tokens: 8192,
            segments: 32,
            fused: false,
            keeps_start: true,
            recomputes: true,
            in_adapters: Some(seven.in_adapters(&all)),
            frozen_bytes: 0,
        };
        let found = estimate(&seven, needs);
        assert_eq!(found.gradients, 4 * seven.in_adapters(&all));
        assert!(found.peak < 80 << 30, "{}", found.peak);
    }
}
