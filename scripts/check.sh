#!/usr/bin/env bash
# Formatting, lints and documentation of both workspaces, warnings as errors. Needs the set-up.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for workspace in . games-wasm; do
    (
        cd "$workspace"
        cargo fmt --all --check
        # One profile everywhere: lints and documentation share what they compile.
        cargo clippy --release --workspace --all-targets --all-features -- -D warnings
        RUSTDOCFLAGS=-Dwarnings cargo doc --release --workspace --no-deps
    )
done
