//! The functions that a component exports, under their canonical names.
//!
//! What a call returns lies in the guest's memory until the host has read it. The usual way to free it is a function of its
//! own, which the host calls after every call; crossing into the sandbox once more costs as much as a small call itself. Here
//! the next call frees what the last one returned.

use std::cell::Cell;

thread_local! {
    static RETURNED: Cell<Option<Returned>> = const { Cell::new(None) };
}

/// What the host was given last, and what frees it.
type Returned = (*mut u8, unsafe fn(*mut u8));

/// Frees what the last call returned, makes a call, and remembers what frees what this one returns.
pub fn call(call: impl FnOnce() -> *mut u8, free: unsafe fn(*mut u8)) -> *mut u8 {
    if let Some((pointer, free)) = RETURNED.take() {
        // SAFETY: the call that returned it is over, and the host has read it.
        unsafe { free(pointer) };
    }
    let pointer = call();
    RETURNED.set(Some((pointer, free)));
    pointer
}

/// Makes a [`crate::Game`] the component that this crate builds to. Does nothing in a native build.
#[macro_export]
macro_rules! export {
    ($game:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::bindings::exports::ludus::game::game as raw;
            use $crate::exported::call;
            type Exported = $crate::component::Component<$game>;

            #[unsafe(export_name = "ludus:game/game@0.1.0#describe")]
            unsafe extern "C" fn describe() -> *mut u8 {
                call(|| unsafe { raw::_export_describe_cabi::<Exported>() }, raw::__post_return_describe::<Exported>)
            }

            #[unsafe(export_name = "ludus:game/game@0.1.0#start")]
            unsafe extern "C" fn start(seats: i32, options: *mut u8, length: usize) -> *mut u8 {
                let start = || unsafe { raw::_export_start_cabi::<Exported>(seats, options, length) };
                call(start, raw::__post_return_start::<Exported>)
            }

            #[unsafe(export_name = "ludus:game/game@0.1.0#step")]
            unsafe extern "C" fn step(moves: *mut u8, count: usize) -> *mut u8 {
                let step = || unsafe { raw::_export_step_cabi::<Exported>(moves, count) };
                call(step, raw::__post_return_step::<Exported>)
            }

            #[unsafe(export_name = "ludus:game/game@0.1.0#legal-moves")]
            unsafe extern "C" fn legal_moves(seat: i32) -> *mut u8 {
                let legal_moves = || unsafe { raw::_export_legal_moves_cabi::<Exported>(seat) };
                call(legal_moves, raw::__post_return_legal_moves::<Exported>)
            }

            #[unsafe(export_name = "ludus:game/game@0.1.0#house-move")]
            unsafe extern "C" fn house_move(seat: i32, player: *mut u8, length: usize) -> *mut u8 {
                let house_move = || unsafe { raw::_export_house_move_cabi::<Exported>(seat, player, length) };
                call(house_move, raw::__post_return_house_move::<Exported>)
            }

            #[unsafe(export_name = "ludus:game/game@0.1.0#view")]
            unsafe extern "C" fn view(is_seat: i32, seat: i32) -> *mut u8 {
                let view = || unsafe { raw::_export_view_cabi::<Exported>(is_seat, seat) };
                call(view, raw::__post_return_view::<Exported>)
            }
        };
    };
}
