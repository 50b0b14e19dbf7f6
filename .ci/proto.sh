#!/usr/bin/env bash
# Checks the protocol in proto/: it keeps the lint rules of proto/buf.yaml, and breaks no client of the last released version.
#
#   .ci/proto.sh            lint, and compare with proto/baseline.binpb, the protocol as it was released last
#   .ci/proto.sh --accept   lint, and make the protocol as it is now the baseline: when a version is released, and only then
#
# Needs node and npm, and their registry on the first run: buf is kept in CI_TOOLS, by default target/ci-tools.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly version=1.75.0
readonly tools=${CI_TOOLS:-target/ci-tools}/buf
readonly buf=$tools/node_modules/.bin/buf
readonly protocol=proto
readonly baseline=$protocol/baseline.binpb

main() {
    case "${1-}" in
        '' | --accept) ;;
        *) fail "usage: .ci/proto.sh [--accept]" ;;
    esac
    step "buf $version"
    install_buf

    step 'lint'
    "$buf" lint "$protocol" || fail "$protocol breaks the lint rules of $protocol/buf.yaml; the lines above say where"

    if [ "${1-}" = --accept ]; then
        accept
        return
    fi
    step 'no client of the last released version breaks'
    test -s "$baseline" || fail "$baseline is missing; .ci/proto.sh --accept makes it"
    "$buf" breaking "$protocol" --against "$baseline" ||
        fail 'clients of the last released version would break; add fields and methods instead of changing those that are there'

    step 'changes that break a client are found'
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    finds 'a field with another number' FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED jobs.proto 's/string token = 2;/string token = 22;/'
    finds 'a renamed field' FIELD_SAME_NAME jobs.proto 's/string job_id = 1;/string job = 1;/'
    finds 'a field of another type' FIELD_WIRE_JSON_COMPATIBLE_TYPE jobs.proto 's/uint64 offset = 3;/string offset = 3;/'
    finds 'a field less' FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED spec.proto '/string base = 4;/d'
    finds 'a state less' ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED jobs.proto '/JOB_STATE_MERGING/d'
    finds 'an answer that is no stream any more' RPC_SAME_SERVER_STREAMING jobs.proto 's/(stream WatchResponse)/(WatchResponse)/'
    finds 'a method less' RPC_NO_DELETE jobs.proto '/rpc Cancel/d'
    finds 'a renamed service' PACKAGE_SERVICE_NO_DELETE jobs.proto 's/service JobService/service CompareService/'
    step 'the protocol is fine'
}

step() { printf '\n== %s\n' "$*"; }

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

install_buf() {
    if ! installed; then
        rm -rf "$tools"
        mkdir -p "$tools"
        npm install --prefix "$tools" --silent --no-fund --no-audit --no-save "@bufbuild/buf@$version"
        installed || fail "buf $version was installed but does not run"
    fi
}

installed() { test -x "$buf" && test "$("$buf" --version 2>/dev/null)" = "$version"; }

# Comments are left out, so that the baseline changes with the protocol only.
accept() {
    step 'new baseline'
    "$buf" build "$protocol" --exclude-source-info --output "$baseline"
    echo "$baseline is the protocol as it is now"
}

# A rule that does not bite protects nobody.
finds() { # what it is, the rule that must say so, file, change
    local copy=$scratch/proto said
    rm -rf "$copy"
    mkdir -p "$copy"
    cp -R "$protocol/buf.yaml" "$protocol/shadowdiff" "$copy"
    local file=$copy/shadowdiff/v1/$3
    sed -i.before "$4" "$file"
    if cmp -s "$file" "$file.before"; then
        fail "$1: the change finds nothing to change in $3; mend it in .ci/proto.sh"
    fi
    rm "$file.before"
    if said=$("$buf" breaking "$copy" --against "$baseline" --error-format json 2>&1); then
        fail "$1: nobody objects"
    fi
    case "$said" in
        *"\"$2\""*) echo "found: $1" ;;
        *) fail "$1: $2 was expected, and this was said:"$'\n'"$said" ;;
    esac
}

main "$@"
