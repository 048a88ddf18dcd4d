//! Memory that ran out, as an error that names the setting to change.
//!
//! libtorch throws where its allocator is refused memory, on a GPU and on a CPU, and tch makes a panic of that wherever a
//! function has no error to return. [`guarded`] runs something that computes, and makes an error of such a panic; every other one
//! goes on as it was. [`says_so`] knows the words, for errors.
//!
//! What it does not do: what the plan needs is estimated before anything runs (`memory`). And where Rust's own allocator is
//! refused, the program ends at once; its blocks are small beside libtorch's.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use crate::recipe::Recipe;

/// Memory ran out, and what needs less.
#[derive(Debug, thiserror::Error)]
#[error("out of memory {during}: {advice}")]
pub struct OutOfMemory {
    during: &'static str,
    advice: String,
}

/// How libtorch says it: its allocators on CPU and GPU, the C++ library, oneDNN, the driver, and cuBLAS. oneDNN does not say
/// why it has no primitive; products of matrices are all that it is asked for, and those it has where there is memory.
const SAYINGS: [&str; 6] = [
    "DefaultCPUAllocator: can't allocate memory",
    "could not create a primitive",
    "CUDA out of memory",
    "std::bad_alloc",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
];

impl OutOfMemory {
    /// While the model played.
    pub fn in_rollout(recipe: &Recipe) -> OutOfMemory {
        let rollout = &recipe.rollout;
        let advice = lower("rollout.batch_rows", rollout.batch_rows, rollout.context_tokens);
        OutOfMemory { during: "while the model played", advice }
    }

    /// While gradients were made of what was played.
    pub fn in_update(recipe: &Recipe) -> OutOfMemory {
        let advice = lower("algorithm.pack_tokens", recipe.algorithm.pack_tokens, recipe.rollout.context_tokens);
        OutOfMemory { during: "in an update", advice }
    }

    /// Anywhere else the model itself is the largest part.
    pub fn elsewhere() -> OutOfMemory {
        OutOfMemory { during: "with this model", advice: "name a smaller one, or end other programs".into() }
    }
}

fn lower(setting: &str, value: u32, context_tokens: u32) -> String {
    format!("lower {setting} ({value}), or rollout.context_tokens ({context_tokens})")
}

/// Computes something. Where memory runs out meanwhile, `shortage` says what is told of it.
///
/// # Errors
/// Those of the computation, and the shortage.
pub fn guarded<T, E: From<OutOfMemory>>(
    shortage: impl FnOnce() -> OutOfMemory,
    compute: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    // What a broken computation leaves half-made is dropped with it: the caller ends with the error.
    match panic::catch_unwind(AssertUnwindSafe(compute)) {
        Ok(outcome) => outcome,
        Err(panic) if says_so(message(panic.as_ref())) => Err(shortage().into()),
        Err(panic) => panic::resume_unwind(panic),
    }
}

/// Keeps the words of a panic that [`guarded`] makes a sentence of from standard error. For a program that is guarded as a
/// whole.
pub fn expect_it() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !says_so(message(panic.payload())) {
            tell(panic);
        }
    }));
}

/// Whether libtorch says in these words that memory ran out.
pub fn says_so(text: &str) -> bool {
    SAYINGS.iter().any(|saying| text.contains(saying))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    /// More than any machine has.
    const ABSURD: [i64; 1] = [1 << 50];

    fn guard(compute: impl FnOnce() -> Result<(), anyhow::Error>) -> String {
        guarded(OutOfMemory::elsewhere, compute).unwrap_err().to_string()
    }

    #[test]
    fn memory_that_libtorch_does_not_get_is_an_error() {
        let sentence = OutOfMemory::elsewhere().to_string();
        let panics = guard(|| {
            let _ = Tensor::zeros(ABSURD, (Kind::Float, Device::Cpu));
            Ok(())
        });
        assert_eq!(panics, sentence);
        let fails = Tensor::f_zeros(ABSURD, (Kind::Float, Device::Cpu)).unwrap_err();
        assert!(says_so(&fails.to_string()), "{fails}");
    }

    /// As PyTorch's own `c10::cuda::CUDACachingAllocator` writes it.
    #[test]
    fn a_gpu_without_memory_says_so_in_words_of_its_own() {
        let words = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.19 GiB of which";
        assert_eq!(guard(|| panic!("{words}")), OutOfMemory::elsewhere().to_string());
    }

    #[test]
    fn any_other_panic_goes_on() {
        let caught = panic::catch_unwind(|| guard(|| panic!("something else")));
        assert_eq!(message(caught.unwrap_err().as_ref()), "something else");
    }

    #[test]
    fn an_error_of_another_kind_stays() {
        assert_eq!(guard(|| anyhow::bail!("something else")), "something else");
    }
}
