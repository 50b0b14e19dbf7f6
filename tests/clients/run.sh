#!/usr/bin/env bash
# Runs client.py, a client that knows nothing of shadowdiff but proto/, against a coordinator that has a worker.
#
#   tests/clients/run.sh DIR ADDRESS SPEC OUT
#
# DIR: the folder that relative paths in the spec start at, as coordinator and workers see it. ADDRESS: the coordinator, host:port.
# SPEC: the spec file. OUT: the folder for the files of the result. Exit code 0 only if all holds.
#
# Needs python3 (3.10 or later), and PyPI on the first run: packages and stubs are kept in CI_TOOLS, by default target/ci-tools.
set -euo pipefail

readonly grpc=1.85.0
readonly packages=(grpcio grpcio-tools grpcio-health-checking grpcio-reflection grpcio-status)

main() {
    if [ $# -ne 4 ]; then
        echo 'usage: tests/clients/run.sh DIR ADDRESS SPEC OUT' >&2
        exit 2
    fi
    local base spec out
    base=$(cd "$1" && pwd)
    spec=$(cd "$(dirname "$3")" && pwd)/$(basename "$3")
    mkdir -p "$4"
    out=$(cd "$4" && pwd)
    cd "$(dirname "$0")/../.."

    local venv
    venv=${CI_TOOLS:-target/ci-tools}/python-client
    install "$venv"
    # Stubs are made anew each time: they must be those of the protocol as it is.
    stubs=$(mktemp -d)
    trap 'rm -rf "$stubs"' EXIT
    "$venv/bin/python" -m grpc_tools.protoc --proto_path=proto --python_out="$stubs" --grpc_python_out="$stubs" proto/shadowdiff/v1/*.proto
    PYTHONPATH=$stubs "$venv/bin/python" -u tests/clients/client.py --address "$2" --spec "$spec" --base "$base" --out "$out"
}

# One at a time: several tests may want the venv at once. The mark comes last: an installation may be stopped half-way.
install() { # folder
    local venv=$1
    test -e "$venv/grpc-$grpc" && return
    mkdir -p "$(dirname "$venv")"
    exec 9>"$venv.lock"
    python3 -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    if ! test -e "$venv/grpc-$grpc"; then
        echo "installing grpcio $grpc into $venv"
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]/%/==$grpc}"
        touch "$venv/grpc-$grpc"
    fi
    exec 9>&-
}

main "$@"
