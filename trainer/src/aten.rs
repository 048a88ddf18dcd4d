//! How tensors and errors cross to the C++ in `aten`.

use std::ffi::{CStr, c_char, c_void};

use tch::Tensor;

/// A tensor as tch holds it.
pub type RawTensor = *mut c_void;

pub fn raw(tensor: &Tensor) -> RawTensor {
    tensor.as_ptr().cast_mut().cast()
}

/// The tensor that a C++ function has made.
pub fn made(make: impl FnOnce(*mut RawTensor) -> *mut c_char) -> Tensor {
    let [made] = all_made(make);
    made
}

/// The tensors that a C++ function has made, all of them.
pub fn all_made<const N: usize>(make: impl FnOnce(*mut RawTensor) -> *mut c_char) -> [Tensor; N] {
    let mut made = [std::ptr::null_mut(); N];
    check(make(made.as_mut_ptr()));
    // SAFETY: without an error the C++ side has made the tensors, which nobody else has.
    made.map(|made: RawTensor| unsafe { Tensor::from_ptr(made.cast()) })
}

/// Panics with what went wrong, as tch does: `out_of_memory` knows what of it is a lack of memory.
pub fn check(error: *mut c_char) {
    if !error.is_null() {
        // SAFETY: a text of the C++ side, which nobody else has.
        let text = unsafe { CStr::from_ptr(error) }.to_string_lossy().into_owned();
        // SAFETY: the same; it is from `strdup`.
        unsafe { libc::free(error.cast()) };
        panic!("{text}");
    }
}
