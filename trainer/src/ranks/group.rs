//! The way to libtorch's c10d, by the functions of `c10d/group.cpp`. Nothing else knows that there is C++ behind it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Device, Tensor};

use super::{Place, RanksError};

/// A tensor as tch holds it.
type RawTensor = *mut c_void;

unsafe extern "C" {
    fn ludus_c10d_free(text: *mut c_char);
    fn ludus_c10d_join(
        host: *const c_char,
        port: u16,
        serves: bool,
        prefix: *const c_char,
        rank: c_int,
        ranks: c_int,
        timeout_s: i64,
        joined: *mut *mut c_void,
    ) -> *mut c_char;
    #[cfg(ludus_nccl)]
    fn ludus_c10d_group(group: *mut c_void) -> *mut c_void;
    fn ludus_c10d_leave(group: *mut c_void);
    fn ludus_c10d_sum(group: *mut c_void, tensor: RawTensor) -> *mut c_char;
    fn ludus_c10d_broadcast(
        group: *mut c_void,
        tensors: *const RawTensor,
        from: *const c_int,
        count: usize,
    ) -> *mut c_char;
    fn ludus_c10d_send(group: *mut c_void, tensor: RawTensor, to: c_int) -> *mut c_char;
    fn ludus_c10d_receive(group: *mut c_void, tensor: RawTensor, from: c_int) -> *mut c_char;
    fn ludus_c10d_reducer(
        group: *mut c_void,
        parameters: *const RawTensor,
        places: *const usize,
        count: usize,
        buckets: usize,
        made: *mut *mut c_void,
    ) -> *mut c_char;
    fn ludus_c10d_reducer_begin(reducer: *mut c_void, already: *const usize, count: usize);
    fn ludus_c10d_reducer_finish(reducer: *mut c_void, early: *mut usize) -> *mut c_char;
    fn ludus_c10d_reducer_free(reducer: *mut c_void);
}

/// A rank that waits for so long waits for one that will not come. One that ended is noticed at once; this is for one that hangs,
/// and longer than any share of a rollout takes longer than another.
const TIMEOUT_S: i64 = 2 * 60 * 60;

/// Ranks that are joined.
pub struct Group {
    raw: *mut c_void,
    may_end: AtomicBool,
}

impl Group {
    pub fn join(place: &Place, device: Device) -> Result<Group, RanksError> {
        let failed = |reason| RanksError::Meeting { address: place.address.clone(), port: place.port, reason };
        let text = |text: &str| CString::new(text).map_err(|_| failed("there is a zero byte in it".into()));
        let (host, prefix) = (text(&place.address)?, text(&format!("ludus/{}", place.attempt))?);
        let serves = place.rank == 0 && !place.is_served;
        let (rank, ranks) = (place.rank as c_int, place.ranks as c_int);
        let mut raw = std::ptr::null_mut();
        // SAFETY: the texts are C strings and live during the call, which writes the group where it does not fail.
        let error = unsafe {
            ludus_c10d_join(host.as_ptr(), place.port, serves, prefix.as_ptr(), rank, ranks, TIMEOUT_S, &mut raw)
        };
        // SAFETY: the error is a text of the C++ side.
        unsafe { checked(error) }.map_err(failed)?;
        let group = Group { raw, may_end: AtomicBool::new(false) };
        if let Device::Cuda(number) = device {
            group.join_by_nccl(place, number as c_int)?;
        }
        Ok(group)
    }

    #[cfg(not(ludus_nccl))]
    fn join_by_nccl(&self, _: &Place, _: c_int) -> Result<(), RanksError> {
        Err(RanksError::NoNccl)
    }

    /// Loads the library that knows NCCL, which the program carries in itself, and joins the ranks by it.
    #[cfg(ludus_nccl)]
    fn join_by_nccl(&self, place: &Place, device: c_int) -> Result<(), RanksError> {
        let failed = |reason| RanksError::Meeting { address: place.address.clone(), port: place.port, reason };
        let function = nccl_join().map_err(failed)?;
        // SAFETY: this is its signature in c10d/nccl.cpp.
        let join: unsafe extern "C" fn(*mut c_void, c_int, c_int, c_int, i64) -> *mut c_char =
            unsafe { std::mem::transmute(function) };
        // SAFETY: the group is one of the C++ side, and so is the error.
        unsafe {
            let group = ludus_c10d_group(self.raw);
            checked(join(group, place.rank as c_int, place.ranks as c_int, device, TIMEOUT_S)).map_err(failed)
        }
    }

    /// Says that nothing is under way any more, so that the threads of the group can be ended with it. A group that broke is
    /// left as it is: its threads wait for what will not come.
    pub fn may_end(&self) {
        self.may_end.store(true, Ordering::Relaxed);
    }

    /// Puts the sum over all ranks into a tensor.
    pub fn sum(&self, tensor: &Tensor) -> Result<(), RanksError> {
        // SAFETY: the tensor lives during the call, which waits until the sum is there.
        unsafe { lost(ludus_c10d_sum(self.raw, raw(tensor))) }
    }

    /// Copies each tensor from the rank that has it to all others.
    pub fn broadcast(&self, tensors: &[&Tensor], from: &[u32]) -> Result<(), RanksError> {
        let raw: Vec<RawTensor> = tensors.iter().map(|tensor| raw(tensor)).collect();
        let from: Vec<c_int> = from.iter().map(|&rank| rank as c_int).collect();
        assert_eq!(raw.len(), from.len());
        // SAFETY: both lists have that many entries, and the tensors live during the call, which waits for all of them.
        unsafe { lost(ludus_c10d_broadcast(self.raw, raw.as_ptr(), from.as_ptr(), raw.len())) }
    }

    /// Sends a tensor in the host's memory to a rank.
    pub fn send(&self, tensor: &Tensor, to: u32) -> Result<(), RanksError> {
        // SAFETY: the tensor lives during the call.
        unsafe { lost(ludus_c10d_send(self.raw, raw(tensor), to as c_int)) }
    }

    /// Receives a tensor in the host's memory from a rank.
    pub fn receive(&self, tensor: &Tensor, from: u32) -> Result<(), RanksError> {
        // SAFETY: the tensor lives during the call.
        unsafe { lost(ludus_c10d_receive(self.raw, raw(tensor), from as c_int)) }
    }

    /// Sums of the gradients of parameters; `places` are their buckets.
    pub fn reducer(&self, parameters: &[&Tensor], places: &[usize]) -> Result<Reducer, RanksError> {
        let raws: Vec<RawTensor> = parameters.iter().map(|tensor| raw(tensor)).collect();
        let buckets = places.iter().max().map_or(0, |&last| last + 1);
        assert_eq!(raws.len(), places.len());
        let mut made = std::ptr::null_mut();
        // SAFETY: both lists have that many entries. The C++ side keeps references of its own to group and tensors.
        unsafe {
            lost(ludus_c10d_reducer(self.raw, raws.as_ptr(), places.as_ptr(), raws.len(), buckets, &mut made))?;
        }
        Ok(Reducer { raw: made })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.may_end.load(Ordering::Relaxed) {
            // SAFETY: nobody else has the group.
            unsafe { ludus_c10d_leave(self.raw) }
        }
    }
}

/// Sums of gradients over ranks.
pub struct Reducer {
    raw: *mut c_void,
}

impl Reducer {
    /// Says that gradients which come from now on are final, and that those of some parameters are so already.
    pub fn begin(&self, already: &[usize]) {
        // SAFETY: the list has that many entries, each below the number of parameters.
        unsafe { ludus_c10d_reducer_begin(self.raw, already.as_ptr(), already.len()) }
    }

    /// Waits until all gradients are sums over the ranks, and says how many buckets were begun before.
    pub fn finish(&self) -> Result<usize, RanksError> {
        let mut early = 0;
        // SAFETY: the reducer is one of the C++ side.
        unsafe { lost(ludus_c10d_reducer_finish(self.raw, &mut early)) }?;
        Ok(early)
    }
}

impl Drop for Reducer {
    fn drop(&mut self) {
        // SAFETY: nobody else has the reducer, and no backward pass is under way.
        unsafe { ludus_c10d_reducer_free(self.raw) }
    }
}

fn raw(tensor: &Tensor) -> RawTensor {
    tensor.as_ptr().cast_mut().cast()
}

/// The error of a C++ function.
///
/// # Safety
/// `error` is null or a text of the C++ side, which nobody else has.
unsafe fn checked(error: *mut c_char) -> Result<(), String> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: as the caller says.
    let text = unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned();
    // SAFETY: as the caller says.
    unsafe { ludus_c10d_free(error) };
    // Further lines are about C++.
    Err(text.lines().next().unwrap_or_default().trim_end_matches(['.', ' ']).to_string())
}

/// The same, of what ranks do together.
///
/// # Safety
/// As [`checked`].
unsafe fn lost(error: *mut c_char) -> Result<(), RanksError> {
    // SAFETY: as the caller says.
    unsafe { checked(error) }.map_err(|reason| RanksError::Lost { reason })
}

/// The function of the library that knows NCCL. libtorch_cuda has to be in the process.
#[cfg(ludus_nccl)]
fn nccl_join() -> Result<*mut c_void, String> {
    static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libludus_nccl.so"));
    let library = load(LIBRARY)?;
    // SAFETY: the handle is that of a library, and the name a C string.
    let function = unsafe { libc::dlsym(library, c"ludus_nccl_join".as_ptr()) };
    if function.is_null() { Err("the library for NCCL lacks its function".into()) } else { Ok(function) }
}

/// Loads a library from its bytes, for good.
#[cfg(ludus_nccl)]
fn load(library: &[u8]) -> Result<*mut c_void, String> {
    use std::fs::File;
    use std::io::Write as _;
    use std::os::fd::{AsRawFd as _, FromRawFd as _};

    let told = |error: std::io::Error| error.to_string();
    // SAFETY: the name is a C string; what comes back is a new file of this process, or negative.
    let descriptor = unsafe { libc::memfd_create(c"ludus_nccl".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(told(std::io::Error::last_os_error()));
    }
    // SAFETY: nobody else has this descriptor.
    let mut file = unsafe { File::from_raw_fd(descriptor) };
    file.write_all(library).map_err(told)?;
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|error| error.to_string())?;
    // SAFETY: the path is a C string, and loading runs the initializers of libtorch alone.
    let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    if handle.is_null() {
        // SAFETY: after a failure the linker has a text.
        let text = unsafe { CStr::from_ptr(libc::dlerror()) };
        return Err(text.to_string_lossy().into_owned());
    }
    Ok(handle)
}

#[cfg(all(test, ludus_nccl))]
mod tests {
    use super::*;
    use crate::device::{self, CudaLibrary};

    #[test]
    fn the_library_that_knows_nccl_loads_beside_libtorch_cuda() {
        assert_eq!(device::load_cuda().unwrap(), CudaLibrary::Loaded);
        let join = nccl_join().unwrap();
        assert!(!join.is_null());
    }
}
