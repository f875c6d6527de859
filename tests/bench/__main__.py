"""Prints the table of what Mixdown costs beside its peers. usage: tests/bench MIXDOWN CONVERT

MIXDOWN is the program, CONVERT the engine's example of that name. MIXDOWN_BENCH_ONLY names the parts to run, by their
files here: `mix,files` say. MIXDOWN_BENCH_RUNS, _SECONDS, _STEM_COUNT, _CATALOG_COUNT, _MINUTES and _WIDTHS make it smaller;
MIXDOWN_BENCH_STEMS and MIXDOWN_BENCH_CATALOG are folders of WAV files to work on instead of the example's audio.
"""
import importlib
import os
import sys
import tempfile

import table
from bench import Bench

PARTS = ["mix", "farm", "catalog", "files", "scaling", "start"]


def main(mixdown, convert):
    wanted = os.environ.get("MIXDOWN_BENCH_ONLY", ",".join(PARTS)).split(",")
    print(table.HEAD)
    for part in wanted:
        # Each in a folder of its own, gone before the next: sessions and stems are large.
        with tempfile.TemporaryDirectory() as folder:
            for row in importlib.import_module(part).rows(Bench(mixdown, convert, folder)):
                print(row, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
