//! A model's weights on disk: safetensors, in one file or in shards with an index.
//!
//! Loading checks every tensor against the config, so that a wrong or incomplete folder is an
//! error here and not a shape mismatch in the first forward pass. Saving the same weights gives
//! the same bytes, and a file is either whole or not there: it is written beside its place,
//! synced, and renamed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use ludus_host::hash::Hash;
use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView};
use serde::Deserialize;
use tch::{Device, Kind, Tensor};

use super::ModelError;
use super::config::ModelConfig;

/// The file of an unsharded model.
pub const WEIGHTS_FILE: &str = "model.safetensors";
const INDEX_FILE: &str = "model.safetensors.index.json";
/// The files of a model's folder that say what its weights are of, and how conversations become tokens.
pub const DESCRIBING: [&str; 4] = ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];

/// Loads a folder's weights as float32 tensors on `device`, in the order of `config.tensors()`.
///
/// Tensors that the network does not have (an output projection that is tied, precomputed rotary
/// tables) are passed over.
///
/// # Errors
/// A file is missing or damaged, a tensor is missing, or its shape is not the config's.
pub fn load(dir: &Path, config: &ModelConfig, device: Device) -> Result<Vec<(String, Tensor)>, ModelError> {
    load_as(dir, config, device, &|_| Kind::Float)
}

/// Loads a folder's weights as [`load`] does, each in the kind that is asked for by its name.
///
/// # Errors
/// As [`load`].
pub fn load_as(
    dir: &Path,
    config: &ModelConfig,
    device: Device,
    kind: &dyn Fn(&str) -> Kind,
) -> Result<Vec<(String, Tensor)>, ModelError> {
    let files = shards(dir)?;
    let maps = files.iter().map(|path| map(path)).collect::<Result<Vec<_>, _>>()?;
    let mut views = BTreeMap::new();
    for (path, bytes) in files.iter().zip(&maps) {
        for (name, view) in parse(path, bytes)?.iter() {
            views.insert(name.to_owned(), (view, path));
        }
    }

    let mut tensors = Vec::new();
    for (name, expected) in config.tensors() {
        let (view, path) =
            views.get(&name).ok_or_else(|| ModelError::malformed(dir, format!("the tensor `{name}` is not there")))?;
        let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
        if shape != expected {
            let problem = format!("the tensor `{name}` has shape {shape:?}, but config.json says {expected:?}");
            return Err(ModelError::malformed(path, problem));
        }
        let tensor = tensor_of(&name, view, path, device, kind(&name))?;
        tensors.push((name, tensor));
    }
    Ok(tensors)
}

/// Writes `model.safetensors` in `dir`, with numbers of `kind` (float, half or bfloat16).
///
/// # Errors
/// The folder cannot be written, a name is there twice, or `kind` is none of the three.
pub fn save(dir: &Path, tensors: &[(String, &Tensor)], kind: Kind) -> Result<(), ModelError> {
    save_file(&dir.join(WEIGHTS_FILE), tensors, kind)
}

/// Loads every tensor of one safetensors file as float32 on `device`, by name.
///
/// # Errors
/// The file is missing or damaged, or holds numbers that are not float, half or bfloat16.
pub fn load_file(path: &Path, device: Device) -> Result<BTreeMap<String, Tensor>, ModelError> {
    let bytes = map(path)?;
    let file = parse(path, &bytes)?;
    let tensor = |(name, view): (&str, TensorView<'_>)| {
        Ok((name.to_owned(), tensor_of(name, &view, path, device, Kind::Float)?))
    };
    file.iter().map(tensor).collect()
}

/// Writes tensors of any names to the safetensors file `path`, as [`save`] does.
pub fn save_file(path: &Path, tensors: &[(String, &Tensor)], kind: Kind) -> Result<(), ModelError> {
    let partial = path.with_extension("safetensors.partial");
    let mut sorted: Vec<&(String, &Tensor)> = tensors.iter().collect();
    sorted.sort_by_key(|(name, _)| name);
    let header = header(&sorted, kind).map_err(|problem| ModelError::malformed(path, problem))?;

    let failed = |cause| ModelError::file("write", &partial, cause);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&partial).map_err(failed)?);
    file.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
    file.write_all(&header).map_err(failed)?;
    // One tensor's bytes at a time: a model is not held twice.
    for (_, tensor) in sorted {
        file.write_all(&bytes(tensor, kind)?).map_err(failed)?;
    }
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    fs::rename(&partial, path).map_err(|cause| ModelError::file("rename", &partial, cause))?;
    // The new name must be on the disk too.
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|cause| ModelError::file("sync", dir, cause))
}

/// blake3 of a model's folder: of the hashes of its safetensors files, in their order, and of those of its other files that decide
/// what the network computes and reads ([`DESCRIBING`]), nothing standing for one that is not there.
///
/// # Errors
/// Where a file of weights is missing, or one cannot be read.
pub fn hash(dir: &Path) -> Result<Hash, ModelError> {
    let mut hashes = Vec::new();
    let describing = DESCRIBING.map(|name| dir.join(name)).into_iter().filter(|path| path.exists());
    for path in shards(dir)?.into_iter().chain(describing) {
        let file = open(&path)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file).map_err(|cause| ModelError::file("read", &path, cause))?;
        hashes.extend(hasher.finalize().as_bytes());
    }
    Ok(Hash::of(&hashes))
}

/// Opens a regular file: a pipe would wait for ever for somebody to write into it.
fn open(path: &Path) -> Result<File, ModelError> {
    let refused = |cause| ModelError::file("open", path, cause);
    if !fs::metadata(path).map_err(refused)?.is_file() {
        return Err(refused(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no regular file")));
    }
    File::open(path).map_err(refused)
}

/// The safetensors files of a folder; an index, if there is one, names them.
fn shards(dir: &Path) -> Result<Vec<PathBuf>, ModelError> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }

    let index = dir.join(INDEX_FILE);
    if !index.is_file() {
        return Ok(vec![dir.join(WEIGHTS_FILE)]);
    }
    let text = fs::read_to_string(&index).map_err(|cause| ModelError::file("read", &index, cause))?;
    let parsed: Index =
        serde_json::from_str(&text).map_err(|error| ModelError::malformed(&index, error.to_string()))?;
    let names: BTreeSet<String> = parsed.weight_map.into_values().collect();
    // A shard lies in the folder itself: an index cannot send us elsewhere.
    if let Some(name) = names.iter().find(|name| name.contains(['/', '\\'])) {
        return Err(ModelError::malformed(&index, format!("the shard `{name}` is not a plain file name")));
    }
    Ok(names.iter().map(|name| dir.join(name)).collect())
}

/// One tensor of a file, on `device` in the kind that is `wanted`.
fn tensor_of(
    name: &str,
    view: &TensorView<'_>,
    path: &Path,
    device: Device,
    wanted: Kind,
) -> Result<Tensor, ModelError> {
    let kind = kind_of(view.dtype()).ok_or_else(|| {
        ModelError::malformed(path, format!("the tensor `{name}` is {:?}, which is not known", view.dtype()))
    })?;
    let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
    // The conversion comes after the move, so that half-size numbers travel at half size.
    let tensor = Tensor::f_from_data_size(view.data(), &shape, kind)?.f_to_device(device)?.f_to_kind(wanted)?;
    // One number that is none makes every reply and every score meaningless, without a word.
    if !tensor.f_sum(Kind::Double)?.double_value(&[]).is_finite() {
        let problem =
            format!("the tensor `{name}` has numbers that are not finite: the file is damaged, fetch it again");
        return Err(ModelError::malformed(path, problem));
    }
    Ok(tensor)
}

fn map(path: &Path) -> Result<Mmap, ModelError> {
    let file = open(path)?;
    // SAFETY: the mapping is only read. Should another process cut the file short meanwhile, reading
    // ends this program with a signal: unsound memory is never handed out.
    unsafe { Mmap::map(&file) }.map_err(|cause| ModelError::file("map", path, cause))
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>, ModelError> {
    SafeTensors::deserialize(bytes)
        .map_err(|error| ModelError::malformed(path, format!("it is not a whole safetensors file ({error})")))
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        _ => None,
    }
}

fn dtype_of(kind: Kind) -> Option<Dtype> {
    match kind {
        Kind::Float => Some(Dtype::F32),
        Kind::Half => Some(Dtype::F16),
        Kind::BFloat16 => Some(Dtype::BF16),
        _ => None,
    }
}

/// The file's JSON header, padded with spaces to 8 bytes as the format asks. The crate's own writer
/// is not used: it makes files that only their owner may read, and does not sync them.
fn header(tensors: &[&(String, &Tensor)], kind: Kind) -> Result<Vec<u8>, String> {
    let dtype = dtype_of(kind).ok_or_else(|| format!("weights are not saved as {kind:?}"))?;
    let mut infos = Vec::new();
    let mut start = 0;
    for (name, tensor) in tensors {
        if infos.last().is_some_and(|(last, _)| last == name) {
            return Err(format!("the tensor `{name}` is there twice"));
        }
        let end = start + tensor.numel() * kind.elt_size_in_bytes();
        let shape = tensor.size().iter().map(|&size| size as usize).collect();
        infos.push((name.clone(), TensorInfo { dtype, shape, data_offsets: (start, end) }));
        start = end;
    }
    // transformers asks for this one entry. A single one has no order to vary.
    let about = Some([("format".to_owned(), "pt".to_owned())].into());
    let metadata = Metadata::new(about, infos).map_err(|error| error.to_string())?;
    let mut header = serde_json::to_vec(&metadata).map_err(|error| error.to_string())?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn bytes(tensor: &Tensor, kind: Kind) -> Result<Vec<u8>, ModelError> {
    let tensor = tensor.f_to_kind(kind)?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0; tensor.numel() * kind.elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ModelConfig {
        let text = r#"{"model_type": "llama", "vocab_size": 5, "hidden_size": 4, "intermediate_size": 6, "num_hidden_layers": 1,
            "num_attention_heads": 2, "rms_norm_eps": 1e-5, "max_position_embeddings": 8, "tie_word_embeddings": true}"#;
        ModelConfig::from_json(text).unwrap()
    }

    /// Small whole numbers, which every kind holds exactly.
    fn numbers() -> Vec<(String, Tensor)> {
        let tensor =
            |shape: &[i64]| Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu)).reshape(shape);
        config().tensors().into_iter().map(|(name, shape)| (name, tensor(&shape))).collect()
    }

    fn borrowed(tensors: &[(String, Tensor)]) -> Vec<(String, &Tensor)> {
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor)).collect()
    }

    #[test]
    fn weights_come_back_as_they_were_saved_in_every_kind() {
        for kind in [Kind::Float, Kind::Half, Kind::BFloat16] {
            let dir = tempfile::tempdir().unwrap();
            save(dir.path(), &borrowed(&numbers()), kind).unwrap();
            let loaded = load(dir.path(), &config(), Device::Cpu).unwrap();
            for ((name, tensor), (loaded_name, loaded)) in numbers().iter().zip(&loaded) {
                assert_eq!((name, loaded.kind()), (loaded_name, Kind::Float));
                assert!(tensor == loaded, "{name} as {kind:?}");
            }
            assert_eq!(loaded.len(), numbers().len());
        }
    }

    #[test]
    fn a_view_of_another_tensor_is_saved_by_its_values() {
        let dir = tempfile::tempdir().unwrap();
        let mut tensors = numbers();
        tensors[0].1 = Tensor::arange(20, (Kind::Float, Device::Cpu)).reshape([4, 5]).transpose(0, 1);
        save(dir.path(), &borrowed(&tensors), Kind::Float).unwrap();
        assert!(load(dir.path(), &config(), Device::Cpu).unwrap()[0].1 == tensors[0].1);
    }

    #[test]
    fn the_order_of_the_tensors_does_not_change_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let tensors = numbers();
        save(dir.path(), &borrowed(&tensors), Kind::Float).unwrap();
        let first = fs::read(dir.path().join(WEIGHTS_FILE)).unwrap();
        let mut turned = borrowed(&tensors);
        turned.reverse();
        save(dir.path(), &turned, Kind::Float).unwrap();
        assert!(first == fs::read(dir.path().join(WEIGHTS_FILE)).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside the file");
    }

    #[test]
    fn shards_are_found_by_their_index() {
        let dir = tempfile::tempdir().unwrap();
        let tensors = numbers();
        let mut map = serde_json::Map::new();
        for (number, part) in tensors.chunks(4).enumerate() {
            save(dir.path(), &borrowed(part), Kind::Float).unwrap();
            let shard = format!("part-{number}.safetensors");
            fs::rename(dir.path().join(WEIGHTS_FILE), dir.path().join(&shard)).unwrap();
            map.extend(part.iter().map(|(name, _)| (name.clone(), shard.clone().into())));
        }
        fs::write(dir.path().join(INDEX_FILE), serde_json::json!({ "weight_map": map }).to_string()).unwrap();
        assert_eq!(load(dir.path(), &config(), Device::Cpu).unwrap().len(), tensors.len());

        fs::write(dir.path().join(INDEX_FILE), r#"{"weight_map": {"a": "../elsewhere"}}"#).unwrap();
        assert!(load(dir.path(), &config(), Device::Cpu).unwrap_err().to_string().contains("plain file name"));
    }

    #[test]
    fn a_folder_that_does_not_fit_its_config_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let problem = || load(dir.path(), &config(), Device::Cpu).unwrap_err().to_string();
        assert!(problem().contains("cannot open"));

        let mut tensors = numbers();
        save(dir.path(), &borrowed(&tensors[1..]), Kind::Float).unwrap();
        assert!(problem().contains("`model.embed_tokens.weight` is not there"));

        tensors[0].1 = Tensor::zeros([4, 4], (Kind::Float, Device::Cpu));
        save(dir.path(), &borrowed(&tensors), Kind::Float).unwrap();
        assert!(problem().contains("has shape [4, 4]"));

        tensors[0].1 = Tensor::zeros([5, 4], (Kind::Float, Device::Cpu));
        save(dir.path(), &borrowed(&tensors), Kind::Float).unwrap();
        let path = dir.path().join(WEIGHTS_FILE);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(problem().contains("not a whole safetensors file"));
    }
}
