#!/usr/bin/env python3
"""The workloads that the whole command is measured on: what each is, and how its files are made.

A workload is a folder of `live/`, `shadow/`, `spec.yaml` and `truth.json`: the rows of each side, and how many rows differ in which way.
Rows come from TPC-H's lineitem or, in w6, from a range of numbers. A row is chosen by a hash of its key, so the same versions make
the same files again. What is chosen is counted while it is made: the truth does not come from a comparison.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys

KINDS = ["changed", "missing_in_shadow", "missing_in_live"]
LINEITEM_FILES = 8
WIDE_FILES = 4
WIDE_ROWS = 300_000
WIDE_ACCOUNTS = 20_000
# One for each kind of column in turn; `h` is a hash of row and column.
METRICS = [
    "(h % 100000) / 7.0",
    "(h % 1000)::bigint",
    "'segment ' || (h % 40)",
    "case when h % 10 > 0 then ((h % 1000000) / 100.0)::decimal(12, 2) end",
    "timestamp '2026-01-01' + to_seconds(h % 20000000)",
    "h % 2 = 0",
]
METRIC_COLUMNS = 198


@dataclasses.dataclass(frozen=True)
class Workload:
    """The targets are a share of DuckDB's time, and MiB at the peak where one is set, at scale 1 with two threads."""

    about: str
    target_share: float
    target_mib: int | None
    key: tuple[str, ...] = ("l_orderkey", "l_linenumber")
    tolerances: dict[str, float] = dataclasses.field(default_factory=dict)
    form: str = "parquet"
    files: int = LINEITEM_FILES

    def spec(self, root=""):
        lines = [f"live: {root}live/", f"shadow: {root}shadow/", f"account: {self.key[0]}", f"key: [{', '.join(self.key)}]"]
        if self.tolerances:
            lines.append("comparators:")
        for column, share in self.tolerances.items():
            lines += [f"  - columns: [{column}]", f"    relative: {share:.0%}"]
        return "\n".join([*lines, "output: out/", ""])


PRICE_WITHIN = {"l_extendedprice": 0.02}
WORKLOADS = {
    "w1": Workload(
        "Same order. In one file of eight the price of 1 % of the orders has changed; all else is stored as the same bytes",
        target_share=0.08,
        target_mib=120,
    ),
    "w2": Workload(
        "Same order. 0.5 % of the rows have changed, 0.1 % are missing, 0.1 % are new",
        target_share=0.42,
        target_mib=300,
    ),
    "w3": Workload(
        "As w2, and shadow's rows lie in random order across its files",
        target_share=0.60,
        target_mib=450,
    ),
    "w4": Workload(
        "Same order. One column deviates in every row by at most 1 %; within 2 % is near enough, some 100 rows are not",
        target_share=0.15,
        target_mib=160,
        tolerances=PRICE_WITHIN,
    ),
    "w5": Workload(
        "As w4, and shadow's rows lie in random order across its files",
        target_share=0.60,
        target_mib=500,
        tolerances=PRICE_WITHIN,
    ),
    "w6": Workload(
        "200 columns of six types, shadow's rows in random order; 1 % of the rows have changed in one column",
        target_share=0.50,
        target_mib=400,
        key=("account_id", "day"),
        files=WIDE_FILES,
    ),
    "w7": Workload(
        "As w2, of CSV: one file a side, types found from the text",
        target_share=1.2,
        target_mib=None,
        form="csv",
        files=1,
    ),
    "w8": Workload(
        "As w7, of JSON lines, a tenth of the rows",
        target_share=1.2,
        target_mib=None,
        form="jsonl",
        files=1,
    ),
    "w9": Workload(
        "As w2, in 2 000 files of 3 000 rows a side",
        target_share=1.2,
        target_mib=None,
        files=2000,
    ),
    "w10": Workload(
        "Same order. Five of six rows have changed: five million lines of differences",
        target_share=1.2,
        target_mib=None,
    ),
    "w11": Workload(
        "As w3, and two accounts have half of all rows each",
        target_share=1.2,
        target_mib=None,
        key=("l_linestatus", "l_orderkey", "l_linenumber"),
    ),
}
TEXT_FORMS = {"csv": "format csv, header", "jsonl": "format json"}


def main():
    arguments = parse()
    wanted = chosen(arguments.only)
    if arguments.describe:
        print("\n".join(f"{name}  {WORKLOADS[name].about}" for name in wanted))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with Maker(arguments.folder) as maker:
        if set(wanted) != {"w6"}:
            maker.read_lineitem(arguments.scale)
        for name in wanted:
            print(name, json.dumps(MAKE[name](maker, name, arguments.scale)), flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path, help="where the workloads are written")
    parser.add_argument("--scale", type=float, default=1.0, help="1, the default: 6 million rows a side, 300 000 in w6, 600 000 in w8")
    parser.add_argument("--only", default="", help="some of them: w1,w3")
    parser.add_argument("--describe", action="store_true", help="say what they are; make nothing")
    return parser.parse_args()


def chosen(only):
    """The names in `only`, or all; ends the program with a message if one is unknown."""
    names = [name for name in only.split(",") if name] or list(WORKLOADS)
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        sys.exit(f"unknown workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    return names


class Maker:
    """Tables have two columns of ours that no file gets: `position` in the order of the side, and `kind` of the difference or NULL."""

    def __init__(self, folder):
        import duckdb

        self.folder = folder
        self.store = folder / "making.duckdb"
        self.store.unlink(missing_ok=True)
        self.database = duckdb.connect(str(self.store))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.database.close()
        self.store.unlink(missing_ok=True)

    def number(self, query):
        return self.database.execute(query).fetchone()[0]

    def read_lineitem(self, scale):
        place = self.folder / f"lineitem-{scale:g}" / "lineitem.parquet"
        if not place.exists():
            generate_lineitem(place.parent, scale)
        self.database.execute(
            f"create table lineitem as select * exclude (file_row_number), file_row_number as position"
            f" from read_parquet('{place}', file_row_number = true) order by position"
        )

    def write(self, name, live, kind, changes, copies=(), shuffled=False):
        """Both sides, spec and truth of the workload `name`: `kind` is SQL that says which rows differ, `changes` what shadow has in a
        column instead, `copies` what makes a key of a new row. A new row is a copy of one that stays."""
        home = self.folder / name
        shutil.rmtree(home, ignore_errors=True)
        run = self.database.execute
        run(f"create or replace table live as select *, {kind} as kind from {live} order by position")
        rows = self.number("select count(*) from live")
        new = replaced({**dict(copies), "position": f"position + {rows}"})
        run(f"create or replace table shadow as select * {replaced(changes)} from live where kind is distinct from 'missing_in_shadow'"
            f" union all by name select * {new} from live where kind = 'missing_in_live'")  # fmt: skip
        if shuffled:
            at = "row_number() over (order by hash(position, 99), position) - 1"
            run(f"create or replace table shadow as select * {replaced({'position': at})} from shadow order by position")
        for side in ("live", "shadow"):
            self.write_side(side, home / side, rows, WORKLOADS[name])
        truth = self.truth()
        (home / "spec.yaml").write_text(WORKLOADS[name].spec())
        (home / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")
        return truth

    def write_side(self, table, folder, live_rows, workload):
        """Both sides are cut at the same positions, so that what is equal is stored equally; the last file takes what is over."""
        folder.mkdir(parents=True)
        rows_per_file, form = -(-live_rows // workload.files), workload.form
        for file in range(workload.files):
            end = f"and position < {(file + 1) * rows_per_file}" if file + 1 < workload.files else ""
            self.database.execute(
                f"copy (select * exclude (position, kind) from {table} where position >= {file * rows_per_file} {end})"
                f" to '{folder}/part-{file:05}.{form}' ({TEXT_FORMS.get(form, 'format parquet, compression zstd')})"
            )

    def truth(self):
        counts = dict(self.database.execute("select kind, count(*) from live where kind is not null group by kind").fetchall())
        rows = {f"rows_{side}": self.number(f"select count(*) from {side}") for side in ("live", "shadow")}
        return rows | {kind: counts.get(kind, 0) for kind in KINDS}


def generate_lineitem(folder, scale):
    beside = pathlib.Path(sys.executable).parent / "tpchgen-cli"
    tool = str(beside) if beside.exists() else shutil.which("tpchgen-cli")
    if tool is None:
        sys.exit("tpchgen-cli is not installed; run `pip install -r bench/requirements.txt`")
    command = [tool, "parquet", "-s", f"{scale:g}", "--tables=lineitem", f"--output-dir={folder}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def replaced(columns):
    return "replace (" + ", ".join(f"{value} as {column}" for column, value in columns.items()) + ")"


def price(changed, otherwise="l_extendedprice"):
    return {"l_extendedprice": f"(case when kind = 'changed' then {changed} else {otherwise} end)::decimal(15, 2)"}


def one_column(maker, name, _scale):
    per_file = -(-maker.number("select count(*) from lineitem") // LINEITEM_FILES)
    kind = f"case when position // {per_file} = 3 and l_orderkey % 100 = 7 then 'changed' end"
    return maker.write(name, "lineitem", kind, price("l_extendedprice + 1.25"))


def scattered(maker, name, _scale, rows="lineitem"):
    chance = "hash(l_orderkey, l_linenumber, 7) % 1000"
    kind = f"""case when {chance} = 0 then 'missing_in_shadow' when {chance} between 1 and 5 then 'changed'
        when {chance} = 999 then 'missing_in_live' end"""
    changes = price("l_extendedprice + 1.25")
    changes["l_comment"] = f"case when {chance} = 5 then l_comment || ' x' else l_comment end"
    # Beyond all keys there are, so that the keys of a side still ascend.
    copies = {"l_orderkey": "l_orderkey + 1_000_000_000"}
    return maker.write(name, rows, kind, changes, copies, shuffled=name in ("w3", "w11"))


def mostly_changed(maker, name, _scale):
    kind = "case when hash(l_orderkey, l_linenumber, 7) % 6 > 0 then 'changed' end"
    return maker.write(name, "lineitem", kind, price("l_extendedprice + 1.25"))


def tenth_of_text(maker, name, scale):
    rows = maker.number("select count(*) from lineitem") // 10
    return scattered(maker, name, scale, rows=f"(select * from lineitem where position < {rows})")


def within_tolerance(maker, name, _scale):
    every = max(maker.number("select count(*) from lineitem") // 100, 1)
    kind = f"case when position % {every} = {every // 2} then 'changed' end"
    near = "l_extendedprice * (1 + ((hash(l_orderkey, l_linenumber) % 1000)::int - 500) / 50000.0)"
    return maker.write(name, "lineitem", kind, price("l_extendedprice * 1.5", near), shuffled=name == "w5")


def wide(maker, name, scale):
    metrics = [f"{METRICS[i % len(METRICS)]} as m{i:03}".replace("h %", f"hash(position, {i}) %") for i in range(METRIC_COLUMNS)]
    rows = f"""(select 'acct-' || lpad((position % {WIDE_ACCOUNTS})::varchar, 6, '0') as account_id, position // {WIDE_ACCOUNTS} as day,
        {", ".join(metrics)}, position from range({int(WIDE_ROWS * scale)}) t(position))"""
    kind = "case when hash(account_id, day, 3) % 100 = 1 then 'changed' end"
    changes = {"m000": "case when kind = 'changed' then m000 + 1 else m000 end"}
    return maker.write(name, rows, kind, changes, shuffled=True)


MAKE = {
    "w1": one_column,
    "w2": scattered,
    "w3": scattered,
    "w4": within_tolerance,
    "w5": within_tolerance,
    "w6": wide,
    "w7": scattered,
    "w8": tenth_of_text,
    "w9": scattered,
    "w10": mostly_changed,
    "w11": scattered,
}

if __name__ == "__main__":
    main()
