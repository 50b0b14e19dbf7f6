#!/usr/bin/env python3
"""Writes the made-up data of this example beside this script: live.csv, shadow.csv, flipped.csv, renamed.csv.

Everything comes from one fixed seed, so a second run writes the same bytes. Standard library only.
The old and the new version of a scoring task are computed for every account; then each account's old rows go to the
side where its old version runs: live, or shadow for the accounts that are flipped already.
"""

import csv
import datetime
import pathlib
import random
import unicodedata
from decimal import ROUND_HALF_UP, Decimal

SEED = 20260615
ACCOUNTS = 200
METRICS = ["adoption", "billing", "support", "usage"]
COLUMNS = ["account_id", "metric", "account_name", "plan", "segment", "health_score", "spend", "scored_at", "computed_at"]
NAMES = ["Café Zoë", "Müller & Söhne", "Łódź Logistics", "Smörgås AB", "Señor Taco", "Crème Brûlée SARL", "Ångström Labs",
         "Plain Sailing", "Northwind", "Žižkov Brewery", "Þór Fishing", "São Bento Café", "Acme", "東京計測", "Ωmega Systems"]

FLIPPED = range(1, 61)          # the new version is live for these
TRIAL = range(10, 200, 5)       # the fix is for these: scores move by up to a fifth of the old one
CLOSED = [33, 77, 121, 165]     # the new version writes no rows for closed accounts
RENAMED = range(41, 81)         # segment `smb` becomes `small_business`

# The slips that the comparison is to find: account -> what the new version does wrong.
DECOMPOSED = [5, 92, 146]       # names come back in Unicode form NFD
SHIFTED = [101, 152]            # times are three hours late: the zone of a server
ROUNDED = [88, 134]             # spend is rounded to two digits
TOO_FAR = [15, 90]              # trial accounts whose score moves by more than a fifth
OUT_OF_SCOPE = [18, 119]        # paying accounts whose score moves
DOUBLED = 143                   # one row is written twice
LOST = 171                      # one row is not written


def main():
    here = pathlib.Path(__file__).resolve().parent
    chance = random.Random(SEED)
    live, shadow = [], []
    for number in range(1, ACCOUNTS + 1):
        old = old_version(number, chance)
        new = new_version(number, old, chance)
        live += new if number in FLIPPED else old
        shadow += old if number in FLIPPED else new
    chance.shuffle(shadow)  # the order of rows means nothing
    write(here / "live.csv", COLUMNS, live)
    write(here / "shadow.csv", COLUMNS, shadow)
    write(here / "flipped.csv", ["account_id"], [{"account_id": account_id(number)} for number in FLIPPED])
    write(here / "renamed.csv", ["account_id"], [{"account_id": account_id(number)} for number in RENAMED])


def account_id(number):
    return f"a-{number:04}"


def old_version(number, chance):
    """The rows of one account as the old version writes them."""
    name = f"{chance.choice(NAMES)} {number}"
    if number in DECOMPOSED:
        name = f"Café Zoë {number}"  # a name that has two forms
    plan = "closed" if number in CLOSED else "trial" if number in TRIAL else chance.choice(["basic", "pro"])
    segment = "smb" if number in RENAMED else chance.choice(["enterprise", "public"])
    rows = []
    for metric in METRICS:
        if chance.random() < 0.1:
            continue  # not every account has every metric
        scored = datetime.datetime(2026, 6, 15, 4) + datetime.timedelta(seconds=chance.randrange(3600))
        score = Decimal(chance.randrange(300, 800)) / 10
        spend = Decimal(chance.randrange(1_000_000, 90_000_000)) / 10_000
        if spend * 100 % 1 == 0:
            spend += Decimal("0.0037")  # always something to round
        rows.append({"account_id": account_id(number), "metric": metric, "account_name": name, "plan": plan, "segment": segment,
                     "health_score": f"{score:.1f}", "spend": f"{spend:.4f}", "scored_at": scored.isoformat(),
                     "computed_at": "2026-06-15T05:00:00"})
    return rows


def new_version(number, old, chance):
    """The same rows as the new version writes them: what it should change, then its slips."""
    rows = [] if number in CLOSED else [dict(row, computed_at="2026-06-15T05:20:00") for row in old]
    for row in rows:
        if number in RENAMED:
            row["segment"] = "small_business"
        if number in TRIAL:
            row["health_score"] = moved(row["health_score"], chance.randrange(-19, 20))
        if number in TOO_FAR:
            row["health_score"] = moved(row["health_score"], 45)
        if number in OUT_OF_SCOPE and row is rows[0]:
            row["health_score"] = moved(row["health_score"], 4)
        if number in DECOMPOSED:
            row["account_name"] = unicodedata.normalize("NFD", row["account_name"])
        if number in SHIFTED:
            row["scored_at"] = (datetime.datetime.fromisoformat(row["scored_at"]) + datetime.timedelta(hours=3)).isoformat()
        if number in ROUNDED:
            row["spend"] = str(Decimal(row["spend"]).quantize(Decimal("0.01"), ROUND_HALF_UP))
    if number == DOUBLED:
        rows.append(dict(rows[-1]))
    if number == LOST:
        rows.pop()
    return rows


def moved(score, percent):
    """The score, moved by so many percent and cut to one digit."""
    return f"{(Decimal(score) * (100 + percent) / 100).quantize(Decimal('0.1'), ROUND_HALF_UP)}"


def write(path, columns, rows):
    with open(path, "w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
