#!/usr/bin/env python3
"""Measures `mixdown render`. usage: bench.py MIXDOWN

Sessions are built from the audio of the example, repeated by clips, so that nothing but the release binary is needed.
Prints wall time, CPU time, peak resident memory and x-realtime, medians of RUNS runs taken in turn. When a folder of
stems is given by MIXDOWN_BENCH_STEMS and a peer's command by MIXDOWN_BENCH_PEER (with {out} for the file it writes), both
mix and master these stems in turn and the ratios are printed.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
AUDIO = ROOT / "examples/harbour_lights/audio"
RUNS = int(os.environ.get("MIXDOWN_BENCH_RUNS", "3"))
PARTS = ["kick", "snare", "bass", "keys", "strings", "arp", "lead_vox", "harmony_vox"]
CLIP_SECONDS = 33.6


def chain(index):
    """High-pass, three bells and a compressor, settings that differ from track to track."""
    return [
        {"eq": {"bands": [
            {"kind": "high_pass", "frequency_hz": 30.0},
            {"kind": "bell", "frequency_hz": 90.0 + 15 * (index % 8), "q": 0.9, "gain_db": 2.0 if index % 2 else -2.5},
            {"kind": "bell", "frequency_hz": 400.0 + 110 * (index % 9), "q": 1.2, "gain_db": -3.0 if index % 3 else 1.5},
            {"kind": "bell", "frequency_hz": 3000.0 + 500 * (index % 7), "q": 0.8, "gain_db": 2.5}]}},
        {"compressor": {"threshold_db": -20.0, "ratio": 3.0, "knee_db": 0.0, "attack_ms": 10.0, "release_ms": 120.0}},
    ]


def document(tracks, rate=48000):
    return {
        "version": 1, "sample_rate_hz": rate, "tracks": tracks,
        "master": {"inserts": [
            {"compressor": {"threshold_db": -12.0, "ratio": 2.0, "knee_db": 0.0, "attack_ms": 30.0, "release_ms": 200.0}},
            {"eq": {"bands": [{"kind": "bell", "frequency_hz": 60.0, "q": 0.7, "gain_db": 1.0},
                              {"kind": "bell", "frequency_hz": 10000.0, "q": 0.7, "gain_db": 1.5}]}}]},
        "loudness": {"integrated_lufs": -14.0, "ceiling_dbtp": -1.0, "max_limiting_db": 24.0},
        "deliverables": [{"name": "master", "mix": "main", "format": "wav", "depth": "24", "dither": "none"}],
    }


def repeated(minutes):
    """Eight tracks of so many minutes: the example's parts, one after the other."""
    clips = max(1, round(minutes * 60 / CLIP_SECONDS))
    tracks = [{"name": part, "inserts": chain(index), "clips": [
        {"file": str(AUDIO / f"{part}.flac"), "at": f"{CLIP_SECONDS * clip:.3f}s"} for clip in range(clips)]}
        for index, part in enumerate(PARTS)]
    return document(tracks), clips * CLIP_SECONDS


def stems(folder):
    """One track per stem, gain and balance as a mix would have them."""
    files = sorted(pathlib.Path(folder).glob("*.wav"))
    return document([{"name": file.stem, "inserts": chain(index), "clips": [{"file": str(file)}], "fader_db": -3.0 - index % 4,
                      "pan": round((index * 7 % 15 - 7) / 10, 2)} for index, file in enumerate(files)])


def run(command):
    """Wall s, CPU s and peak resident MiB of a command's process (a shell's children count only for the CPU time)."""
    started = time.perf_counter()
    process = subprocess.Popen(command, shell=isinstance(command, str), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command}: {error.decode(errors='replace')[-800:]}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def table(rows, runs=RUNS):
    """rows: (label, seconds of audio, command). Runs them in turn and prints the medians."""
    taken = {label: [] for label, _, _ in rows}
    for _ in range(runs):
        for label, _, command in rows:
            taken[label].append(run(command))
    medians = {label: [statistics.median(column) for column in zip(*runs)] for label, runs in taken.items()}
    print("| | wall s | CPU s | peak MiB | x realtime |\n| --- | --- | --- | --- | --- |")
    for label, seconds, _ in rows:
        wall, cpu, peak = medians[label]
        print(f"| {label} | {wall:.2f} | {cpu:.2f} | {peak:.0f} | {seconds / wall:.0f} |", flush=True)
    return medians


def main(mixdown):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)

        def render(name, session, threads):
            path = folder / f"{name}.json"
            path.write_text(json.dumps(session))
            return [mixdown, "render", str(path), "--out", str(folder / name), "--threads", str(threads)]

        rows = []
        for minutes in (1, 10, 60):
            session, seconds = repeated(minutes)
            rows.append((f"8 tracks, {minutes} min", seconds, render(f"m{minutes}", session, 2)))
        print("Memory over duration:\n")
        medians = table(rows, runs=1)
        growth = medians["8 tracks, 60 min"][2] - medians["8 tracks, 1 min"][2]
        print(f"\n60 minutes take {growth:.0f} MiB more than 1 minute (the promise: at most 200).\n")

        session, seconds = repeated(5)
        print("Threads:\n")
        medians = table([(f"5 min, {n} threads", seconds, render(f"t{n}", session, n)) for n in (1, 2)])
        ratio = medians["5 min, 1 threads"][0] / medians["5 min, 2 threads"][0]
        print(f"\nTwo threads are {ratio:.2f} times as fast as one.\n")

        if "MIXDOWN_BENCH_STEMS" in os.environ:
            peer = os.environ["MIXDOWN_BENCH_PEER"].replace("{out}", str(folder / "peer.wav"))
            seconds = float(os.environ.get("MIXDOWN_BENCH_SECONDS", "200"))
            ours = render("job", stems(os.environ["MIXDOWN_BENCH_STEMS"]), 2)
            print("Beside a peer:\n")
            medians = table([("mixdown", seconds, ours), ("peer", seconds, peer)])
            wall, cpu = (medians["peer"][i] / medians["mixdown"][i] for i in (0, 1))
            print(f"\nmixdown is {wall:.2f} times as fast on the clock and takes {1 / cpu:.2f} of the CPU time.")


if __name__ == "__main__":
    main(*sys.argv[1:])
