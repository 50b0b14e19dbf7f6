#!/usr/bin/env bash
# Looks for new inputs that a parser does not stand, a minute each (FUZZ_SECONDS). What it finds lies in fuzz/artifacts: mend it, and put the
# input into fuzz/corpus, where an ordinary test runs it from then on. Needs a nightly toolchain and cargo-fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for target in $(cargo +nightly fuzz list); do
    # New inputs go to the first folder: the kept corpus grows only by hand.
    mkdir "$scratch/$target"
    cargo +nightly fuzz run --sanitizer none "$target" "$scratch/$target" "fuzz/corpus/$target" -- \
        -max_total_time="${FUZZ_SECONDS:-60}" -max_len=16384 -timeout=20 -rss_limit_mb=4096 -verbosity=0
done
