#!/usr/bin/env python3
"""Checks licences and sources of all dependencies against deny.toml: the part of cargo-deny that needs no network.

A stand-in for machines without cargo-deny. Standard library only, Python 3.11 or later. Exit code 1 names each crate
that is not allowed.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    rules = tomllib.loads((ROOT / "deny.toml").read_text(encoding="utf-8"))
    allowed = set(rules["licenses"]["allow"])
    packages = {}
    for target in rules["graph"]["targets"]:
        packages.update(dependencies(target))
    problems = [problem for package in packages.values() for problem in check(package, allowed)]
    problems += one_registry(packages.values())
    for problem in sorted(problems):
        print(problem, file=sys.stderr)
    print(f"licences and sources: {len(packages)} crates, {len(problems)} problems")
    return 1 if problems else 0


def dependencies(target):
    """Every package from outside that the workspace uses on this target."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    graph = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    used = {node["id"] for node in graph["resolve"]["nodes"]}
    ours = set(graph["workspace_members"])
    return {p["id"]: p for p in graph["packages"] if p["id"] in used and p["id"] not in ours}


def check(package, allowed):
    name = f"{package['name']} {package['version']}"
    if not package["license"]:
        yield f"{name} names no licence"
    elif not holds(package["license"], allowed):
        yield f"{name} is under {package['license']}, which deny.toml does not allow"
    source = package["source"] or "a path outside of the workspace"
    if not source.startswith("registry+"):
        yield f"{name} comes from {source}, not from the registry"


def one_registry(packages):
    sources = {p["source"] for p in packages if (p["source"] or "").startswith("registry+")}
    return [f"crates come from several registries: {', '.join(sorted(sources))}"] if len(sources) > 1 else []


def holds(expression, allowed):
    """Whether an SPDX expression can be met with the allowed licences. AND binds closer than OR; `/` is an old OR."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    tokens.reverse()  # the next token is the last one

    def either():
        result = both()
        while tokens and tokens[-1] == "OR":
            tokens.pop()
            result = both() or result
        return result

    def both():
        result = one()
        while tokens and tokens[-1] == "AND":
            tokens.pop()
            result = one() and result
        return result

    def one():
        token = tokens.pop()
        if token == "(":
            result = either()
            tokens.pop()
            return result
        if tokens and tokens[-1] == "WITH":
            tokens.pop()
            token = f"{token} WITH {tokens.pop()}"
        return token in allowed

    return either()


if __name__ == "__main__":
    sys.exit(main())
