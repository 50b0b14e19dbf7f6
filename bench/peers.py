#!/usr/bin/env python3
"""Lets one peer compare one workload, in this process, and prints what it found and how long it took, as JSON.

A peer is what somebody would take instead of shadowdiff:
  duckdb  a full outer join of the files; a line of CSV for each differing cell, as in diff.csv
  polars  a full join by the streaming engine; a line of CSV for each differing row
  decode  no comparison: Arrow decodes every column of both sides once. Who looks at every value cannot do with less
The time starts when Python has loaded the peer's library, and ends when its CSV is written.
"""

import argparse
import functools
import json
import os
import pathlib
import time

from workloads import WORKLOADS


def main():
    arguments = parse()
    workload = WORKLOADS[arguments.folder.resolve().name]
    os.environ["POLARS_MAX_THREADS"] = str(arguments.threads)
    compare = PEERS[arguments.peer]()
    seconds, cpu_seconds = time.perf_counter(), time.process_time()
    found = compare(arguments, workload)
    seconds, cpu_seconds = time.perf_counter() - seconds, time.process_time() - cpu_seconds
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "found": found}))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=list(PEERS))
    parser.add_argument("folder", type=pathlib.Path, help="of a workload, as workloads.py writes it, under its name")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="the CSV file to write")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", help="DuckDB's memory_limit, such as 2GiB; the others have none")
    return parser.parse_args()


def load_duckdb():
    import duckdb

    def compare(arguments, workload):
        database = duckdb.connect()
        database.execute(f"set threads = {arguments.threads}")
        # Nobody asks for an order; with one, DuckDB is slower.
        database.execute("set preserve_insertion_order = false")
        if arguments.memory:
            database.execute(f"set memory_limit = '{arguments.memory}'")
        sides = [f"'{arguments.folder}/{side}/*.{workload.form}'" for side in ("live", "shadow")]
        columns = [row[0] for row in database.execute(f"describe select * from {sides[0]}").fetchall()]
        values = [column for column in columns if column not in workload.key]
        database.execute(differing_rows(sides, values, workload))
        database.execute(f"copy ({differing_cells(values, workload)}) to '{arguments.output}' (format csv, header)")
        return dict(database.execute("select kind, count(*) from differing group by kind").fetchall())

    return compare


def differing_rows(sides, values, workload):
    """SQL that keeps what differs: a small table, unless most rows differ."""
    return f"create temp table differing as {differing_query(sides, values, workload)}"


def differing_query(sides, values, workload):
    """SQL for the rows that differ or are alone, with both sides' values. Other engines than DuckDB understand it too."""
    first = workload.key[0]
    keys = [f"coalesce(live.{key}, shadow.{key}) as {key}" for key in workload.key]
    pairs = [f"{side}.{column} as {side}_{column}" for column in values for side in ("live", "shadow")]
    unequal = [differs(f"live.{column}", f"shadow.{column}", workload.tolerances.get(column)) for column in values]
    return f"""select {", ".join(keys)}, {", ".join(pairs)},
            case when shadow.{first} is null then 'missing_in_shadow' when live.{first} is null then 'missing_in_live'
                else 'changed' end as kind
        from {sides[0]} as live full outer join {sides[1]} as shadow
            on {" and ".join(f"live.{key} = shadow.{key}" for key in workload.key)}
        where live.{first} is null or shadow.{first} is null or {" or ".join(unequal)}"""


def differing_cells(values, workload):
    keys = ", ".join(workload.key)
    alone = f"select {keys}, kind, null as name, null as live, null as shadow from differing where kind <> 'changed'"
    cells = [
        f"select {keys}, kind, '{column}', live_{column}::varchar, shadow_{column}::varchar from differing where kind = 'changed' and "
        + differs(f"live_{column}", f"shadow_{column}", workload.tolerances.get(column))
        for column in values
    ]
    return " union all ".join([alone, *cells])


def differs(live, shadow, tolerance):
    # Engines do not agree on what binds more tightly than what.
    unequal = f"({live} is distinct from {shadow})"
    if tolerance is None:
        return unequal
    beyond = f"(abs({shadow} - {live}) > {tolerance} * abs({live}))"
    return f"({unequal} and coalesce({beyond}, true))"


def load_polars():
    import polars

    def differs(column, tolerance):
        live, shadow = polars.col(column), polars.col(f"{column}_shadow")
        if tolerance is None:
            return live.ne_missing(shadow)
        live, shadow = live.cast(polars.Float64), shadow.cast(polars.Float64)
        one_is_null = live.is_null() != shadow.is_null()
        return one_is_null | ((shadow - live).abs() > tolerance * live.abs()).fill_null(False)

    scan = {
        "parquet": polars.scan_parquet,
        "csv": functools.partial(polars.scan_csv, try_parse_dates=True),
        "jsonl": polars.scan_ndjson,
    }

    def compare(arguments, workload):
        live, shadow = (scan[workload.form](f"{arguments.folder}/{side}/*.{workload.form}") for side in ("live", "shadow"))
        keys = list(workload.key)
        unequal = [differs(name, workload.tolerances.get(name)) for name in live.collect_schema().names() if name not in keys]
        live = live.with_columns(in_live=polars.lit(True))
        shadow = shadow.with_columns(in_shadow=polars.lit(True))
        pairs = live.join(shadow, on=keys, how="full", coalesce=True, suffix="_shadow")
        alone = {"missing_in_shadow": polars.col("in_shadow").is_null(), "missing_in_live": polars.col("in_live").is_null()}
        rows = pairs.filter(polars.any_horizontal(*alone.values(), *unequal)).collect(engine="streaming")
        rows.write_csv(arguments.output)
        found = {kind: rows.filter(condition).height for kind, condition in alone.items()}
        return found | {"changed": rows.height - sum(found.values())}

    return compare


def load_decode():
    import pyarrow
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    def row_groups(place):
        file = pyarrow.parquet.ParquetFile(place)
        for group in range(file.num_row_groups):
            file.read_row_group(group)

    read = {"parquet": row_groups, "csv": pyarrow.csv.read_csv, "jsonl": pyarrow.json.read_json}

    def decode(arguments, workload):
        pyarrow.set_cpu_count(arguments.threads)
        for place in sorted(arguments.folder.glob(f"*/*.{workload.form}")):
            read[workload.form](place)

    return decode


PEERS = {"duckdb": load_duckdb, "polars": load_polars, "decode": load_decode}

if __name__ == "__main__":
    main()
