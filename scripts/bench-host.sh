#!/usr/bin/env bash
# How fast the host is, beside the same rules without a sandbox and beside OpenSpiel and TextArena, which it fetches into
# the cache for this alone. Wants an idle machine and takes about five minutes. Arguments go to the table: --rounds N.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"
cd "$root"

peers=$cache/bench-peers
python_packages=(open_spiel==2.0.2 textarena==0.7.4)
if [[ $(cat "$peers/.complete" 2>/dev/null) != "${python_packages[*]}" ]]; then
    need_python
    say "fetching what the host is held against: ${python_packages[*]}"
    rm -rf "$peers"
    python3 -m venv "$peers"
    "$peers/bin/pip" install --quiet "${python_packages[@]}"
    printf '%s\n' "${python_packages[*]}" >"$peers/.complete"
fi

(cd games-wasm && cargo build --quiet --release -p tictactoe --example native_speed)
# The commands are a shell's, and a path may have blanks.
printf -v native 'exec %q' "${CARGO_TARGET_DIR:-$root/games-wasm/target}/release/examples/native_speed"
printf -v python 'exec %q ../scripts/bench_peers.py' "$peers/bin/python"
# It runs in the folder of the host.
cargo bench --quiet --workspace --bench speed -- \
    --peer "the same rules in Rust, no sandbox=$native" \
    --peer "pyspiel 2.0.2, its text and that of every legal move=$python openspiel" \
    --peer "pyspiel 2.0.2, its text, legal moves as numbers=$python openspiel-numbers" \
    --peer "TextArena 0.7.4, its prompts=$python textarena" \
    "$@"
