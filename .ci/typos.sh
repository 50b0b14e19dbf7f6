#!/usr/bin/env bash
# Looks for misspelled words in code, documents and messages. What is wrong on purpose is named in _typos.toml.
#
# Needs python3 (3.9 or later), and PyPI on the first run: the tool is kept in CI_TOOLS, by default target/ci-tools.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly tools=${CI_TOOLS:-target/ci-tools}
readonly package=typos==1.52.0

if [ ! -x "$tools/typos/bin/typos" ]; then
    python3 -m venv "$tools/typos"
    "$tools/typos/bin/pip" install --quiet --disable-pip-version-check "$package"
fi
"$tools/typos/bin/typos" --format brief
