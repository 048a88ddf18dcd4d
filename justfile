# What people do with this repository, one line each. `just` alone lists it; ./just works without installing just first.

# Games are built from another folder, and setup.sh makes the path absolute in the same way.
programs := env('CARGO_TARGET_DIR', 'target') / 'release'

set positional-arguments

# List the recipes.
[private]
default:
    @'{{just_executable()}}' --justfile '{{justfile()}}' --list --unsorted

# Fetch and build what is missing: libtorch, the default model, the programs, the games.
[no-exit-message]
setup:
    @scripts/setup.sh

# Build the programs, target/release/ludus and target/release/ludus-train.
[no-exit-message]
build: setup
    @cargo build --release --workspace

# Build the games to WebAssembly components in games-wasm/built.
[no-exit-message]
games: setup
    @scripts/games.sh

# Train a model on games: a recipe [default: quickstart] or a path, then options (--set KEY=VALUE, --resume, --dry-run).
[no-exit-message]
train *ARGUMENTS: build
    @'{{programs}}/ludus-train' train "$@"

# Measure a model on the games of a recipe.
[no-exit-message]
evaluate *ARGUMENTS: build
    @'{{programs}}/ludus-train' evaluate "$@"

# Execute recorded episodes again, bit for bit, by hash or unique prefix, or --all.
[no-exit-message]
replay *HASHES: build
    @'{{programs}}/ludus' replay "$@"

# Play a game in the terminal.
[no-exit-message]
play GAME='tictactoe' *OPTIONS: build
    @'{{programs}}/ludus' play "$@"

# Let the players that a task names play it: TASK --episodes N --seed S.
[no-exit-message]
run *ARGUMENTS: build
    @'{{programs}}/ludus' run "$@"

# The program `ludus` itself: games, episodes, show, … and --help.
[no-exit-message]
ludus *ARGUMENTS: build
    @'{{programs}}/ludus' "$@"

# Say what was found here: libtorch, devices, memory, the model.
[no-exit-message]
doctor: build
    @'{{programs}}/ludus-train' doctor

# Fetch the tools of C, Zig, Go, JavaScript and Python, and build the games in these languages too.
[no-exit-message]
languages: build
    @scripts/languages.sh

# Run the tests of the games in other languages than Rust.
[no-exit-message]
test-languages: languages
    @cargo test --release --workspace --features ludus-host/languages,ludus-tests/languages --test languages

# Run the tests of the report's page in a browser, which is fetched where there is none.
[no-exit-message]
test-report: build
    @LUDUS_BROWSER="$(scripts/browser.sh)" cargo test --release --workspace --features ludus-tests/browser --test report_page

# Write what a run did into report.html: RUN, or several; --output FILE, --episodes N.
[no-exit-message]
report *ARGUMENTS: build
    @'{{programs}}/ludus-train' report "$@"

# Run all tests, but those that need the tools of other languages or a browser.
[no-exit-message]
test: build
    @cd games-wasm && cargo test --release
    @cargo test --release --workspace

# Run the tests in which networks compute on another device, such as cuda or cuda:1.
[no-exit-message]
test-on DEVICE: build
    @LUDUS_TEST_DEVICE="$1" cargo test --release --workspace --test adapters --test conversations --test families --test generation --test losses --test parity --test training

# Measure the host beside native rules, OpenSpiel and TextArena; wants an idle machine.
[no-exit-message]
bench-host *ARGUMENTS: build
    @scripts/bench-host.sh "$@"

# Measure generation and training beside Hugging Face's generate and TRL: --device cuda, --precision bfloat16, --alone.
[no-exit-message]
bench-trainer *ARGUMENTS: build
    @scripts/bench-trainer.sh "$@"

# Compare the episodes of every game between builds, threads, kinds of memory and, where qemu-user is, processors.
[no-exit-message]
same-hashes: games
    @scripts/same-hashes.sh

# Check formatting, lints and documentation, as CI does.
[no-exit-message]
check: setup
    @scripts/check.sh
