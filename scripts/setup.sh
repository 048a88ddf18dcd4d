#!/usr/bin/env bash
# Everything that has to be there before the programs run, each step only where its result is missing:
# the tools, libtorch, the WebAssembly target, the default model, the programs, the games.
# Needs no root. A run with nothing missing calls neither cargo nor pip.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"
cd "$root"
# shellcheck source=scripts/wasm-target.sh
. scripts/wasm-target.sh

model=$cache/models/smollm2-135m-instruct

# The importer raises its version when it writes something else from the same file.
model_is_current() {
    local version
    version=$(sed -n 's/^const IMPORT_VERSION: u32 = \([0-9]*\);$/\1/p' trainer/src/model/import/record.rs)
    grep -qs "\"import_version\": $version\b" "$model/ludus-import.json"
}

check_tools() {
    { command -v cargo && command -v rustc; } >/dev/null ||
        fail "Rust is missing: install rustup (its site has the one command for it), then open a new shell"
    command -v "${CXX:-c++}" >/dev/null ||
        fail "a C++ compiler is missing: install one (Debian: apt-get install g++), or name yours in CXX"
    command -v git >/dev/null ||
        fail "git is missing: install it (Debian: apt-get install git)"
}

# Fetched things are shared between clones, so only one set-up fetches at a time.
fetch_what_is_missing() {
    mkdir -p "$cache" 2>/dev/null && [[ -w $cache ]] ||
        fail "cannot write to $cache: set LUDUS_CACHE to a folder of yours"
    (
        flock --nonblock 9 || {
            say "another set-up is using $cache: waiting for it"
            flock 9
        }
        scripts/libtorch.sh 9>&-
        scripts/c10d-headers.sh 9>&-
        model_is_current || scripts/fetch-model.sh "$model.gguf" 9>&-
    ) 9>"$cache/lock"
}

# Both programs at once: one set of features, so that no dependency is compiled twice.
build_programs() {
    say "building ludus and ludus-train (the first time takes a while: wasmtime and the bindings to libtorch are large)"
    cargo build --release --workspace
}

import_model() {
    model_is_current && return
    build_programs
    say "importing the default model into $model (about 0.6 GB)"
    "$programs/ludus-train" import "$model.gguf" --to "$model"
}

check_tools
fetch_what_is_missing
ensure_wasm_target
import_model
scripts/games.sh --if-changed
