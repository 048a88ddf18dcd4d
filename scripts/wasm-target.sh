# shellcheck shell=bash
# Rust for wasm32-unknown-unknown: rustup's target, or Debian's packages where rustup cannot reach its server.
# Sourced after places.sh.

wasm_target=wasm32-unknown-unknown

# Fetches the target unless one of the two ways is open already.
ensure_wasm_target() {
    has_wasm_target || has_debian_rust && return
    say "adding Rust's target $wasm_target (about 20 MB)"
    if command -v rustup >/dev/null && rustup target add "$wasm_target"; then return; fi
    fail "Rust's target $wasm_target is missing and rustup could not fetch it: run \`rustup target add $wasm_target\` where its server can be reached, or on Debian \`apt-get install $debian_packages\`, and run this again"
}

# with_wasm_target COMMAND...: runs it so that its cargo can build for wasm32.
with_wasm_target() {
    if has_wasm_target; then
        "$@"
    else
        # Debian ships no compiled standard library for this target; cargo builds it from source, an unstable feature.
        env RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort \
            CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19 "$@"
    fi
}

has_wasm_target() {
    [[ -d $(rustc --print sysroot)/lib/rustlib/$wasm_target/lib ]]
}

debian_packages="rustc-web cargo-web rust-web-src lld-19"

has_debian_rust() {
    [[ -x /usr/bin/cargo && -x /usr/bin/rustc && -d /usr/lib/rustlib/src/rust/library ]] && command -v wasm-ld-19 >/dev/null
}
