//! Which device computes, and how CUDA comes into the process at all.
//!
//! A tch program is linked to libtorch_cpu alone: libtorch_cuda registers itself when it is loaded, and nothing loads
//! it, so CUDA is silently absent on a machine that has a GPU. [`load_cuda`] loads it from the folder that
//! libtorch_cpu came from. That takes seconds (it is half a gigabyte with its libraries), so `auto` does it only where
//! a GPU's driver is present, and `cpu` never.

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tch::{Cuda, Device, Kind};

use crate::machine;
use crate::recipe::Precision;

/// A device as a recipe names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DeviceChoice {
    /// The first CUDA device where there is one, else the CPU.
    Auto,
    Cpu,
    /// The CUDA device with this number.
    Cuda(usize),
}

/// Why a device cannot be used. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error("`{0}` is no device: write auto, cpu, cuda or cuda:N")]
    Unknown(String),
    #[error("{choice} was asked for, but the libtorch in {} has no CUDA: point LIBTORCH at one that has it, or set model.device=cpu", folder.display())]
    NoCudaInLibtorch { choice: DeviceChoice, folder: PathBuf },
    #[error(
        "{choice} was asked for, but this machine has {found} usable CUDA devices: set model.device=cpu, or see `nvidia-smi`"
    )]
    NoSuchDevice { choice: DeviceChoice, found: usize },
    #[error("libtorch_cuda cannot be loaded: {0}; run `./just setup` again, or set model.device=cpu")]
    CannotLoad(String),
}

/// The device to compute on; loads CUDA where it may be used.
///
/// # Errors
/// Where a CUDA device was asked for by name and is not there. `auto` falls back to the CPU.
pub fn choose(choice: DeviceChoice) -> Result<Device, DeviceError> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Auto => {
            if gpu_driver_is_present() && load_cuda()? == CudaLibrary::Loaded && Cuda::is_available() {
                Ok(Device::Cuda(0))
            } else {
                Ok(Device::Cpu)
            }
        }
        DeviceChoice::Cuda(number) => {
            if load_cuda()? == CudaLibrary::NotInstalled {
                let folder = libtorch_folder().unwrap_or_default();
                return Err(DeviceError::NoCudaInLibtorch { choice, folder });
            }
            // torch answers a negative count where the driver is broken.
            let found = usize::try_from(Cuda::device_count()).unwrap_or(0);
            if number < found { Ok(Device::Cuda(number)) } else { Err(DeviceError::NoSuchDevice { choice, found }) }
        }
    }
}

/// The device of a rank, counted from 0 on this machine: the first one's is what the recipe names, and each other takes the CUDA
/// device after the one before.
///
/// # Errors
/// As [`choose`], or where there are fewer devices than ranks.
pub fn choose_of_rank(choice: DeviceChoice, local_rank: u32) -> Result<Device, DeviceError> {
    match choose(choice)? {
        Device::Cuda(first) if local_rank > 0 => choose(DeviceChoice::Cuda(first + local_rank as usize)),
        device => Ok(device),
    }
}

/// The device that [`choose`] will most likely answer, told without loading anything.
pub fn expected(choice: DeviceChoice) -> Device {
    match choice {
        DeviceChoice::Cuda(number) => Device::Cuda(number),
        DeviceChoice::Auto if gpu_driver_is_present() => Device::Cuda(0),
        DeviceChoice::Auto | DeviceChoice::Cpu => Device::Cpu,
    }
}

/// The number format of the network's passes on a device.
pub fn compute_kind(precision: Precision, device: Device) -> Kind {
    match precision {
        Precision::Float32 => Kind::Float,
        Precision::Bfloat16 => Kind::BFloat16,
        Precision::Auto if device.is_cuda() || machine::multiplies_bfloat16_faster() => Kind::BFloat16,
        Precision::Auto => Kind::Float,
    }
}

/// Sets how many CPU threads libtorch uses in one operation; 0 takes all cores.
pub fn set_threads(threads: u32) {
    set_threads_of_rank(threads, 1);
}

/// The same for one of several ranks on this machine, which share the cores.
pub fn set_threads_of_rank(threads: u32, local_ranks: u32) {
    let threads = match threads {
        0 => (machine::cores() / local_ranks as usize).max(1),
        threads => threads as usize,
    };
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}

/// Whether the installed libtorch brings CUDA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CudaLibrary {
    Loaded,
    NotInstalled,
}

/// Loads libtorch_cuda.so into the process, for good. A second call is free.
///
/// # Errors
/// Where the file is there and does not load; the text is the dynamic linker's.
pub fn load_cuda() -> Result<CudaLibrary, DeviceError> {
    let Some(path) = libtorch_folder().map(|folder| folder.join("libtorch_cuda.so")) else {
        return Ok(CudaLibrary::NotInstalled);
    };
    if !path.is_file() {
        return Ok(CudaLibrary::NotInstalled);
    }
    let name = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| DeviceError::CannotLoad("its path holds a zero byte".into()))?;
    // Global, because libtorch_cpu looks up what the library registers. The handle is never closed: the registry points into it.
    // SAFETY: the name is a C string, and loading runs only the initializers of libtorch, which we are linked to already.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if handle.is_null() {
        return Err(DeviceError::CannotLoad(linker_error()));
    }
    Ok(CudaLibrary::Loaded)
}

/// The folder that this process loaded libtorch_cpu.so from.
pub fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    folder_of_library(&maps, "libtorch_cpu.so")
}

/// Whether a driver for NVIDIA GPUs is there, which says nothing yet of whether libtorch can use one.
pub fn gpu_driver_is_present() -> bool {
    // The last is what a GPU looks like under WSL.
    ["/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/dxg"].iter().any(|path| Path::new(path).exists())
}

/// Free and total memory of a CUDA device in bytes, where CUDA is loaded and the device answers.
pub fn cuda_memory_bytes(device: usize) -> Option<(u64, u64)> {
    let number = libc::c_int::try_from(device).ok()?;
    let set_device = runtime_function(c"cudaSetDevice")?;
    let memory_info = runtime_function(c"cudaMemGetInfo")?;
    let (mut free, mut total) = (0_usize, 0_usize);
    // SAFETY: these are the signatures of the CUDA runtime, unchanged since its first version; 0 is success.
    unsafe {
        let set_device: extern "C" fn(libc::c_int) -> libc::c_int = std::mem::transmute(set_device);
        let memory_info: extern "C" fn(*mut usize, *mut usize) -> libc::c_int = std::mem::transmute(memory_info);
        if set_device(number) != 0 || memory_info(&mut free, &mut total) != 0 {
            return None;
        }
    }
    Some((free as u64, total as u64))
}

/// A function of the CUDA runtime that libtorch_cuda brought along.
fn runtime_function(name: &CStr) -> Option<*mut libc::c_void> {
    // SAFETY: the name is a C string; nothing is called here.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}

fn linker_error() -> String {
    // SAFETY: dlerror returns null or a C string that stays until the thread's next call of the linker.
    unsafe {
        let message = libc::dlerror();
        if message.is_null() {
            return "the dynamic linker gave no reason".into();
        }
        CStr::from_ptr(message).to_string_lossy().into_owned()
    }
}

/// The folder of a mapped library, from the text of /proc/self/maps.
fn folder_of_library(maps: &str, library: &str) -> Option<PathBuf> {
    maps.lines().find_map(|line| {
        // The path is the sixth column, and the only one that may hold blanks.
        let path = Path::new(line.get(line.find('/')?..)?);
        (path.file_name()? == library).then(|| path.parent().map(Path::to_owned))?
    })
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<DeviceChoice, DeviceError> {
        let unknown = || DeviceError::Unknown(text.into());
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            _ => {
                let number = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                number.parse().map(DeviceChoice::Cuda).map_err(|_| unknown())
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => formatter.write_str("auto"),
            DeviceChoice::Cpu => formatter.write_str("cpu"),
            DeviceChoice::Cuda(number) => write!(formatter, "cuda:{number}"),
        }
    }
}

impl TryFrom<String> for DeviceChoice {
    type Error = DeviceError;

    fn try_from(text: String) -> Result<DeviceChoice, DeviceError> {
        text.parse()
    }
}

impl From<DeviceChoice> for String {
    fn from(choice: DeviceChoice) -> String {
        choice.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_cuda_is_in_the_process_once_it_was_loaded() {
        // Any call into libtorch will do; without one the linker may leave the library out.
        let _ = tch::get_num_threads();
        let folder = libtorch_folder().expect("a test of this crate runs with libtorch");
        let installed = folder.join("libtorch_cuda.so").is_file();
        let loaded = load_cuda().unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert_eq!(loaded == CudaLibrary::Loaded, installed);
        assert_eq!(maps.contains("libtorch_cuda.so"), installed);
    }

    #[test]
    fn a_library_is_found_in_the_maps_by_its_whole_name() {
        let maps = "7f00-7f01 r-xp 00000000 00:01 12   /opt/my torch/lib/libtorch_cpu.so.old\n\
                    7f02-7f03 r-xp 00000000 00:01 13   /opt/my torch/lib/libtorch_cpu.so\n\
                    7f04-7f05 rw-p 00000000 00:00 0    [heap]\n";
        assert_eq!(folder_of_library(maps, "libtorch_cpu.so"), Some("/opt/my torch/lib".into()));
        assert_eq!(folder_of_library(maps, "libtorch_cuda.so"), None);
    }

    #[test]
    fn devices_read_back_as_they_are_written() {
        for (text, choice) in
            [("auto", DeviceChoice::Auto), ("cpu", DeviceChoice::Cpu), ("cuda:3", DeviceChoice::Cuda(3))]
        {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), choice);
            assert_eq!(choice.to_string(), text);
        }
        for text in ["gpu", "cuda:", "cuda:-1", "CPU", ""] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text:?} was taken");
        }
    }
}
