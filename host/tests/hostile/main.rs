//! Games that mean harm: each is loaded and played as far as it goes, and has one expected end. In a process of its own, so
//! that the memory which all of them together could take can be measured.

#[path = "../sandbox/guest.rs"]
mod guest;
mod mutants;
mod random;
mod suite;
