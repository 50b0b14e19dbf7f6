#!/usr/bin/env python3
"""Checks that values.yaml and values.schema.json of a chart have the same fields, and that its version is the program's.

A field that is only in the schema is one that nobody finds; one that is only in values.yaml cannot be set.
"""

import json
import pathlib
import re
import sys

import yaml


def main():
    chart = pathlib.Path(sys.argv[1])
    values = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
    problems = list(differences(values, schema, ""))
    problems += version(chart)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def differences(values, schema, path):
    if "properties" not in schema:
        return
    if schema.get("additionalProperties") is not False:
        yield f"{path or 'the schema'} lets unknown fields pass"
    allowed = set(schema["properties"]) - ({"global"} if not path else set())
    for name in sorted(allowed - set(values)):
        yield f"{path}{name} is in values.schema.json and not in values.yaml"
    for name in sorted(set(values) - allowed):
        yield f"{path}{name} is in values.yaml and not in values.schema.json"
    for name in sorted(allowed & set(values)):
        yield from differences(values[name], schema["properties"][name], f"{path}{name}.")


def version(chart):
    text = pathlib.Path("Cargo.toml").read_text(encoding="utf-8")
    program = re.search(r'^version = "(.+)"$', text, re.MULTILINE).group(1)
    described = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"]
    return [] if program == described else [f"Chart.yaml has appVersion {described}, Cargo.toml has {program}"]


sys.exit(main())
