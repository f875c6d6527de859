"""Job A and job B as one table of settings, written as a session and as ffmpeg's filters."""
import math

BUS_BELLS = [(60.0, 0.7, 1.0), (10000.0, 0.7, 1.5)]
LIMITER = "alimiter=level=false:limit=0.8913:attack=5:release=50"
LOUDNESS = {"integrated_lufs": -14.0, "ceiling_dbtp": -1.0, "max_limiting_db": 24.0}


def fader_db(index):
    return -3.0 - index % 4


def balance(index):
    return round((index * 7 % 15 - 7) / 10, 2)


def bells(index):
    """Frequency, quality and gain of a stem's three bells."""
    return [(90.0 + 15 * (index % 8), 0.9, 2.0 if index % 2 else -2.5),
            (400.0 + 110 * (index % 9), 1.2, -3.0 if index % 3 else 1.5),
            (3000.0 + 500 * (index % 7), 0.8, 2.5)]


def bell(frequency_hz, q, gain_db):
    return {"kind": "bell", "frequency_hz": frequency_hz, "q": q, "gain_db": gain_db}


def inserts(index, shift_db=0.0):
    """High-pass, three bells and a compressor of a stem. The shift makes a stem that was never rendered, at the same cost."""
    bands = [{"kind": "high_pass", "frequency_hz": 30.0}, *(bell(f, q, g + shift_db) for f, q, g in bells(index))]
    return [{"eq": {"bands": bands}},
            {"compressor": {"threshold_db": -20.0, "ratio": 3.0, "knee_db": 0.0, "attack_ms": 10.0, "release_ms": 120.0}}]


def document(tracks, master=None, rate_hz=48_000, loudness=True, deliverables=None):
    session = {"version": 1, "sample_rate_hz": rate_hz, "tracks": tracks, "master": {"inserts": master or []},
               "deliverables": deliverables or [
                   {"name": "master", "mix": "main", "format": "wav", "depth": "24", "dither": "none"}]}
    return session | ({"loudness": LOUDNESS} if loudness else {})


def bus_inserts():
    return [{"compressor": {"threshold_db": -12.0, "ratio": 2.0, "knee_db": 0.0, "attack_ms": 30.0, "release_ms": 200.0}},
            {"eq": {"bands": [bell(*band) for band in BUS_BELLS]}}]


def job_a(stems, shift_db=0.0):
    return document([{"name": stem.stem, "inserts": inserts(index, shift_db), "clips": [{"file": str(stem)}],
                      "fader_db": fader_db(index), "pan": balance(index)} for index, stem in enumerate(stems)], bus_inserts())


def job_b(track):
    master = [{"eq": {"bands": [{"kind": "low_shelf", "frequency_hz": 200.0, "gain_db": -1.0},
                                {"kind": "high_shelf", "frequency_hz": 6000.0, "gain_db": 1.5}]}},
              {"compressor": {"threshold_db": decibels(0.18), "ratio": 2.0, "attack_ms": 20.0, "release_ms": 200.0}}]
    deliverables = [{"name": "flac", "mix": "main", "format": "flac", "depth": "24"},
                    {"name": "wav", "mix": "main", "format": "wav", "depth": "16"}]
    return document([{"name": "track", "clips": [{"file": str(track)}]}], master, 44_100, deliverables=deliverables)


def decibels(gain):
    return round(20 * math.log10(gain), 3)


def equalizer(frequency_hz, q, gain_db):
    return f"equalizer=f={frequency_hz}:t=q:w={q}:g={gain_db}:r=f64"


def ffmpeg_strip(index, at, to):
    """The filters of one stem, from an input of a graph to a label."""
    left, right = min(1.0, 1 - balance(index)), min(1.0, 1 + balance(index))
    return ",".join([f"[{at}:a]highpass=f=30:p=2:r=f64", *(equalizer(*band) for band in bells(index)),
                     "acompressor=threshold=0.1:ratio=3:attack=10:release=120:knee=1", f"volume={fader_db(index)}dB",
                     f"pan=stereo|c0={left}*c0|c1={right}*c1[{to}]"])


def ffmpeg_bus():
    return ",".join(["acompressor=threshold=0.25:ratio=2:attack=30:release=200:knee=1",
                     *(equalizer(*band) for band in BUS_BELLS)])


def ffmpeg_remaster():
    return ("aformat=sample_fmts=dblp,bass=g=-1:f=200:r=f64,treble=g=1.5:f=6000:r=f64,"
            "acompressor=threshold=0.18:ratio=2:attack=20:release=200")
