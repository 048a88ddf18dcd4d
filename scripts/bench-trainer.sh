#!/usr/bin/env bash
# How fast generation and training are, beside Hugging Face's generate and TRL's GRPOTrainer, which it fetches into the cache
# for this alone (about 5 GB). Wants an idle machine and takes about half an hour on two cores. Options: --rounds N,
# --device cpu|cuda, --precision float32|bfloat16, --threads N, --only generate|group|step|step-recomputed|update|memory, --alone
# to leave the others out.
set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname "${BASH_SOURCE[0]}")/places.sh"
cd "$root"

device=cpu precision=float32 threads=0 alone=
options=()
while (($#)); do
    case $1 in
    --alone)
        alone=1
        shift
        continue
        ;;
    --rounds | --device | --precision | --threads | --only)
        if (($# < 2)); then fail "\`$1\` needs a value"; fi
        ;;
    --help)
        say "options: --rounds N, --device cpu|cuda, --precision float32|bfloat16, --threads N," \
            "--only generate|group|step|step-recomputed|update|memory, --alone to leave the others out"
        exit
        ;;
    *) fail "there is no option \`$1\`: --rounds, --device, --precision, --threads, --only, --alone or --help" ;;
    esac
    case $1 in
    --device) device=$2 ;;
    --precision) precision=$2 ;;
    --threads) threads=$2 ;;
    esac
    options+=("$1" "$2")
    shift 2
done

peers=$cache/bench-trainer-peers
python_packages=(transformers==5.23.0 trl==1.16.0 datasets torch==2.13.0)
peer_options=()
if [[ -z $alone ]]; then
    if [[ $(cat "$peers/.complete" 2>/dev/null) != "${python_packages[*]}" ]]; then
        need_python
        say "fetching what training is held against: ${python_packages[*]} (about 5 GB)"
        rm -rf "$peers"
        python3 -m venv "$peers"
        "$peers/bin/pip" install --quiet "${python_packages[@]}"
        printf '%s\n' "${python_packages[*]}" >"$peers/.complete"
    fi
    # The commands are a shell's, and a path may have blanks.
    printf -v script 'exec %q %q' "$peers/bin/python" "$root/scripts/bench_trainer_peers.py"
    printf -v rest '%q %q %q %q' "$cache/models/smollm2-135m-instruct" "$device" "$precision" "$threads"
    for work in generate group step step-recomputed; do
        name="transformers 5.23, generate"
        if [[ $work == step* ]]; then name="TRL 1.16, GRPOTrainer"; fi
        peer_options+=(--peer "$work" "$name" "$script $work $rest")
    done
fi
cargo bench --quiet --workspace --bench trainer-speed -- "${peer_options[@]}" "${options[@]}"
