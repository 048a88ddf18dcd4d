//! Adapters that PEFT saved compute what PEFT computes with them, and ours lie on disk as PEFT's do.

use std::fs;
use std::path::{Path, PathBuf};

use ludus_tests::device;
use ludus_trainer::model::ModelError;
use ludus_trainer::model::llama::Llama;
use ludus_trainer::model::lora::{self, Adapters};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

/// Logits behind the last of some tokens.
#[derive(Deserialize)]
struct Run {
    ids: Vec<i64>,
    logits: Vec<f32>,
    /// Those of the base.
    base: Vec<f32>,
}

const TOLERANCE: f64 = 1e-4;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

fn base() -> PathBuf {
    fixtures().join("families/qwen2_tied")
}

fn runs() -> Vec<Run> {
    serde_json::from_slice(&fs::read(fixtures().join("adapters/expected.json")).unwrap()).unwrap()
}

/// PEFT's folder in a place of its own, with the base named where it lies here, and its config changed.
fn folder(change: impl FnOnce(&mut serde_json::Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = fixtures().join("adapters");
    fs::copy(from.join(lora::WEIGHTS_FILE), folder.path().join(lora::WEIGHTS_FILE)).unwrap();
    let mut config: serde_json::Value =
        serde_json::from_slice(&fs::read(from.join("adapter_config.json")).unwrap()).unwrap();
    config["base_model_name_or_path"] = base().to_str().unwrap().into();
    change(&mut config);
    fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
    folder
}

fn read(folder: &Path) -> Result<Adapters, ModelError> {
    lora::read(folder, device()).map(|adapters| adapters.expect("a folder of adapters"))
}

fn adapted() -> Llama {
    let adapters = read(folder(|_| {}).path()).unwrap();
    let frozen = Llama::load_frozen(&base(), device(), Kind::Float).unwrap();
    frozen.with_adapters(adapters.lora, adapters.tensors).unwrap()
}

fn difference(llama: &Llama, expected: impl Fn(&Run) -> &[f32]) -> f64 {
    let of_run = |run: &Run| {
        let found = llama.logits_of(&run.ids).get(run.ids.len() as i64 - 1).to_device(Device::Cpu);
        (found - Tensor::from_slice(expected(run))).abs().max().double_value(&[])
    };
    runs().iter().map(of_run).fold(0.0, f64::max)
}

#[test]
fn adapters_compute_what_peft_computes_beside_a_frozen_network_and_merged() {
    let beside = difference(&adapted(), |run| &run.logits);
    assert!(beside < TOLERANCE, "{beside}");
    let merged = Llama::load(folder(|_| {}).path(), device(), Kind::Float).unwrap();
    assert!(merged.lora.is_none());
    let found = difference(&merged, |run| &run.logits);
    assert!(found < TOLERANCE, "{found}");
    // They do something.
    assert!(difference(&adapted(), |run| &run.base) > 0.1);
}

#[test]
fn adapters_at_their_beginning_change_nothing() {
    let lora = adapted().lora.unwrap();
    let frozen = Llama::load_frozen(&base(), device(), Kind::Float).unwrap();
    let begun = lora.begin(&frozen.config, 1, device());
    let moved = |at: usize| begun[at].1.abs().max().double_value(&[]);
    // Hidden states of 40 numbers: A is within 1 / sqrt(40).
    assert!(moved(0) > 0.1 && moved(0) <= 40f64.powf(-0.5) && moved(1) == 0.0, "{} {}", moved(0), moved(1));
    let llama = frozen.with_adapters(lora, begun).unwrap();
    let found = difference(&llama, |run| &run.base);
    assert!(found < TOLERANCE, "{found}");
}

#[test]
fn adapters_are_saved_as_peft_saves_them() {
    let llama = adapted();
    let saved = tempfile::tempdir().unwrap();
    lora::save(saved.path(), &base(), llama.lora.as_ref().unwrap(), &llama.parameters).unwrap();
    let bytes = |folder: &Path| fs::read(folder.join(lora::WEIGHTS_FILE)).unwrap();
    let ours = bytes(saved.path());
    let theirs = bytes(&fixtures().join("adapters"));
    let tensors = |bytes: &[u8]| -> Vec<(String, Vec<usize>, Vec<u8>)> {
        let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
        let mut all: Vec<_> =
            file.iter().map(|(name, view)| (name.to_string(), view.shape().to_vec(), view.data().to_vec())).collect();
        all.sort();
        all
    };
    assert_eq!(tensors(&ours), tensors(&theirs));

    let config = |folder: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(folder.join("adapter_config.json")).unwrap()).unwrap()
    };
    let (ours, theirs) = (config(saved.path()), config(&fixtures().join("adapters")));
    for key in ["peft_type", "task_type", "r", "bias", "fan_in_fan_out", "use_dora", "use_rslora", "modules_to_save"] {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    assert_eq!(ours["lora_alpha"].as_f64(), theirs["lora_alpha"].as_f64());
    let targets = |config: &serde_json::Value| {
        let mut targets: Vec<String> = serde_json::from_value(config["target_modules"].clone()).unwrap();
        targets.sort();
        targets
    };
    assert_eq!(targets(&ours), targets(&theirs));
}

#[test]
fn what_peft_can_do_and_this_cannot_is_refused_by_name() {
    let refusal = |change: &dyn Fn(&mut serde_json::Value)| {
        let folder = folder(change);
        read(folder.path()).err().expect("a refusal").to_string()
    };
    let set =
        |key: &'static str, value: serde_json::Value| move |config: &mut serde_json::Value| config[key] = value.clone();
    assert!(refusal(&set("use_dora", true.into())).contains("`use_dora` is not supported"));
    assert!(refusal(&set("use_rslora", true.into())).contains("`use_rslora`"));
    assert!(refusal(&set("modules_to_save", vec!["lm_head"].into())).contains("`modules_to_save`"));
    assert!(refusal(&set("target_modules", vec!["c_attn"].into())).contains("target `c_attn`"));
    assert!(refusal(&set("target_modules", vec!["q_proj"].into())).contains("is no adapter of a target"));
    assert!(refusal(&set("r", 0.into())).contains("rank `r` is 0"));
    assert!(refusal(&set("lora_alpha", 1e308.into())).contains("`lora_alpha` is 1"));
    assert!(refusal(&set("base_model_name_or_path", "nowhere/at/all".into())).contains("nowhere/at/all"));
    // Numbers that are not finite.
    let poisoned = folder(|_| {});
    let weights = poisoned.path().join(lora::WEIGHTS_FILE);
    let mut bytes = fs::read(&weights).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&weights, bytes).unwrap();
    let error = read(poisoned.path()).err().expect("a refusal").to_string();
    assert!(error.contains("numbers that are not finite"), "{error}");
    // Another rank than the tensors have is found when they meet the network.
    let other = folder(set("r", 4.into()));
    let error = Llama::load(other.path(), device(), Kind::Float).err().expect("a refusal").to_string();
    assert!(error.contains("adapters of rank 4 are not those"), "{error}");
}
