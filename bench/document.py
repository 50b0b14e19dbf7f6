"""What was measured, as Markdown tables and as a picture of the ratios, in their place in docs/benchmarks.md."""

import dataclasses
import statistics

BEGIN = "<!-- measured: written by bench/run.py, not by hand -->"
END = "<!-- end of what was measured -->"
OURS = "shadowdiff"
AGAINST = "duckdb"
NAMES = {OURS: "shadowdiff", "duckdb": "DuckDB", "polars": "Polars", "decode": "Arrow, only decoding"}
MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one tool on one workload; what did not end well has the reason in `failure`, and no numbers that count."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    failure: str = ""


@dataclasses.dataclass(frozen=True)
class Measured:
    """All runs: `runs[workload][tool]`. `facts` are pairs of a name and a text: the machine, the versions, how it was run."""

    facts: list[tuple[str, str]]
    workloads: dict
    rows: dict[str, int]
    runs: dict[str, dict[str, list[Run]]]

    def tools(self):
        return list(next(iter(self.runs.values())))

    def values(self, workload, tool, quantity):
        runs = self.runs[workload].get(tool, [])
        return [] if any(run.failure for run in runs) else [quantity(run) for run in runs]

    def share(self, workload, quantity):
        """Ours as a share of DuckDB's, by medians; None if one of them did not finish."""
        ours, theirs = (self.values(workload, tool, quantity) for tool in (OURS, AGAINST))
        return statistics.median(ours) / statistics.median(theirs) if ours and theirs else None


def seconds(run):
    return run.seconds


def cpu_seconds(run):
    return run.cpu_seconds


def peak_mib(run):
    return run.peak_bytes / MIB


def section(measured, picture):
    """All between the markers, markers included."""
    time_target = ("target", lambda workload: f"{workload.target_share:.2f}")
    peak_target = ("target", lambda workload: f"{workload.target_mib or '–'}")
    parts = [
        BEGIN,
        "\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in measured.facts)]),
        "\n".join(["| workload | rows a side | |", "|---|---|---|", *(about(measured, name) for name in measured.runs)]),
        f"![Time and peak memory as a share of DuckDB's]({picture})",
        "**Time of the whole command**, in seconds:",
        table(measured, seconds, "{:.2f}", time_target),
        "**Peak memory**, in MiB:",
        table(measured, peak_mib, "{:.0f}", peak_target),
        "**Processor time**, in seconds:",
        table(measured, cpu_seconds, "{:.2f}"),
        *unfinished(measured),
        END,
    ]
    return "\n\n".join(parts)


def about(measured, name):
    rows = f"{measured.rows[name]:,}".replace(",", " ")
    return f"| {name} | {rows} | {measured.workloads[name].about} |"


def table(measured, quantity, form, target=None):
    tools = measured.tools()
    heads = ["workload", *(NAMES[tool] for tool in tools), "share of DuckDB's", *([target[0]] if target else [])]
    lines = [heads, ["---"] * len(heads)]
    for name, workload in measured.workloads.items():
        cells = [cell(measured.values(name, tool, quantity), form) for tool in tools]
        share = measured.share(name, quantity)
        share = "–" if share is None else f"**{share:.2f}**"
        lines.append([name, *cells, share, *([target[1](workload)] if target else [])])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(values, form):
    """The median, and the least and the largest where there is more than one run."""
    if not values:
        return "–"
    median = form.format(statistics.median(values))
    return median if len(values) == 1 else f"{median} ({form.format(min(values))} to {form.format(max(values))})"


def unfinished(measured):
    for name, tools in measured.runs.items():
        for tool, runs in tools.items():
            yield from {f"{NAMES[tool]} has no numbers for {name}: {run.failure}." for run in runs if run.failure}


def with_section(text, new):
    """The document `text` with all between its markers replaced by `new`."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document lacks the lines `{BEGIN}` and `{END}`; put them where the tables belong")
    return before + new + after


WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 720, 60, 60, 56, 14, 14
BARS = [("time", seconds, "#2f6f9f"), ("peak memory", peak_mib, "#b9a05c")]


def picture(measured):
    """Two bars a workload, ours as a share of DuckDB's, which is the line at 1. A tick is the target for the time."""
    shares = {(name, label): measured.share(name, quantity) for name in measured.runs for label, quantity, _ in BARS}
    most = max([1.2, *(share for share in shares.values() if share is not None)])
    step = (WIDTH - LEFT - RIGHT) / most
    block = len(BARS) * BAR + GAP
    height = TOP + len(measured.runs) * block + 12
    parts = [svg_head(height), *legend(), line_at(1, step, height)]
    for row, (name, workload) in enumerate(measured.workloads.items()):
        top = TOP + row * block
        parts.append(f'<text x="{LEFT - 10}" y="{top + BAR + 4}" text-anchor="end">{name}</text>')
        for bar, (label, _, colour) in enumerate(BARS):
            parts += share_bar(shares[name, label], top + bar * BAR, step, colour)
        at = LEFT + workload.target_share * step
        parts.append(f'<path d="M{at:.1f} {top - 2}V{top + BAR + 2}" stroke="#c0392b" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>", ""])


def svg_head(height):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" font-size="12">\n'
        "<title>Time and peak memory of shadowdiff as a share of DuckDB's</title>\n"
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    )


def legend():
    at = LEFT
    for label, _, colour in BARS:
        yield f'<rect x="{at}" y="12" width="12" height="12" fill="{colour}"/><text x="{at + 18}" y="22">{label}</text>'
        at += 110
    yield f'<path d="M{at + 6} 10V26" stroke="#c0392b" stroke-width="2"/><text x="{at + 18}" y="22">target for the time</text>'


def line_at(share, step, height):
    at = LEFT + share * step
    return (
        f'<path d="M{at:.1f} {TOP - 6}V{height - 8}" stroke="#555" stroke-dasharray="4 3"/>'
        f'<text x="{at:.1f}" y="{TOP - 12}" text-anchor="middle">DuckDB = 1</text>'
    )


def share_bar(share, top, step, colour):
    if share is None:
        return [f'<text x="{LEFT}" y="{top + 11}">–</text>']
    width = share * step
    return [
        f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>',
        f'<text x="{LEFT + width + 5:.1f}" y="{top + 10}" font-size="11">{share:.2f}</text>',
    ]
