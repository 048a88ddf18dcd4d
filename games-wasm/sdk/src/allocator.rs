//! The allocator of a component, made for what a game is: one thread, one short episode, thousands of small texts.
//!
//! Blocks come in classes: multiples of 16 bytes up to 512, powers of two above. A freed block waits in the list of its
//! class for the next of that size; new ones are cut off the end of what is in use. Nothing is ever joined or given back:
//! the whole memory goes when the episode ends. So to allocate takes a few instructions, where the standard allocator's
//! bookkeeping was half of what a step of tic-tac-toe computed.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// What every block is a multiple of, and aligned to.
const UNIT: usize = 16;
/// Blocks up to this size come in multiples of a unit.
const SMALL_MAX: usize = 512;
const SMALL_CLASSES: usize = SMALL_MAX / UNIT;
/// 1 KiB, 2 KiB, … 2 GiB.
const LARGE_CLASSES: usize = 22;
const PAGE: usize = 65_536;

pub struct Allocator(UnsafeCell<State>);

struct State {
    /// The first free block of each class; its first word points to the next.
    free: [*mut u8; SMALL_CLASSES + LARGE_CLASSES],
    /// The end of what is in use. 0: nothing was asked for yet.
    next: usize,
    /// The end of the memory.
    end: usize,
}

// SAFETY: a component has one thread.
unsafe impl Sync for Allocator {}

impl Allocator {
    pub const fn new() -> Self {
        Self(UnsafeCell::new(State { free: [null_mut(); SMALL_CLASSES + LARGE_CLASSES], next: 0, end: 0 }))
    }
}

/// The class of a small size. Nobody asks for no bytes at all.
fn small_class(size: usize) -> usize {
    (size - 1) / UNIT
}

/// The class of any size, and the size of its blocks; none where no memory is that large.
fn class(size: usize) -> Option<(usize, usize)> {
    if size <= SMALL_MAX {
        let class = small_class(size);
        return Some((class, (class + 1) * UNIT));
    }
    let block = size.checked_next_power_of_two()?;
    let large = (block.trailing_zeros() - SMALL_MAX.trailing_zeros()) as usize - 1;
    (large < LARGE_CLASSES).then_some((SMALL_CLASSES + large, block))
}

/// Asked of every text that is shrunk to fit, and those are small.
fn are_of_one_class(one: usize, other: usize) -> bool {
    if one <= SMALL_MAX && other <= SMALL_MAX {
        return small_class(one) == small_class(other);
    }
    class(one) == class(other)
}

impl State {
    /// Cuts a new block off the end; null where the memory cannot grow.
    fn cut(&mut self, bytes: usize, align: usize) -> *mut u8 {
        if self.next == 0 {
            (self.next, self.end) = memory::heap();
        }
        let Some(start) = self.next.checked_next_multiple_of(align.max(UNIT)) else { return null_mut() };
        let Some(after) = start.checked_add(bytes) else { return null_mut() };
        if after > self.end {
            let pages = (after - self.end).div_ceil(PAGE);
            if !memory::grow(pages) {
                return null_mut();
            }
            self.end += pages * PAGE;
        }
        self.next = after;
        start as *mut u8
    }
}

// SAFETY: blocks are aligned to a unit or more, do not overlap, and stay where they are until they are freed.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and nothing in here allocates.
        let state = unsafe { &mut *self.0.get() };
        if layout.align() > UNIT {
            return state.cut(layout.size(), layout.align());
        }
        let Some((class, block)) = class(layout.size()) else { return null_mut() };
        let first = state.free[class];
        if first.is_null() {
            return state.cut(block, UNIT);
        }
        // SAFETY: a block in a list is free and begins with the pointer that `dealloc` wrote.
        state.free[class] = unsafe { *first.cast::<*mut u8>() };
        first
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // Hardly anything asks for more than a unit's alignment; it is left lying.
        if layout.align() > UNIT {
            return;
        }
        // SAFETY: as in `alloc`; the block is the caller's to give back, and a unit holds a pointer.
        let state = unsafe { &mut *self.0.get() };
        if let Some((class, _)) = class(layout.size()) {
            unsafe { *pointer.cast::<*mut u8>() = state.free[class] };
            state.free[class] = pointer;
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are those of `realloc`, and the new layout has the old alignment.
        unsafe {
            let new_layout = Layout::from_size_align_unchecked(new_size, layout.align());
            // A block of the same class has room.
            if layout.align() <= UNIT && are_of_one_class(layout.size(), new_size) {
                return pointer;
            }
            let new = self.alloc(new_layout);
            if !new.is_null() {
                new.copy_from_nonoverlapping(pointer, layout.size().min(new_size));
                self.dealloc(pointer, layout);
            }
            new
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod memory {
    use super::PAGE;

    unsafe extern "C" {
        /// Where the linker's own data end.
        static __heap_base: u8;
    }

    /// The addresses that nothing uses yet.
    pub fn heap() -> (usize, usize) {
        (&raw const __heap_base as usize, core::arch::wasm32::memory_size(0) * PAGE)
    }

    pub fn grow(pages: usize) -> bool {
        core::arch::wasm32::memory_grow(0, pages) != usize::MAX
    }
}

/// For the tests: a memory of a few pages that stands still.
#[cfg(not(target_arch = "wasm32"))]
mod memory {
    use super::PAGE;

    const PAGES: usize = 16;

    thread_local! {
        static GROWN: std::cell::Cell<usize> = const { std::cell::Cell::new(1) };
    }

    pub fn heap() -> (usize, usize) {
        let base = Box::leak(vec![0_u8; PAGES * PAGE].into_boxed_slice()).as_ptr() as usize;
        GROWN.set(1);
        (base, base + PAGE)
    }

    pub fn grow(pages: usize) -> bool {
        let grown = GROWN.get() + pages;
        if grown <= PAGES {
            GROWN.set(grown);
        }
        grown <= PAGES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    #[test]
    fn blocks_never_overlap_and_keep_what_was_written() {
        let allocator = Allocator::new();
        let mut random = Random::seeded(1);
        let mut live: Vec<(*mut u8, Layout, u8)> = Vec::new();
        for round in 0..20_000_u32 {
            let mark = round as u8;
            let most = if random.chance(1, 50) { 5_000 } else { 200 };
            let size = 1 + random.below(most) as usize;
            // SAFETY: every pointer is used with the layout that it was made with, and only as far as that goes.
            unsafe {
                if live.len() < 60 {
                    let layout = Layout::from_size_align(size, 1 << random.below(7)).expect("a layout");
                    let pointer = allocator.alloc(layout);
                    // Blocks with a large alignment are left lying, until there is no memory left.
                    if pointer.is_null() {
                        assert!(layout.align() > UNIT, "small blocks are used again");
                        continue;
                    }
                    assert_eq!(pointer as usize % layout.align(), 0);
                    pointer.write_bytes(mark, size);
                    live.push((pointer, layout, mark));
                } else {
                    let (pointer, layout, mark) = live.swap_remove(random.below(60) as usize);
                    let holds = |pointer: *mut u8, bytes: usize| (0..bytes).all(|at| *pointer.add(at) == mark);
                    assert!(holds(pointer, layout.size()), "a block of {layout:?} was written over");
                    let new = allocator.realloc(pointer, layout, size);
                    if new.is_null() {
                        continue;
                    }
                    assert!(holds(new, size.min(layout.size())), "a block of {layout:?} was moved to {size} and lost");
                    allocator.dealloc(new, Layout::from_size_align(size, layout.align()).expect("a layout"));
                }
            }
        }
    }

    #[test]
    fn a_freed_block_is_the_next_of_its_size() {
        let allocator = Allocator::new();
        for size in [1, 16, 17, 512, 513, 100_000] {
            let layout = Layout::from_size_align(size, 8).expect("a layout");
            // SAFETY: as above.
            unsafe {
                let first = allocator.alloc(layout);
                allocator.dealloc(first, layout);
                assert_eq!(allocator.alloc(layout), first, "{size} bytes");
            }
        }
    }

    #[test]
    fn a_memory_that_cannot_grow_is_no_block() {
        let allocator = Allocator::new();
        let layout = Layout::from_size_align(1 << 30, 8).expect("a layout");
        // SAFETY: nothing is written.
        assert!(unsafe { allocator.alloc(layout) }.is_null());
    }
}
