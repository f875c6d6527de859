"""Where things lie, and how large the bench is."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
AUDIO = ROOT / "examples/harbour_lights/audio"
PARTS = sorted(AUDIO.glob("*.flac"))

RUNS = int(os.environ.get("MIXDOWN_BENCH_RUNS", "5"))
SECONDS = int(os.environ.get("MIXDOWN_BENCH_SECONDS", "200"))
STEMS = int(os.environ.get("MIXDOWN_BENCH_STEM_COUNT", "22"))
TRACKS = int(os.environ.get("MIXDOWN_BENCH_CATALOG_COUNT", "20"))
MINUTES = [int(word) for word in os.environ.get("MIXDOWN_BENCH_MINUTES", "1,10,120").split(",")]
WIDTHS = [int(word) for word in os.environ.get("MIXDOWN_BENCH_WIDTHS", "8,64,256").split(",")]
