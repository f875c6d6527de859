"""Compares what two builds execute for one session, instruction for instruction, and fails on more than 5 %.

usage: guard.py BASE_MIXDOWN HEAD_MIXDOWN

callgrind counts the instructions of a short render on one thread, with the baseline's vector instructions and with AVX2: no
other work on the machine changes a count.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import settings
import sources
from bench import Bench

LIMIT_PERCENT = 5
SECONDS = 3
STEMS = 4
LEVELS = ["baseline", "avx2"]
# The stages of a render by the modules of the engine that their functions stand in; the first that fits counts. The
# assembly of BLAKE3 bears no names.
STAGES = {"read": r"mixdown_dsp::media::(decode|wave|read)|mixdown_dsp::media::asset|symphonia", "write": r"mixdown_dsp::media",
          "measure": r"mixdown_dsp::(loudness|quality|measure|meter)|true_peak|k_weighting|peak_detector",
          "finish": r"mixdown_dsp::finish|limiter|dither", "digest": r"blake3|md5|^\?\?\?:0x", "equaliser": r"::eq|svf",
          "dynamics": r"dynamics|compressor|gain_computer|level_detector|ballistics", "graph": r"mixdown_dsp"}
ROW = re.compile(r"^\s*([\d,]+)\s+(?:\([^)]*\)\s+)?(.*)$")


def stage_of(function):
    """The stage of `file:function [object]`; where the object lies says nothing."""
    function = function.partition(" [")[0]
    return next((stage for stage, pattern in STAGES.items() if re.search(pattern, function)), "other")


def counts(annotated):
    """Instructions by stage, and in total, of what callgrind_annotate prints."""
    by_stage = dict.fromkeys([*STAGES, "other"], 0)
    total = None
    for text in annotated.splitlines():
        if not (row := ROW.match(text)):
            continue
        number, what = int(row[1].replace(",", "")), row[2]
        if "PROGRAM TOTALS" in what:
            total = number
        elif total is not None:
            by_stage[stage_of(what)] += number
    if not total:
        raise ValueError(f"no program totals in {annotated[:200]!r}")
    unlisted = total - sum(by_stage.values())
    if unlisted < 0:
        raise ValueError(f"functions are listed twice: {-unlisted} instructions more than the total of {total}")
    by_stage["other"] += unlisted
    return by_stage, total


def grown(base, head):
    """By how much the count grew, and whether that is too much."""
    return head / base - 1, 100 * head > (100 + LIMIT_PERCENT) * base


def count(mixdown, session, level, folder):
    profile = folder / f"callgrind.{level}"
    out = folder / f"out.{level}"
    subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}", "-q", mixdown, "render", session, "--out",
                    out, "--threads", "1", "--simd", level, "--report", "none"], check=True, stdout=subprocess.DEVNULL)
    annotated = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=99.5", profile], check=True, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    return counts(annotated.stdout)


def main(*programs):
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        stems = [sources.piece(folder / f"{index}.wav", index, SECONDS, 48_000, 24) for index in range(STEMS)]
        session = Bench(programs[1], None, folder).session("guard", settings.job_a(stems))
        for level in LEVELS:
            (base, base_total), (head, head_total) = (count(program, session, level, folder) for program in programs)
            growth, too_much = grown(base_total, head_total)
            failed |= too_much
            print(f"\n| {level} | base, Minstr | head, Minstr | change |\n| --- | --- | --- | --- |")
            for stage in base:
                change = f"{head[stage] / base[stage] - 1:+.1%}" if base[stage] else "–"
                print(f"| {stage} | {base[stage] / 1e6:.1f} | {head[stage] / 1e6:.1f} | {change} |")
            print(f"| all | {base_total / 1e6:.1f} | {head_total / 1e6:.1f} | {growth:+.2%}{' TOO MUCH' if too_much else ''} |")
    sys.exit(f"guard: more than {LIMIT_PERCENT} % more instructions than the base" if failed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
