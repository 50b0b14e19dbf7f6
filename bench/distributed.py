#!/usr/bin/env python3
"""Measures shadowdiff's cluster side by side with distributed engines: Spark with spark-extension, Sail and Ballista.

    pip install -r bench/requirements-distributed.txt
    cargo build --release
    python bench/distributed.py FOLDER

FOLDER holds the workloads as workloads.py makes them. They are put on SeaweedFS, which this starts. Each tool compares them on a cluster of two
workers of one slot each, started afresh for each round: once when all is cold, and again. The tools take turns. In one more round a worker is
killed in the middle of the second comparison, and nobody restarts it; a tool that does not go on is asked once more. Rows that differ are
counted in what a tool wrote, and held against the workload's truth. Prints tables as Markdown. Needs Java 17 or later for Spark. Ballista takes part
if --tools names it: it is built with cargo, which takes half an hour or more, unless --ballista names the program. Linux only.
"""

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import document
from clusters import KINDS_OF_CLUSTERS, Failed, Place, hadoop_jars
from document import OURS, Run
from run import HERE, machine_memory, processor, wrong
from workloads import KINDS, WORKLOADS, chosen

sys.path.insert(0, str(HERE.parent / "tests"))
import servers  # noqa: E402: it lies beside the tests that use it

NAMES = {OURS: "shadowdiff", "spark": "Spark", "sail": "Sail", "sail-storage": "Sail, exchange on S3", "ballista": "Ballista"}
PACKAGES = {"spark": ["pyspark", "pyspark-extension"], "sail": ["pysail"], "sail-storage": ["pysail"]}
DEFAULT_WORKLOADS = "w2,w3,w5"
# Ballista has to be built first, so it must be asked for.
DEFAULT_TOOLS = "shadowdiff,spark,sail,sail-storage"


@dataclasses.dataclass(frozen=True)
class Round:
    """What was seen on one cluster: the comparison when all was cold, and again. Where a worker was killed in the middle of that, and the tool
    did not go on, `later` is what came of asking once more."""

    first: Run
    again: Run
    peak_bytes: int = 0
    killed_after: float | None = None
    later: Run | None = None


def main():
    arguments = parse()
    # Who ends this ends its clusters too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal; nothing is measured"))
    names = chosen(arguments.only)
    rounds = {name: {tool: [] for tool in arguments.tools} for name in names}
    kills = {name: {} for name in names}
    with tempfile.TemporaryDirectory(prefix="shadowdiff-distributed-") as scratch:
        scratch = pathlib.Path(arguments.logs or scratch).resolve()
        with servers.running("seaweedfs", scratch / "s3", tools=arguments.cache / "s3") as server:
            for name in names:
                upload(arguments.folder / name, name, server)
                measure(name, rounds[name], kills[name], server, scratch, arguments)
        report = "\n\n".join([facts(arguments), times(rounds), killed(rounds, kills)])
    print(report)
    if arguments.output:
        arguments.output.write_text(report + "\n")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("folder", type=pathlib.Path, help="of the workloads, as workloads.py writes them")
    add("--only", default=DEFAULT_WORKLOADS, help=f"some workloads of Parquet [default: {DEFAULT_WORKLOADS}]")
    add("--tools", default=DEFAULT_TOOLS, help=f"in this order; also ballista [default: {DEFAULT_TOOLS}]")
    add("--runs", type=int, default=2, help="rounds of each tool on each workload without a kill [default: 2]")
    add("--kill-at", type=float, default=0.4, help="share of a tool's median time at which a worker is killed; 0: no kill [default: 0.4]")
    add("--timeout", type=float, default=400, help="seconds after which a comparison is given up [default: 400]")
    add("--binary", type=pathlib.Path, default=HERE.parent / "target/release/shadowdiff", help="[default: target/release/shadowdiff]")
    add("--ballista", type=pathlib.Path, help="a program built from bench/ballista [default: built into the cache]")
    add("--cache", type=pathlib.Path, default=HERE / "target/distributed", help="for what is fetched and built [default: bench/target/distributed]")
    add("--logs", type=pathlib.Path, help="a new folder where the data on S3, results and logs stay [default: a temporary one]")
    add("--output", type=pathlib.Path, help="a file that gets the tables too")
    arguments = parser.parse_args()
    check(parser, arguments)
    return arguments


def check(parser, arguments):
    """And gets what the tools need, before the first is measured."""
    arguments.tools = [tool for tool in arguments.tools.split(",") if tool]
    unknown = [tool for tool in arguments.tools if tool not in NAMES]
    if unknown or not arguments.tools:
        parser.error(f"unknown tool {', '.join(unknown)}; there are {', '.join(NAMES)}")
    arguments.folder, arguments.binary, arguments.cache = (path.resolve() for path in (arguments.folder, arguments.binary, arguments.cache))
    if arguments.runs < 1:
        parser.error("--runs is at least 1")
    for name in chosen(arguments.only):
        if WORKLOADS[name].form != "parquet":
            parser.error(f"{name} is of {WORKLOADS[name].form}; only Parquet is compared here")
        if not (arguments.folder / name / "truth.json").exists():
            parser.error(f"{arguments.folder / name} is not there; make it: `python bench/workloads.py {arguments.folder} --only {name}`")
    if not arguments.binary.is_file():
        parser.error(f"{arguments.binary} is not there; build it with `cargo build --release`, or name it with --binary")
    arguments.versions = versions(parser, arguments.tools)
    try:
        prepare(arguments)
    except Failed as problem:
        parser.error(str(problem))


def versions(parser, tools):
    try:
        return {tool: [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES.get(tool, [])] for tool in tools}
    except importlib.metadata.PackageNotFoundError as problem:
        parser.error(f"{problem.name} is not installed; run `pip install -r bench/requirements-distributed.txt`")


def prepare(arguments):
    if "spark" in arguments.tools:
        if shutil.which("java") is None:
            raise Failed("Spark needs Java 17 or later on the PATH; install it, or leave Spark out with --tools")
        hadoop_jars(arguments.cache)
    if "ballista" in arguments.tools and arguments.ballista is None:
        manifest = HERE / "ballista/Cargo.toml"
        command = ["cargo", "build", "--release", "--locked", "--manifest-path", manifest, "--target-dir", arguments.cache / "ballista"]
        if subprocess.run(command, check=False).returncode != 0:
            raise Failed("Ballista could not be built; read what cargo says above, or leave it out with --tools")
        arguments.ballista = arguments.cache / "ballista/release/ballista-peer"
    if arguments.ballista:
        arguments.ballista = arguments.ballista.resolve()


def upload(folder, name, server):
    for place in sorted(folder.glob("*/part-*")):
        server.put(f"{name}/{place.parent.name}/{place.name}", place.read_bytes())


def measure(name, rounds, kills, server, scratch, arguments):
    """All rounds on one workload. A tool that fails without a kill is not asked again."""
    truth = json.loads((arguments.folder / name / "truth.json").read_text())
    truth = {kind: truth[kind] for kind in KINDS}

    def one(tool, label, kill_after=None):
        home = scratch / f"{name}-{tool}-{label}"
        home.mkdir(parents=True)
        place = Place(name, WORKLOADS[name], columns(arguments.folder / name), server, home, arguments.cache, arguments.binary, arguments.ballista)
        seen = one_round(KINDS_OF_CLUSTERS[tool], place, truth, kill_after, arguments.timeout)
        say(name, tool, label, seen)
        return seen

    for number in range(arguments.runs):
        first = number % len(arguments.tools)
        for tool in arguments.tools[first:] + arguments.tools[:first]:
            if not any(failure(seen) for seen in rounds[tool]):
                rounds[tool].append(one(tool, number + 1))
    for tool in arguments.tools if arguments.kill_at else []:
        if not any(failure(seen) for seen in rounds[tool]):
            after = arguments.kill_at * statistics.median(seen.again.seconds for seen in rounds[tool])
            kills[tool] = one(tool, "kill", after)


def columns(folder):
    import pyarrow.parquet

    return pyarrow.parquet.read_schema(next((folder / "live").glob("*.parquet"))).names


def one_round(kind, place, truth, kill_after, timeout):
    nothing = Run(failure="not run")
    try:
        with kind(place) as cluster:
            first = compare(cluster, truth, timeout)
            if first.failure:
                return Round(first, nothing, cluster.peak_bytes)
            timer = threading.Timer(kill_after or timeout, cluster.kill_worker)
            if kill_after:
                timer.start()
            again = compare(cluster, truth, timeout)
            timer.cancel()
            later = compare(cluster, truth, timeout) if kill_after and again.failure and not cluster.is_lost() else None
            return Round(first, again, cluster.peak_bytes, kill_after, later)
    except Failed as problem:
        return Round(Run(failure=str(problem)), nothing)


def compare(cluster, truth, timeout):
    start, cpu_before = time.perf_counter(), cluster.cpu_seconds()
    problem = cluster.compare(timeout)
    seconds, cpu_seconds = time.perf_counter() - start, cluster.cpu_seconds() - cpu_before
    if problem is None:
        return Run(seconds, cpu_seconds, failure=f"no answer within {timeout:.0f} s")
    return Run(seconds, cpu_seconds, failure=problem.removeprefix("failed: ") or wrong(cluster.found(), truth))


def failure(seen):
    return seen.first.failure or seen.again.failure


def say(name, tool, label, seen):
    peak = f"peak {seen.peak_bytes / document.MIB:.0f} MiB"
    took = f"{seen.first.seconds:.1f} s, again {seen.again.seconds:.1f} s, processor {seen.again.cpu_seconds:.1f} s, {peak}"
    print(f"{name} {tool} {label}: {took} {failure(seen)}", file=sys.stderr, flush=True)


def facts(arguments):
    ours = subprocess.run([arguments.binary, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    others = dict.fromkeys(version for tool in arguments.tools for version in arguments.versions[tool])
    ballista = [f"Ballista {ballista_version()}"] if "ballista" in arguments.tools else []
    rounds = f"{arguments.runs} rounds: the median (least to largest)" if arguments.runs > 1 else "one round"
    lines = [
        ("machine", f"{len(os.sched_getaffinity(0))} cores ({processor()}), {machine_memory() / (1 << 30):.0f} GiB of memory"),
        ("versions", ", ".join([ours, *others, *ballista])),
        ("each tool", f"two workers of one slot, {rounds}"),
        ("load", f"{os.getloadavg()[2]:.1f} over the last quarter of an hour"),
        ("measured", datetime.date.today().isoformat()),
    ]
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in lines)])


def ballista_version():
    lock = (HERE / "ballista/Cargo.lock").read_text()
    return lock.partition('name = "ballista"\nversion = "')[2].partition('"')[0]


def times(rounds):
    """`share` is ours as a share of the tool's time, both not cold."""
    heads = ["workload", "tool", "time, s", "the first time, s", "share", "processor, s", "peak memory, MiB"]
    lines = [heads, ["---"] * len(heads)]
    for name, tools in rounds.items():
        ours = [seen.again.seconds for seen in tools.get(OURS, []) if not failure(seen)]
        for tool, seen in tools.items():
            lines.append([name, NAMES[tool], *time_cells(seen, ours)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def time_cells(seen, ours):
    problems = [failure(one) for one in seen if failure(one)]
    if problems:
        return [problems[0], "–", "–", "–", "–"]
    again = [one.again.seconds for one in seen]
    share = f"**{statistics.median(ours) / statistics.median(again):.2f}**" if ours else "–"
    first = [one.first.seconds for one in seen]
    cpu = [one.again.cpu_seconds for one in seen]
    peaks = [one.peak_bytes / document.MIB for one in seen]
    return [document.cell(again, "{:.1f}"), document.cell(first, "{:.1f}"), share, document.cell(cpu, "{:.1f}"), document.cell(peaks, "{:.0f}")]


def killed(rounds, kills):
    heads = ["workload", "tool", "killed after, s", "time, s", "without a kill, s", "what happened"]
    lines = [heads, ["---"] * len(heads)]
    for name, tools in kills.items():
        for tool, seen in tools.items():
            usual = document.cell([one.again.seconds for one in rounds[name][tool]], "{:.1f}")
            numbers = [f"{seen.killed_after or 0:.1f}", f"{seen.again.seconds:.1f}", usual]
            lines.append([name, NAMES[tool], *numbers, happened(seen).replace("|", "/")])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def happened(seen):
    if not failure(seen):
        return "went on; the counts are right"
    if seen.later is None:
        return failure(seen)
    later = seen.later.failure or "the counts are right"
    return f"{failure(seen)}; asked once more: {seen.later.seconds:.1f} s, {later}"


if __name__ == "__main__":
    main()
