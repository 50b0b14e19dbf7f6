#!/usr/bin/env python3
"""Writes the made-up data of this example beside this script: old.csv, first.csv, second.csv, third.csv.

Everything comes from one fixed seed, so a second run writes the same bytes. Standard library only. `old.csv` is what the old version of a scoring task
writes, the others are three tries of the new one.
"""

import csv
import datetime
import pathlib
import random
from decimal import Decimal

SEED = 20260615
ACCOUNTS = 150
METRICS = ["adoption", "usage"]
COLUMNS = ["account_id", "metric", "plan", "region", "segment", "score", "scored_at"]

# What goes wrong in the first try alone.
LOST = [17, 93]                 # rows of these accounts are gone
ODD = [40, 71, 118]             # scores of paying accounts move


def old_rows():
    draw = random.Random(SEED)
    for number in range(1, ACCOUNTS + 1):
        plan = draw.choice(["trial", "pro", "pro", "free"])
        region = draw.choice(["eu", "us", "apac"])
        segment = draw.choice(["smb", "mid", "enterprise"])
        for metric in METRICS:
            score = Decimal(draw.randrange(100, 1000)) / 10
            at = datetime.datetime(2026, 6, 15, 4, draw.randrange(60), draw.randrange(60))
            yield [f"a-{number:04}", metric, plan, region, segment, score, at]


def new_row(row, number, tries):
    """The same row by the new version; None where it is lost."""
    account, metric, plan, region, segment, score, at = row
    if tries == 1 and number in LOST and metric == "usage":
        return None
    if plan == "trial":
        score = score * Decimal("1.1")                  # what the release is for
    elif tries == 1 and number in ODD:
        score = score - Decimal(number) / 10
    if region == "eu" and segment == "smb":
        segment = "small_business"                      # meant too
    if tries < 3 and region == "apac":
        at += datetime.timedelta(hours=3)               # the time zone of a server: a bug that stays for a while
    return [account, metric, plan, region, segment, score, at]


def write(name, rows):
    with open(pathlib.Path(__file__).parent / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for *texts, score, at in rows:
            writer.writerow([*texts, f"{score:.2f}", at.isoformat()])


def main():
    old = list(old_rows())
    write("old.csv", old)
    for tries, name in enumerate(["first.csv", "second.csv", "third.csv"], 1):
        new = [new_row(row, int(row[0][2:]), tries) for row in old]
        write(name, [row for row in new if row])


if __name__ == "__main__":
    main()
