# shellcheck shell=bash
# Where things lie, and how scripts speak. Sourced by ./just and by the other scripts; it downloads and builds nothing.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# One cache for all clones: libtorch, the default model, and `just` where it is not installed.
cache=${LUDUS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/ludus}
cache=$(realpath --canonicalize-missing "$cache")

# Absolute, because games-wasm is built from its own folder.
if [[ -n ${CARGO_TARGET_DIR:-} ]]; then
    CARGO_TARGET_DIR=$(realpath --canonicalize-missing "$CARGO_TARGET_DIR")
    export CARGO_TARGET_DIR
else
    unset CARGO_TARGET_DIR
fi
# shellcheck disable=SC2034 # Read by those who source this.
programs=${CARGO_TARGET_DIR:-$root/target}/release

# A user's `pip install --user` setting contradicts both a virtual environment and a target folder.
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() {
    printf 'setup: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# Python is asked for only where something is to be fetched: a finished set-up works without it.
need_python() {
    command -v python3 >/dev/null ||
        fail "python3 is missing: install Python 3.10 or newer with pip and venv (Debian: apt-get install python3-pip python3-venv)"
    python3 -c 'import ensurepip, pip, venv' 2>/dev/null ||
        fail "python3 has no pip or no venv: install both (Debian: apt-get install python3-pip python3-venv)"
}

# need_space GIGABYTES WHAT: fails when the cache's file system has less free.
need_space() {
    local free_kib
    mkdir -p "$cache"
    free_kib=$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')
    ((free_kib >= $1 * 1000 * 1000)) ||
        fail "$2 needs $1 GB free under $cache, and only $((free_kib / 1000 / 1000)) GB are: make room, or set LUDUS_CACHE to a folder on a larger disk"
}
