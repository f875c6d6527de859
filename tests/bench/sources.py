"""The audio that is worked on: folders given by the caller, or pieces of the example's parts, made by SoX."""
import os
import pathlib
import subprocess

import paths

PIECE_SECONDS = 30


def sox(*words):
    subprocess.run(["sox", "-D", "-V1", *map(str, words)], check=True)


def stems(folder):
    """Stereo stems, 48 kHz, 24 bits: of MIXDOWN_BENCH_STEMS, else the example's parts, each begun elsewhere and repeated."""
    if given := os.environ.get("MIXDOWN_BENCH_STEMS"):
        return sorted(pathlib.Path(given).glob("*.wav"))[:paths.STEMS]
    return [piece(folder / f"{index:02}_{paths.PARTS[index % len(paths.PARTS)].stem}.wav", index, paths.SECONDS, 48_000, 24)
            for index in range(paths.STEMS)]


def catalog(folder):
    """Stereo tracks, 44.1 kHz, 16 bits: of MIXDOWN_BENCH_CATALOG, else pieces of the example's parts."""
    if given := os.environ.get("MIXDOWN_BENCH_CATALOG"):
        return sorted(pathlib.Path(given).glob("*.wav"))[:paths.TRACKS]
    return [piece(folder / f"track_{index:02}.wav", index, paths.SECONDS, 44_100, 16) for index in range(paths.TRACKS)]


def long(folder, rate_hz, source):
    """240 s of a stereo file at a rate, 24 bits."""
    path = folder / f"long_{rate_hz}.wav"
    if not path.exists():
        sox(source, "-b", 24, path, "rate", "-v", rate_hz, "repeat", 240, "trim", 0, 240)
    return path


def piece(path, index, seconds, rate_hz, bits):
    if not path.exists():
        part = paths.PARTS[index % len(paths.PARTS)]
        start = index // len(paths.PARTS) * 7
        sox(part, "-b", bits, "-c", 2, path, "trim", start, PIECE_SECONDS - start, "rate", rate_hz,
            "repeat", seconds // (PIECE_SECONDS - start) + 1, "trim", 0, seconds)
    return path
