#!/usr/bin/env bash
# Records the golden episodes of the games given, in tests/golden, with the components that are built now. For a new game,
# or a new format version; never to make a failing test pass. Components over 2 MB are not kept.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"
cd "$root"
(($# > 0)) || fail "name the games to record, such as: scripts/golden.sh tictactoe"

store=$(mktemp -d)
trap 'rm -rf "$store"' EXIT
for game in "$@"; do
    component=games-wasm/built/$game.wasm
    [[ -f $component ]] || fail "$component is not there: build it first"
    (($(stat --format %s "$component") <= 2000000)) || fail "$component is larger than 2 MB"
    folder=tests/golden/$game
    mkdir -p "$folder"
    cp "$component" "$folder/component.wasm"
    "$programs/ludus" --store "$store/$game" run "$game" --episodes 4 --seed 2026 >/dev/null
    "$programs/ludus" --store "$store/$game" episodes --json --limit 0 |
        sed -n 's/^ *"hash": "\([0-9a-f]*\)",\{0,1\}$/\1/p' |
        while read -r hash; do
            "$programs/ludus" --store "$store/$game" show "$hash" --record >"$folder/$hash.jsonl"
        done
    say "$game: $(find "$folder" -name '*.jsonl' | wc -l) records"
done
