#!/usr/bin/env python3
"""Measures the whole `shadowdiff compare` side by side with its peers, and writes docs/benchmarks.md and the picture beside it.

    pip install -r bench/requirements.txt
    cargo build --release
    python bench/run.py

Each round lets every tool run once on a workload, one after the other, so that a busy machine hits all alike; the first place moves on with
each round. The files of a workload are read once before, so all find them in the page cache. What a tool counts is held against the
workload's truth. Linux only: memory and ends of processes are taken from the kernel.
"""

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import select
import signal
import subprocess
import sys
import tempfile
import time

import document
from document import OURS, Measured, Run
from workloads import KINDS, WORKLOADS, chosen

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = {"duckdb": "duckdb", "polars": "polars", "decode": "pyarrow"}
LOOK_EVERY_MS = 200
READ_BYTES = 8 << 20


@dataclasses.dataclass(frozen=True)
class Ended:
    """A child that has ended: its exit code, what it said, what it took, and why it was ended if we did it."""

    code: int
    said: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    ended_for: str


def main():
    arguments = parse()
    names = chosen(arguments.only)
    make_missing(names, arguments)
    before = os.getloadavg()[0]
    truths = {name: json.loads((arguments.folder / name / "truth.json").read_text()) for name in names}
    runs = {name: rounds(name, truths[name], arguments) for name in names}
    measured = Measured(
        facts=facts(arguments, before),
        workloads={name: WORKLOADS[name] for name in names},
        rows={name: truth["rows_live"] for name, truth in truths.items()},
        runs=runs,
    )
    write(measured, arguments.document)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--folder", type=pathlib.Path, help="the workloads; what is not there is made [default: bench/target/scale-SCALE]")
    add("--scale", type=float, default=1.0, help="of the workloads that are made; 1 is 6 million rows a side [default: 1]")
    add("--only", default="", help="some workloads, such as w1,w3; then the tables are printed, the document stays")
    add("--peers", default="duckdb,polars,decode", help="in this order [default: duckdb,polars,decode]")
    add("--runs", type=int, default=5, help="of each tool on each workload [default: 5]")
    add("--threads", type=int, default=2, help="for every tool [default: 2]")
    add("--memory", help="for shadowdiff and DuckDB, such as 1GiB [default: what each takes by itself]")
    add("--timeout", type=float, default=300, help="seconds after which a run is ended [default: 300]")
    add("--most-memory", type=float, default=0.5, help="share of the machine's memory at which a run is ended [default: 0.5]")
    add("--binary", type=pathlib.Path, default=HERE.parent / "target/release/shadowdiff", help="[default: target/release/shadowdiff]")
    add("--build", default="release profile", help="how the binary was built, for the document [default: release profile]")
    add("--document", type=pathlib.Path, default=HERE.parent / "docs/benchmarks.md", help="[default: docs/benchmarks.md]")
    arguments = parser.parse_args()
    check(parser, arguments)
    return arguments


def check(parser, arguments):
    """Before an hour of measuring, not after it."""
    arguments.peers = [peer for peer in arguments.peers.split(",") if peer]
    # Children run in a folder of their own.
    arguments.folder = (arguments.folder or HERE / "target" / f"scale-{arguments.scale:g}").resolve()
    arguments.binary = arguments.binary.resolve()
    unknown = [peer for peer in arguments.peers if peer not in PACKAGES]
    if unknown:
        parser.error(f"unknown peer {', '.join(unknown)}; there are {', '.join(PACKAGES)}")
    arguments.versions = peer_versions(parser, arguments.peers)
    if arguments.runs < 1:
        parser.error("--runs is at least 1")
    if not arguments.binary.is_file():
        parser.error(f"{arguments.binary} is not there; build it with `cargo build --release`, or name it with --binary")
    if arguments.only:
        arguments.document = None
    else:
        check_document(parser, arguments.document)


def peer_versions(parser, peers):
    try:
        return [f"{PACKAGES[peer]} {importlib.metadata.version(PACKAGES[peer])}" for peer in peers]
    except importlib.metadata.PackageNotFoundError as problem:
        parser.error(f"{problem.name} is not installed; run `pip install -r bench/requirements.txt`")


def check_document(parser, place):
    try:
        document.with_section(place.read_text(), "")
    except (OSError, ValueError) as problem:
        parser.error(f"--document: {problem}")


def make_missing(names, arguments):
    missing = [name for name in names if not (arguments.folder / name / "truth.json").exists()]
    if missing:
        # In a process of its own: what this one has once held would count as memory of every child.
        command = [sys.executable, HERE / "workloads.py", arguments.folder, "--scale", str(arguments.scale), "--only", ",".join(missing)]
        subprocess.run(command, check=True)


def rounds(name, truth, arguments):
    """The runs of each tool. A peer that fails once is not asked again; if we fail, so does the command."""
    folder = arguments.folder / name
    read_once(folder)
    tools = [OURS, *arguments.peers]
    runs = {tool: [] for tool in tools}
    for number in range(arguments.runs):
        first = number % len(tools)
        for tool in tools[first:] + tools[:first]:
            if any(run.failure for run in runs[tool]):
                continue
            run = run_once(tool, folder, truth, arguments)
            say(name, tool, number, run)
            if tool == OURS and run.failure:
                sys.exit(f"shadowdiff on {name}: {run.failure}; nothing is written")
            runs[tool].append(run)
    return runs


def read_once(folder):
    for place in sorted(folder.glob("*/part-*")):
        with place.open("rb") as file:
            while file.read(READ_BYTES):
                pass


def say(name, tool, number, run):
    took = f"{run.seconds:.2f} s, processor {run.cpu_seconds:.2f} s, peak {document.peak_mib(run):.0f} MiB"
    print(f"{name} {tool} {number + 1}: {run.failure or took}", file=sys.stderr, flush=True)


def run_once(tool, folder, truth, arguments):
    with tempfile.TemporaryDirectory(prefix="shadowdiff-bench-") as scratch:
        scratch = pathlib.Path(scratch)
        run = run_ours if tool == OURS else run_peer
        return run(tool, folder, truth, scratch, arguments)


def run_ours(_tool, folder, truth, scratch, arguments):
    command = [arguments.binary, "compare", folder / "spec.yaml", "--output", scratch / "out", "--quiet", *limits(arguments)]
    ended = run_child(command, scratch, arguments)
    # 1: the sides differ, as they should.
    if ended.code not in (0, 1) or ended.ended_for:
        return Run(failure=reason(ended))
    rows = json.loads((scratch / "out" / "summary.json").read_text())["rows"]
    found = {kind: rows[kind] for kind in KINDS} | {f"rows_{side}": rows[side]["read"] for side in ("live", "shadow")}
    return Run(ended.seconds, ended.cpu_seconds, ended.peak_bytes, failure=wrong(found, truth))


def run_peer(tool, folder, truth, scratch, arguments):
    command = [sys.executable, HERE / "peers.py", tool, folder, "--output", scratch / "out.csv", *limits(arguments)]
    ended = run_child(command, scratch, arguments)
    if ended.code != 0 or ended.ended_for:
        return Run(failure=reason(ended))
    told = json.loads(ended.said.splitlines()[-1])
    # The peer's own clock, which leaves out that Python starts and loads a library.
    found = {kind: (told["found"] or {}).get(kind, 0) for kind in KINDS}
    return Run(told["seconds"], told["cpu_seconds"], ended.peak_bytes, failure=wrong(found, truth) if told["found"] is not None else "")


def limits(arguments):
    memory = ["--memory", arguments.memory] if arguments.memory else []
    return ["--threads", str(arguments.threads), *memory]


def wrong(found, truth):
    unequal = [f"{name} {count} instead of {truth[name]}" for name, count in found.items() if count != truth[name]]
    return f"wrong counts: {', '.join(unequal)}" if unequal else ""


def reason(ended):
    last = (ended.said.strip().splitlines() or ["it said nothing"])[-1]
    return ended.ended_for or f"exit code {ended.code}: {last[:200]}"


def run_child(command, scratch, arguments):
    """Runs it to its end, or ends it at a limit. What it took is the kernel's account of this one process."""
    with (scratch / "said").open("w+") as said:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, cwd=scratch)
        ended_for = wait_or_end(child.pid, start + arguments.timeout, arguments.most_memory * machine_memory())
        seconds = time.perf_counter() - start
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        return Ended(child.returncode, said.read(), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, ended_for)


def wait_or_end(pid, deadline, most_bytes):
    """Returns when the child has ended: at once, however rarely we look at its limits."""
    handle = os.pidfd_open(pid)
    try:
        ends = select.poll()
        ends.register(handle, select.POLLIN)
        ended_for = ""
        while not ends.poll(LOOK_EVERY_MS):
            if time.perf_counter() > deadline:
                ended_for = "ended at the time limit"
            elif resident_bytes(pid) > most_bytes:
                ended_for = f"ended when it took {most_bytes / (1 << 30):.1f} GiB"
            if ended_for:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        return ended_for
    finally:
        os.close(handle)


def resident_bytes(pid):
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def machine_memory():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def facts(arguments, load_before):
    version = subprocess.run([arguments.binary, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    memory = f"`--memory {arguments.memory}` for shadowdiff and DuckDB" if arguments.memory else "no limit of memory set"
    runs = f"{arguments.runs} runs: the median (least to largest)" if arguments.runs > 1 else "one run"
    return [
        ("machine", f"{len(os.sched_getaffinity(0))} cores ({processor()}), {machine_memory() / (1 << 30):.0f} GiB of memory"),
        ("system", f"{platform.system()} {platform.release()}, load {load_before:.1f} before and {os.getloadavg()[0]:.1f} after"),
        ("versions", ", ".join([f"{version} ({arguments.build})", *arguments.versions, f"Python {platform.python_version()}"])),
        ("each tool", f"{arguments.threads} threads, {memory}, {runs}"),
        ("measured", datetime.date.today().isoformat()),
    ]


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def write(measured, place):
    """Into the document if all was measured, else onto the terminal."""
    if place is None:
        print(document.section(measured, "benchmarks.svg"))
        return
    picture = place.with_suffix(".svg")
    picture.write_text(document.picture(measured))
    place.write_text(document.with_section(place.read_text(), document.section(measured, picture.name)))
    print(f"written: {place}, {picture}", file=sys.stderr)


if __name__ == "__main__":
    main()
