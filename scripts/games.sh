#!/usr/bin/env bash
# Builds the games to WebAssembly components in games-wasm/built. With --if-changed only where a source is newer
# than the last build, or a component is missing.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"
cd "$root"
# shellcheck source=scripts/wasm-target.sh
. scripts/wasm-target.sh

stamp=games-wasm/built/.complete

is_current() {
    [[ -f $stamp ]] || return 1
    local manifest name newer
    while read -r manifest; do
        name=$(basename "$(dirname "$manifest")")
        # Somebody's own game may lie here, too.
        grep -q "\"$name\"" games-wasm/Cargo.toml || continue
        [[ -f games-wasm/built/$name.wasm ]] || return 1
    done < <(grep -l cdylib games-wasm/*/Cargo.toml)
    newer=$(find games-wasm wit \( -name target -o -name built -o -name .ludus \) -prune -o -type f -newer "$stamp" -print -quit)
    [[ -z $newer ]]
}

if [[ ${1:-} == --if-changed ]] && is_current; then exit; fi
say "building ludus, which builds the games"
cargo build --release --workspace
say "building the games"
started=$(mktemp)
trap 'rm -f "$started"' EXIT
with_wasm_target "$programs/ludus" build games-wasm
# The stamp carries the time at which the build began: a source changed meanwhile is newer.
touch --reference "$started" "$stamp"
