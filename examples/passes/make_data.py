#!/usr/bin/env python3
"""Writes the made-up data of this example beside this script: live.parquet and shadow.csv.

Needs pyarrow for the Parquet side; the files are in the repository, so nobody has to run it.
"""

import csv
import datetime
import pathlib
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA = pa.schema([
    ("customer", pa.string()),
    ("invoice", pa.int32()),
    ("due", pa.date32()),
    ("net", pa.decimal128(10, 2)),
    ("tax", pa.decimal128(10, 2)),
    ("discount", pa.float64()),
])

# customer, invoice, due day of July 2026, net, tax, discount; then tax and discount as the new version has them.
INVOICES = [
    ("007", 1, 1, "100.00", "19.00", 0.0, "19.00", 0.0),
    ("007", 2, 15, "49.99", "9.50", 0.0, "9.49", 0.0),
    ("Bäckerei Öz", 1, 3, "1250.00", "237.50", 0.05, "237.50", 0.07),
    ("Bäckerei Öz", 2, 17, "18.20", "3.46", 0.05, "3.45", 0.07),
    ("Bäckerei Öz", 3, 31, "77.70", "14.76", 0.05, "14.76", 0.07),
    ("Northwind", 1, 9, "310.00", "58.90", 0.0, "58.90", 0.0),
    ("Northwind", 2, 23, "0.00", "0.00", None, "0.00", None),
    ("Zhou & Co", 1, 12, "640.50", "121.70", 0.1, "121.69", 0.12),
]


def main():
    here = pathlib.Path(__file__).resolve().parent
    live, shadow = [], []
    for customer, invoice, day, net, tax, discount, new_tax, new_discount in INVOICES:
        due = datetime.date(2026, 7, day)
        live.append((customer, invoice, due, Decimal(net), Decimal(tax), discount))
        shadow.append((customer, invoice, due, net, new_tax, new_discount))
    columns = [pa.array(column, field.type) for column, field in zip(zip(*live), SCHEMA)]
    pq.write_table(pa.table(columns, schema=SCHEMA), here / "live.parquet", compression="zstd")
    with open(here / "shadow.csv", "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(SCHEMA.names)
        writer.writerows(reversed(shadow))


if __name__ == "__main__":
    main()
