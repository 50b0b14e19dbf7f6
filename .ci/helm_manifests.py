#!/usr/bin/env python3
"""Checks rendered manifests for what the schemas of Kubernetes do not see.

Do names, labels and ports meet? Does every pod keep to the rules of docs and chart: no root, nothing writable but the
scratch volume, memory that matches the settings? Exit code 1 names each problem.
"""

import pathlib
import sys

import yaml

KINDS = {
    "apps/v1": {"Deployment"},
    "autoscaling/v2": {"HorizontalPodAutoscaler"},
    "keda.sh/v1alpha1": {"ScaledObject"},
    "monitoring.coreos.com/v1": {"ServiceMonitor"},
    "networking.k8s.io/v1": {"NetworkPolicy"},
    "policy/v1": {"PodDisruptionBudget"},
    "v1": {"Secret", "Service", "ServiceAccount"},
}
# Kinds that kubernetes-validate has no schema for: all fields that we use, so that a misspelled one is found.
FIELDS_WITHOUT_SCHEMA = {
    "ScaledObject": {
        "scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod", "advanced", "triggers",
    },
    "ServiceMonitor": {"selector", "endpoints"},
}  # fmt: skip
HEADROOM_MIB = 200


def main():
    manifests = list(yaml.load_all(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"), UniqueKeys))
    problems = [f"{kind} {name}: {problem}" for kind, name, problem in check([m for m in manifests if m])]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


class UniqueKeys(yaml.SafeLoader):
    """YAML in which no key comes twice: the second would silently win."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.YAMLError(f"{twice} comes twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def check(manifests):
    found = {(m["kind"], m["metadata"]["name"]): m for m in manifests}
    if len(found) != len(manifests):
        yield "all", "manifests", "two have the same kind and name"
    deployments = [m for m in manifests if m["kind"] == "Deployment"]
    scaled = {target(m) for m in manifests if m["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")}
    for (kind, name), manifest in found.items():
        problems = {
            "Deployment": lambda m: deployment(m, found, m["metadata"]["name"] in scaled),
            "Service": lambda m: service(m, deployments),
            "ServiceMonitor": lambda m: service_monitor(m, manifests),
            "NetworkPolicy": lambda m: network_policy(m, deployments),
            "PodDisruptionBudget": lambda m: one_selected(m["spec"]["selector"]["matchLabels"], deployments),
            "HorizontalPodAutoscaler": lambda m: scaler(m, found),
            "ScaledObject": lambda m: scaled_object(m, found),
        }.get(kind, lambda _: ())
        # kubernetes-validate lets pass what it does not know.
        if kind not in KINDS.get(manifest["apiVersion"], ()):
            yield kind, name, f"{manifest['apiVersion']} has no {kind}, or the chart does not promise one"
        unknown = set(manifest.get("spec", {})) - FIELDS_WITHOUT_SCHEMA.get(kind, set(manifest.get("spec", {})))
        if unknown:
            yield kind, name, f"unknown fields {sorted(unknown)}"
        for problem in problems(manifest):
            yield kind, name, problem


def deployment(manifest, found, is_scaled):
    spec = manifest["spec"]
    pod = spec["template"]["spec"]
    if not matches(spec["selector"]["matchLabels"], spec["template"]):
        yield "its selector does not match its own pods"
    if is_scaled == ("replicas" in spec):
        yield "replicas must be set unless an autoscaler sets it"
    if pod["enableServiceLinks"] or pod["automountServiceAccountToken"]:
        yield "service links and the token of the service account must be off"
    if not pod["securityContext"]["runAsNonRoot"] or pod["securityContext"]["seccompProfile"] != {"type": "RuntimeDefault"}:
        yield "the pod must not be root and needs the default seccomp profile"
    for constraint in pod.get("topologySpreadConstraints", []):
        if not matches(constraint["labelSelector"]["matchLabels"], spec["template"]):
            yield "a spread constraint does not match its own pods"
    ours = [m for (kind, _), m in found.items() if kind == "ServiceAccount"]
    if ours and ours[0]["metadata"]["name"] != pod["serviceAccountName"]:
        yield f"the service account {pod['serviceAccountName']} is not there"
    for container in pod["containers"]:
        yield from container_problems(container, pod, found)


def container_problems(container, pod, found):
    context = container["securityContext"]
    if context != {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}:
        yield f"its security context is {context}"
    ports = {port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if container[probe]["grpc"]["port"] not in ports:
            yield f"{probe} asks a port that is not open"
    flags = dict(argument[2:].split("=", 1) for argument in container["args"] if argument.startswith("--"))
    listening = {int(flags[flag].rsplit(":", 1)[1]) for flag in ("listen", "metrics", "health") if flag in flags}
    if listening != ports:
        yield f"it listens on {sorted(listening)} and opens {sorted(ports)}"
    requests, limits = container["resources"]["requests"], container["resources"]["limits"]
    if requests["memory"] != limits["memory"] or "cpu" in limits:
        yield "memory must be reserved up to its limit, and CPU must have none"
    if "memory" in flags and limits["memory"] != f"{int(flags['memory'].removesuffix('MiB')) + HEADROOM_MIB}Mi":
        yield f"--memory={flags['memory']} does not fit the limit {limits['memory']}"
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    if set(mounts) != set(volumes) or not all("sizeLimit" in volume["emptyDir"] for volume in volumes.values()):
        yield "every volume must be mounted and have a limit"
    if "scratch" in flags and flags["scratch"] not in mounts.values():
        yield f"--scratch={flags['scratch']} is no volume"
    if "coordinator" in flags:
        host, port = flags["coordinator"].removeprefix("http://").split(":")
        service = found.get(("Service", host.split(".")[0]))
        if not service or int(port) not in {p["port"] for p in service["spec"]["ports"]}:
            yield f"--coordinator={flags['coordinator']} is no Service"
    names = [variable["name"] for variable in container["env"]]
    if len(names) != len(set(names)):
        yield "a variable is set twice"


def service(manifest, deployments):
    yield from one_selected(manifest["spec"]["selector"], deployments)
    for selected in select(manifest["spec"]["selector"], deployments):
        names = port_names(selected)
        yield from (f"port {p['name']} leads nowhere" for p in manifest["spec"]["ports"] if p["targetPort"] not in names)


def service_monitor(manifest, manifests):
    services = [m for m in manifests if m["kind"] == "Service" and matches(manifest["spec"]["selector"]["matchLabels"], m)]
    if len(services) != 1:
        yield f"it selects {len(services)} services"
    names = {port["name"] for s in services for port in s["spec"]["ports"]}
    yield from (f"port {e['port']} is not there" for e in manifest["spec"]["endpoints"] if e["port"] not in names)


def network_policy(manifest, deployments):
    yield from one_selected(manifest["spec"]["podSelector"]["matchLabels"], deployments)
    names = {name for d in select(manifest["spec"]["podSelector"]["matchLabels"], deployments) for name in port_names(d)}
    for rule in manifest["spec"].get("ingress", []):
        if not rule.get("from") or not rule.get("ports"):
            yield "a rule lets everybody in"
        yield from (f"port {p['port']} is not there" for p in rule["ports"] if p["port"] not in names)


def scaler(manifest, found):
    if ("Deployment", target(manifest)) not in found:
        yield f"there is no Deployment {target(manifest)} to scale"


def scaled_object(manifest, found):
    yield from scaler(manifest, found)
    for trigger in manifest["spec"]["triggers"]:
        if set(trigger) != {"type", "metricType", "metadata"}:
            yield f"unknown fields in {sorted(trigger)}"
        yield from (f"{k} is no text" for k, v in trigger["metadata"].items() if not isinstance(v, str))


def target(manifest):
    return manifest["spec"]["scaleTargetRef"]["name"]


def one_selected(labels, deployments):
    if len(select(labels, deployments)) != 1:
        yield f"its selector matches the pods of {len(select(labels, deployments))} Deployments"


def select(labels, deployments):
    return [d for d in deployments if matches(labels, d["spec"]["template"])]


def matches(labels, thing):
    return labels.items() <= thing["metadata"]["labels"].items()


def port_names(deployment_manifest):
    containers = deployment_manifest["spec"]["template"]["spec"]["containers"]
    return {port["name"] for container in containers for port in container["ports"]}


sys.exit(main())
