#!/usr/bin/env python3
"""The client of Spark's or Sail's cluster, for clusters.py: says `ready`, then compares once for each line of its input.

A line is the folder of the result. The answer is `done` once it is written, or `failed: ` and why. Both read the files of both sides anew
each time, join them fully by the key, and write a line of CSV for each row that differs, with the values of both sides.
"""

import argparse
import json
import os
import sys

RENAMED = {"insert": "missing_in_live", "delete": "missing_in_shadow", "change": "changed", "nochange": "same"}
PARTITIONS = 8


def main():
    arguments = parse()
    compare = CLIENTS[arguments.tool](arguments)
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            compare(line.strip())
            print("done", flush=True)
        except Exception as problem:  # noqa: BLE001: whatever the engine says is what was seen
            print("failed:", " ".join(str(problem).split())[:1000], flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", choices=list(CLIENTS))
    parser.add_argument("master", help="where the cluster is")
    parser.add_argument("url", help="of the workload; below it are live/ and shadow/")
    parser.add_argument("--key", nargs="+", help="for Spark")
    parser.add_argument("--tolerances", type=json.loads, help="for Spark: the share by column, as JSON")
    parser.add_argument("--query", help="for Sail: a file with SQL over live_rows and shadow_rows")
    return parser.parse_args()


def spark(arguments):
    from gresearch.spark.diff import DiffOptions
    from gresearch.spark.diff.comparator import DiffComparators
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(arguments.master)
    for name, value in spark_settings().items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    options = DiffOptions().with_diff_column("kind")
    for name, value in RENAMED.items():
        options = getattr(options, f"with_{name}_diff_value")(value)
    for column, share in arguments.tolerances.items():
        options = options.with_column_name_comparator(DiffComparators.epsilon(share).as_relative().as_inclusive(), column)

    def compare(output):
        live, shadow = (session.read.parquet(f"{arguments.url}/{side}/") for side in ("live", "shadow"))
        rows = live.diff(shadow, options, *arguments.key)
        rows.where(rows.kind != RENAMED["nochange"]).write.csv(output, header=True)

    return compare


def spark_settings():
    """The times are written as numbers since Hadoop's client is older than Spark's Hadoop, and reads no units."""
    here = "127.0.0.1"
    own = {"driver.host": here, "driver.bindAddress": here, "ui.enabled": "false", "ui.showConsoleProgress": "false"}
    own |= {"executor.memory": "3g", "sql.shuffle.partitions": str(PARTITIONS)}
    own |= {f"{process}.extraClassPath": os.environ["SPARK_JARS"] for process in ("driver", "executor")}
    s3 = {
        "endpoint": os.environ["AWS_ENDPOINT_URL"],
        "access.key": os.environ["AWS_ACCESS_KEY_ID"],
        "secret.key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "path.style.access": "true",
        "connection.ssl.enabled": "false",
        "experimental.input.fadvise": "random",
        "threads.keepalivetime": "60",
        "connection.establish.timeout": "30000",
        "connection.timeout": "30000",
        "multipart.purge.age": "86400",
    }
    return {f"spark.{name}": value for name, value in own.items()} | {f"spark.hadoop.fs.s3a.{name}": value for name, value in s3.items()}


def sail(arguments):
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote(arguments.master).getOrCreate()
    query = open(arguments.query).read()

    def compare(output):
        for side in ("live", "shadow"):
            session.read.parquet(f"{arguments.url}/{side}/").createOrReplaceTempView(f"{side}_rows")
        session.sql(query).write.csv(output, header=True)

    return compare


CLIENTS = {"spark": spark, "sail": sail}

if __name__ == "__main__":
    main()
