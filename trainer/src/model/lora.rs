//! Low-rank adapters (LoRA, 2106.09685): beside a frozen projection two small matrices are trained.
//!
//! ```text
//! y = W x + alpha / rank * B A x        A: [rank, in]   B: [out, rank]
//! ```
//!
//! `B` begins as zeros, so that training begins with the base, and `A` uniformly within `1 / sqrt(in)`, both as in PEFT.
//! Generation and updates compute the same two products: were the adapters merged for one of them, rounding alone would move
//! the ratio away from 1.
//!
//! On disk adapters are a folder in PEFT's layout, `adapter_config.json` and `adapter_model.safetensors`, which names its base.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ludus_host::stream::Stream;
use serde::Deserialize;
use serde_json::json;
use tch::{Device, Kind, Tensor};

use crate::projections::{Parameter, linear};

use super::config::ModelConfig;
use super::{ModelError, import, weights};

/// The projections that may have adapters.
pub const TARGETS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

const CONFIG_FILE: &str = "adapter_config.json";
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// PEFT wraps the network twice, and so its tensors' names.
const PEFT_PREFIX: &str = "base_model.model.";

/// How adapters are made.
#[derive(Clone, Debug, PartialEq)]
pub struct Lora {
    /// Rows of `A` and columns of `B`.
    pub rank: i64,
    pub alpha: f64,
    /// Names of projections, of [`TARGETS`].
    pub targets: Vec<String>,
}

/// An adapter in the kind of computation.
pub(super) struct Adapter {
    /// `A`, `[rank, in]`.
    pub down: Parameter,
    /// `B`, `[out, rank]`.
    pub up: Parameter,
    pub scale: f64,
}

/// Adapters as a folder holds them.
pub struct Adapters {
    /// The folder of the model that they belong to.
    pub base: PathBuf,
    pub lora: Lora,
    /// Names and float32 numbers, in the network's order.
    pub tensors: Vec<(String, Tensor)>,
}

impl Adapter {
    /// What it adds to a projection of `[time, in]`: `[time, out]`.
    pub fn apply(&self, states: &Tensor) -> Tensor {
        linear(&linear(states, &self.down, None), &self.up, None) * self.scale
    }
}

impl Lora {
    /// Whether a projection, such as `self_attn.q_proj`, has an adapter.
    pub fn has(&self, part: &str) -> bool {
        let name = part.rsplit('.').next().unwrap_or(part);
        self.targets.iter().any(|target| target == name)
    }

    /// What the adapters' product is multiplied by.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// Adapters with which nothing is changed yet, every draw from `seed`: names and masters in the network's order.
    pub fn begin(&self, config: &ModelConfig, seed: u64, device: Device) -> Vec<(String, Tensor)> {
        let begun = |(name, shape): (String, [i64; 2])| {
            let count = (shape[0] * shape[1]) as usize;
            let mut numbers = vec![0f32; count];
            if name.ends_with(DOWN) {
                let bound = (shape[1] as f64).powf(-0.5);
                let mut stream = Stream::derive(seed, &["lora".into(), name.as_str().into()]);
                numbers.iter_mut().for_each(|number| *number = ((2.0 * stream.unit_f64() - 1.0) * bound) as f32);
            }
            (name, Tensor::from_slice(&numbers).view(shape).to_device(device))
        };
        self.tensors(config).into_iter().map(begun).collect()
    }

    /// Sees to it that these are the adapters of such a network.
    ///
    /// # Errors
    /// Where one is missing, is one too many, or has another shape.
    pub(super) fn check(&self, config: &ModelConfig, tensors: &[(String, Tensor)]) -> Result<(), ModelError> {
        let expected = self.tensors(config);
        let fits = |((name, tensor), (wanted, shape)): (&(String, Tensor), &(String, [i64; 2]))| {
            name == wanted && tensor.size() == shape
        };
        if tensors.len() == expected.len() && tensors.iter().zip(&expected).all(fits) {
            return Ok(());
        }
        Err(ModelError::malformed(
            Path::new(WEIGHTS_FILE),
            format!("its adapters of rank {} are not those of this network's {}", self.rank, self.targets.join(", ")),
        ))
    }

    /// The network's own weights in float32, with what the adapters add to them.
    pub(super) fn merge(
        &self,
        frozen: &[(String, Tensor)],
        adapters: &[(String, Tensor)],
    ) -> Result<Vec<(String, Tensor)>, ModelError> {
        let adapters: BTreeMap<&str, &Tensor> = adapters.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let merged = |(name, tensor): &(String, Tensor)| {
            let path = name.strip_suffix(".weight").unwrap_or(name);
            let wide = tensor.f_to_kind(Kind::Float)?;
            let pair = adapters.get(down_name(path).as_str()).zip(adapters.get(up_name(path).as_str()));
            let sum = match pair {
                Some((down, up)) => wide + up.f_matmul(down)? * self.scale(),
                None => wide,
            };
            Ok((name.clone(), sum))
        };
        frozen.iter().map(merged).collect()
    }

    /// Names and shapes, in the network's order.
    fn tensors(&self, config: &ModelConfig) -> Vec<(String, [i64; 2])> {
        let of_projection = |(name, shape): (String, Vec<i64>)| {
            let path = name.strip_suffix(".weight").filter(|path| self.has(path))?;
            let &[outputs, inputs] = shape.as_slice() else { return None };
            Some([(down_name(path), [self.rank, inputs]), (up_name(path), [outputs, self.rank])])
        };
        config.tensors().into_iter().filter_map(of_projection).flatten().collect()
    }
}

const DOWN: &str = ".lora_A.weight";
const UP: &str = ".lora_B.weight";

/// The name of a projection's `A`.
pub(super) fn down_name(path: &str) -> String {
    format!("{path}{DOWN}")
}

/// The name of a projection's `B`.
pub(super) fn up_name(path: &str) -> String {
    format!("{path}{UP}")
}

/// Writes adapters to a folder that is there, in PEFT's layout. `base` is the folder of their model; its whole path is written
/// down, so that they are found from everywhere.
///
/// # Errors
/// Where the disk refuses.
pub fn save(folder: &Path, base: &Path, lora: &Lora, tensors: &[(String, Tensor)]) -> Result<(), ModelError> {
    let base = fs::canonicalize(base).map_err(|cause| ModelError::file("find", base, cause))?;
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.to_string_lossy(),
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": 0.0,
        "target_modules": lora.targets,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "modules_to_save": null,
        "use_dora": false,
        "use_rslora": false,
    });
    let path = folder.join(CONFIG_FILE);
    let failed = |cause| ModelError::file("write", &path, cause);
    let text = serde_json::to_vec_pretty(&config).map_err(|error| failed(error.into()))?;
    fs::write(&path, text).and_then(|()| fs::File::open(&path)?.sync_all()).map_err(failed)?;
    let named: Vec<(String, &Tensor)> =
        tensors.iter().map(|(name, tensor)| (format!("{PEFT_PREFIX}{name}"), tensor)).collect();
    weights::save_file(&folder.join(WEIGHTS_FILE), &named, Kind::Float)
}

/// What `adapter_config.json` says. Settings of PEFT that would change the arithmetic are read so that they can be refused.
#[derive(Deserialize)]
struct PeftConfig {
    base_model_name_or_path: String,
    r: i64,
    lora_alpha: f64,
    target_modules: Vec<String>,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
    #[serde(default)]
    rank_pattern: BTreeMap<String, i64>,
    #[serde(default)]
    alpha_pattern: BTreeMap<String, f64>,
}

/// Reads a folder of adapters; none where it is an ordinary model's.
///
/// # Errors
/// Where a file is damaged, the base is not there, or PEFT was told to compute something else than LoRA as it is above.
pub fn read(folder: &Path, device: Device) -> Result<Option<Adapters>, ModelError> {
    let path = folder.join(CONFIG_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(|cause| ModelError::file("read", &path, cause))?;
    let malformed = |problem: String| ModelError::malformed(&path, problem);
    let config: PeftConfig = serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
    let unknown = [
        ("use_dora", config.use_dora),
        ("use_rslora", config.use_rslora),
        ("modules_to_save", config.modules_to_save.is_some_and(|modules| !modules.is_empty())),
        ("rank_pattern", !config.rank_pattern.is_empty()),
        ("alpha_pattern", !config.alpha_pattern.is_empty()),
    ];
    if let Some((setting, _)) = unknown.iter().find(|(_, used)| *used) {
        return Err(malformed(format!("its `{setting}` is not supported; merge the adapters with PEFT first")));
    }
    if let Some(target) = config.target_modules.iter().find(|target| !TARGETS.contains(&target.as_str())) {
        let known = TARGETS.join(", ");
        return Err(malformed(format!("its target `{target}` is no projection of this network; there are {known}")));
    }
    if config.r < 1 {
        return Err(malformed(format!("its rank `r` is {}", config.r)));
    }
    if !(config.lora_alpha > 0.0 && config.lora_alpha <= f64::from(f32::MAX)) {
        return Err(malformed(format!("its `lora_alpha` is {}", config.lora_alpha)));
    }
    let named = &config.base_model_name_or_path;
    // What lies beside the adapters is meant before anything that a name may mean elsewhere.
    let beside = folder.join(named);
    let base = if beside.join("config.json").is_file() {
        beside
    } else {
        import::resolve(named, &import::standard_cache()?)
            .map_err(|error| malformed(format!("its base `{named}` cannot be had: {error}")))?
    };
    if base.join(CONFIG_FILE).is_file() {
        return Err(malformed("its base has adapters of its own; merge those with `ludus-train export` first".into()));
    }
    let lora = Lora { rank: config.r, alpha: config.lora_alpha, targets: config.target_modules };
    let file = folder.join(WEIGHTS_FILE);
    let mut found = weights::load_file(&file, device)?;
    let mut tensors = Vec::new();
    for (name, _) in lora.tensors(&ModelConfig::read(&base)?) {
        let tensor = found
            .remove(&format!("{PEFT_PREFIX}{name}"))
            .ok_or_else(|| ModelError::malformed(&file, format!("the adapter `{name}` is not there")))?;
        if tensor.isfinite().all().int64_value(&[]) == 0 {
            return Err(ModelError::malformed(&file, format!("the adapter `{name}` has numbers that are not finite")));
        }
        tensors.push((name, tensor));
    }
    if let Some(name) = found.keys().next() {
        return Err(ModelError::malformed(&file, format!("`{name}` is no adapter of a target that its config names")));
    }
    Ok(Some(Adapters { base, lora, tensors }))
}
