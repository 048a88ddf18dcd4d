#!/usr/bin/env bash
# Finds or fetches libtorch and links it to .cargo/libtorch, where .cargo/config.toml tells cargo to look.
# In order: LIBTORCH, the link as it is, the torch of an active Python environment, the cache; else PyPI's torch.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"

# What tch 0.26 is made for, to the last digit.
torch_version=2.13.0
link=$root/.cargo/libtorch
environment=$cache/libtorch-$torch_version
# Written last: an install that was interrupted has none and is done again.
complete=$environment/complete

is_right() {
    [[ -f $1/lib/libtorch_cpu.so ]] && grep -qs "\"$torch_version\"" "$1/include/torch/headeronly/version.h"
}

# use FOLDER WHAT: links to it, and says so if that is news.
use() {
    [[ $link -ef $1 ]] && return
    ln -sfn "$(realpath "$1")" "$link"
    say "using $2"
}

# The torch folder of a Python environment that is active, if it has one. Nothing is imported: that would take seconds.
active_torch() {
    local python
    if [[ -n ${VIRTUAL_ENV:-${CONDA_PREFIX:-}} ]]; then
        python=${VIRTUAL_ENV:-$CONDA_PREFIX}/bin/python
    elif [[ -n ${LIBTORCH_USE_PYTORCH:-} ]]; then
        python=python3
    else
        return 0
    fi
    "$python" -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")' 2>/dev/null || true
}

fetch() {
    need_python
    # pip keeps the wheels until all of them are unpacked.
    need_space 9 "libtorch"
    say "fetching PyTorch $torch_version for its libtorch into $cache (CUDA included: about 3 GB to download, 5 GB unpacked)"
    rm -rf "$environment"
    python3 -m venv "$environment"
    local quiet=(--quiet)
    if [[ -t 2 ]]; then quiet=(); fi
    # The system's temporary folder may be too small for 3 GB, and pip's own cache would hold a second copy.
    mkdir "$environment/downloading"
    TMPDIR=$environment/downloading "$environment/bin/python" -m pip install "${quiet[@]}" --no-cache-dir "torch==$torch_version" ||
        fail "pip could not install torch $torch_version (this is $(python3 --version), it wants 3.10 or newer): check the network and run this again, or set LIBTORCH to a libtorch $torch_version"
    rm -rf "$environment/downloading"
    touch "$complete"
}

if [[ -n ${LIBTORCH:-} ]]; then
    is_right "$LIBTORCH" ||
        fail "LIBTORCH is $LIBTORCH, which holds no libtorch $torch_version: unset it, or point it to one"
    use "$LIBTORCH" "the libtorch that LIBTORCH names, $LIBTORCH"
    exit
fi
if is_right "$link"; then
    # A link into the cache counts only once the install was finished.
    [[ $(realpath "$link") != "$environment"/* || -f $complete ]] && exit
fi
found=$(active_torch)
if [[ -n $found ]] && is_right "$found"; then
    use "$found" "the libtorch of the active Python environment, $found"
    exit
fi
[[ -f $complete ]] || fetch
for folder in "$environment"/lib/python3*/site-packages/torch; do
    is_right "$folder" || fail "$environment is not what pip made of it: remove it and run this again"
    use "$folder" "libtorch $torch_version in $environment"
done
