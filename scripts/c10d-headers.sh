#!/usr/bin/env bash
# Fetches the headers that training in more than one process needs beside libtorch's own: Gloo's out of Debian's package, and
# where libtorch has NCCL the few of CUDA's that come in no package that libtorch brings. Links them to .cargo/c10d, where
# trainer/build.rs looks. Headers alone: the code behind them is inside libtorch.
# Nothing depends on them but that: where they cannot be had, the trainer builds all the same, and runs in one process.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"

link=$root/.cargo/c10d
headers=$cache/c10d-headers-1
libtorch=$(realpath "${LIBTORCH:-$root/.cargo/libtorch}")

# Of a release of Debian there is one version, and the package manager checks it. What is used of it, names of classes, is in
# all of them, so the version is not pinned.
gloo() {
    [[ -d $1/include/gloo ]] && return
    [[ -f /usr/include/gloo/context.h ]] && return
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    (cd "$1" && apt-get download libgloo-dev >/dev/null 2>&1 && dpkg-deb -x libgloo-dev_*.deb unpacked) || return 1
    mkdir -p "$1/include"
    mv "$1/unpacked/usr/include/gloo" "$1/include/gloo"
    rm -rf "$1/unpacked" "$1"/libgloo-dev_*.deb
}

# The versions are those of the CUDA that libtorch was made with.
cuda() {
    [[ -f $libtorch/../nvidia/nccl/include/nccl.h && -f $libtorch/lib/libtorch_cuda.so ]] || return 0
    [[ -d $1/include/crt && -d $1/include/nv ]] && return
    local version
    version=$(sed -n "s/^cuda.* = '\([0-9.]*\)'$/\1/p" "$libtorch/version.py")
    python3 -m pip download --quiet --no-deps --dest "$1/wheels" "nvidia-cuda-crt==$version.*" "nvidia-cuda-cccl==$version.*" || return 1
    for wheel in "$1"/wheels/*.whl; do
        python3 -m zipfile -e "$wheel" "$1/unpacked"
    done
    mkdir -p "$1/include"
    local folder
    for folder in "$1"/unpacked/nvidia/*/include; do
        cp -r "$folder/crt" "$folder/nv" "$1/include/"
    done
    rm -rf "$1/wheels" "$1/unpacked"
}

if [[ ! -f $headers/complete ]]; then
    rm -rf "$headers" && mkdir -p "$headers"
    if ! gloo "$headers"; then
        say "no Gloo headers (Debian: apt-get install libgloo-dev): ludus-train will run in one process only"
        exit
    fi
    cuda "$headers" || say "no CUDA headers from PyPI: with more than one process ludus-train will compute on CPUs only"
    touch "$headers/complete"
    say "fetched the headers for more than one process into $headers"
fi
[[ $link -ef $headers ]] || ln -sfn "$headers" "$link"
