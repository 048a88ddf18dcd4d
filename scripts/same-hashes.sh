#!/usr/bin/env bash
# Plays every built game by several builds and settings of the host and compares the digests of the episodes' hashes:
# release and debug, one thread and two, memory from the pool and on demand, and aarch64 under an emulator where Debian's
# qemu-user and gcc-aarch64-linux-gnu are installed. The first time it compiles wasmtime once for each build.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"
cd "$root"

target=${CARGO_TARGET_DIR:-$root/target}
foreign=aarch64-unknown-linux-gnu
kinds=(release two-threads on-demand debug)

if command -v qemu-aarch64 >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null; then
    kinds+=(aarch64)
else
    say "aarch64 is left out: it needs Debian's qemu-user and gcc-aarch64-linux-gnu"
fi

say "building the host"
cargo build --release --workspace
cargo build -p ludus-host
if [[ ${kinds[*]} == *aarch64* ]]; then
    rustup target add "$foreign"
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
        cargo build --release -p ludus-host --target "$foreign"
fi

# Prints the digest that one kind of host gives a game's first episodes.
digest() {
    local kind=$1 game=$2 episodes=$3
    local -a run=("run" "$game" "--episodes" "$episodes" "--no-store" "--jobs")
    case $kind in
    release) "$target/release/ludus" "${run[@]}" 1 ;;
    two-threads) "$target/release/ludus" "${run[@]}" 2 ;;
    # Where addresses are rationed the pool does not fit, and the host takes memory as it needs it.
    on-demand) (ulimit -v 8000000 && "$target/release/ludus" "${run[@]}" 1) ;;
    debug) "$target/debug/ludus" "${run[@]}" 1 ;;
    aarch64) qemu-aarch64 -L /usr/aarch64-linux-gnu "$target/$foreign/release/ludus" "${run[@]}" 1 ;;
    esac | sed -n 's/^digest //p'
}

different=0
printf '%-14s %8s' game episodes
printf ' %-13s' "${kinds[@]}"
printf '\n'
for component in games-wasm/built/*.wasm; do
    game=$(basename "$component" .wasm)
    # An interpreter in WebAssembly takes its time, all the more where the host is slow.
    episodes=40
    (($(stat -c %s "$component") > 4000000)) && episodes=2
    printf '%-14s %8d' "$game" "$episodes"
    first=
    for kind in "${kinds[@]}"; do
        digest=$(digest "$kind" "$game" "$episodes" || true)
        first=${first:-$digest}
        mark=
        if [[ -z $digest || $digest != "$first" ]]; then
            mark='!'
            different=1
        fi
        printf ' %-13s' "${digest:0:12}$mark"
    done
    printf '\n'
done
if ((different)); then fail "some hashes differ, or a host did not play: see the marks above"; fi
say "every host gives every episode the same hash"
