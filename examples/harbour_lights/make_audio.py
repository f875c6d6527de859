#!/usr/bin/env python3
"""Makes the audio of this example: our own score, played by the FluidR3 GM sound font.

usage: make_audio.py        (Debian: fluidsynth fluid-soundfont-gm sox flac)

The score below is the whole composition: fourteen bars at 100 beats per minute. Each part becomes one dry file in audio/,
as a multitrack recording would give it. The files are kept in the repository; run this only to change the music.
"""
import pathlib
import struct
import subprocess
import tempfile

BPM = 100
TICKS = 480  # per quarter
COUNT_IN = 2  # bars 0 and 1 are counted, not recorded
BARS = 16
RATE = 48000
SOUND_FONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
HERE = pathlib.Path(__file__).resolve().parent

# One chord a bar, spelled as MIDI notes from the bass up.
CHORDS = {
    "Am9": (45, [57, 60, 64, 67, 71]), "Fmaj7": (41, [57, 60, 64, 65, 69]), "C": (36, [55, 60, 64, 67, 72]),
    "G6": (43, [55, 59, 62, 64, 67]), "Dm7": (38, [57, 60, 62, 65, 69]), "E7": (40, [56, 59, 62, 64, 68]),
}
FORM = ["Am9", "Fmaj7", "C", "G6", "Am9", "Fmaj7", "Dm7", "E7", "Am9", "Fmaj7", "C", "G6", "Dm7", "E7", "Am9", "Am9"]

# The tune: (bar, beat, length in beats, note, velocity).
TUNE = [
    (4, 0.5, 1.0, 76, 92), (4, 1.5, 0.5, 74, 84), (4, 2.0, 1.75, 72, 96), (5, 0.0, 0.5, 69, 84), (5, 0.5, 0.5, 72, 90),
    (5, 1.0, 2.5, 76, 100), (6, 0.5, 0.5, 77, 92), (6, 1.0, 1.0, 76, 90), (6, 2.0, 0.5, 74, 86), (6, 2.5, 1.25, 72, 92),
    (7, 0.0, 1.5, 71, 96), (7, 2.0, 1.75, 68, 90), (8, 0.5, 1.0, 76, 98), (8, 1.5, 0.5, 79, 96), (8, 2.0, 1.75, 81, 106),
    (9, 0.0, 0.5, 79, 92), (9, 0.5, 0.5, 77, 90), (9, 1.0, 2.5, 76, 100), (10, 0.5, 0.5, 72, 92), (10, 1.0, 1.0, 74, 94),
    (10, 2.0, 1.75, 76, 98), (11, 0.0, 1.5, 74, 96), (11, 1.5, 2.0, 71, 92), (12, 0.5, 0.5, 69, 90), (12, 1.0, 1.0, 72, 96),
    (12, 2.0, 1.75, 77, 104), (13, 0.0, 1.0, 76, 98), (13, 1.0, 1.0, 74, 94), (13, 2.0, 1.75, 71, 92), (14, 0.0, 3.5, 69, 100),
]


class Dice:
    """A linear congruential generator (Numerical Recipes constants): the same players on every machine."""

    def __init__(self, seed):
        self.state = seed

    def spread(self, width):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return round((self.state / 2**32 - 0.5) * 2 * width)


def kick():
    for bar in range(2, 15):
        for beat, velocity in ((0, 112), (1.75, 84), (2.5, 104)):
            yield bar, beat, 0.25, 36, velocity
    yield 15, 0, 0.5, 36, 116


def snare():
    for bar in range(2, 15):
        for beat, velocity in ((1, 108), (3, 112)):
            yield bar, beat, 0.25, 38, velocity
        yield bar, 2.25, 0.2, 38, 42
    for step in range(4):
        yield 7, 3 + step / 4, 0.2, 38, 70 + 12 * step


def hats():
    for bar in range(1, 15):
        for eighth in range(8):
            note = 46 if eighth == 7 and bar % 2 else 42
            yield bar, eighth / 2, 0.2, note, 88 if eighth % 2 == 0 else 64


def cymbals():
    for bar in (2, 8, 14):
        yield bar, 0, 2, 49, 96
    for bar in range(8, 14):
        for beat in range(4):
            yield bar, beat, 0.5, 51, 70 + 8 * (beat % 2)


def bass():
    for bar, chord in enumerate(FORM):
        root = CHORDS[chord][0]
        if bar < 2:
            continue
        if bar == 15:
            yield bar, 0, 3.5, root, 100
            continue
        for beat, length, interval, velocity in ((0, 1.4, 0, 108), (1.75, 0.5, 0, 90), (2.5, 0.9, 7, 98), (3.5, 0.4, 12, 88)):
            yield bar, beat, length, root + interval, velocity


def keys():
    for bar, chord in enumerate(FORM):
        for beat, length in ((0, 1.25), (1.5, 0.4), (2.5, 1.2)) if bar < 15 else ((0, 3.8),):
            for note in CHORDS[chord][1]:
                yield bar, beat, length, note, 78


def guitar():
    for bar, chord in enumerate(FORM[:15]):
        if bar >= 4:
            notes = CHORDS[chord][1]
            for step in range(8):
                yield bar, step / 2, 0.45, notes[(step * 2) % 5] + 12, 80 if step % 2 else 92


def strings():
    for bar, chord in enumerate(FORM[:15]):
        if bar >= 8:
            for note in CHORDS[chord][1][1:4]:
                yield bar, 0, 3.95, note + 12, 72


def arp():
    for bar, chord in enumerate(FORM[:15]):
        if bar >= 2:
            notes = CHORDS[chord][1]
            for step in range(16):
                yield bar, step / 4, 0.22, notes[(0, 2, 4, 3, 1, 4, 2, 3)[step % 8]] + 12, 76


def lead_vox():
    yield from TUNE


def harmony_vox():
    below = {76: 72, 74: 71, 72: 69, 69: 64, 77: 74, 71: 68, 68: 64, 79: 76, 81: 77}
    for bar, beat, length, note, velocity in TUNE:
        if bar >= 8:
            yield bar, beat, length, below[note], velocity - 14


# name, part, General MIDI program (None: drums), channels, rate
PARTS = [
    ("kick", kick, None, 1, RATE), ("snare", snare, None, 1, RATE), ("hats", hats, None, 1, 44100),
    ("cymbals", cymbals, None, 1, RATE), ("bass", bass, 33, 1, RATE), ("keys", keys, 4, 1, RATE),
    ("guitar", guitar, 27, 1, 44100), ("strings", strings, 48, 2, RATE), ("arp", arp, 12, 1, RATE),
    ("lead_vox", lead_vox, 53, 1, RATE), ("harmony_vox", harmony_vox, 52, 1, RATE),
]


def variable_length(value):
    out = [value & 0x7F]
    while value := value >> 7:
        out.insert(0, 0x80 | (value & 0x7F))
    return bytes(out)


def midi_file(notes, program, seed):
    """A format 0 Standard MIDI File of one part."""
    dice, channel, events = Dice(seed), 9 if program is None else 0, []
    for bar, beat, length, note, velocity in notes:
        if bar < COUNT_IN:
            continue
        start = max(0, round(((bar - COUNT_IN) * 4 + beat) * TICKS) + dice.spread(5))
        strength = min(127, max(1, velocity + dice.spread(6)))
        events.append((start, 1, bytes([0x90 | channel, note, strength])))
        events.append((start + round(length * TICKS), 0, bytes([0x80 | channel, note, 0])))
    track, now = b"\x00\xff\x51\x03" + struct.pack(">I", 60_000_000 // BPM)[1:], 0
    if program is not None:
        track += bytes([0, 0xC0 | channel, program])
    for tick, _, message in sorted(events):
        track += variable_length(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS)
    return header + b"MTrk" + struct.pack(">I", len(track)) + track


def main():
    seconds = (BARS - COUNT_IN) * 4 * 60 / BPM
    (HERE / "audio").mkdir(exist_ok=True)
    for seed, (name, part, program, channels, rate) in enumerate(PARTS):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "part.mid").write_bytes(midi_file(part(), program, seed))
            subprocess.run(["fluidsynth", "-q", "-n", "-i", "-F", folder / "raw.wav", "-T", "wav", "-O", "s24", "-r", str(rate),
                            "-R", "0", "-C", "0", "-g", "0.5", SOUND_FONT, folder / "part.mid"], check=True)
            subprocess.run(["sox", "-D", "-R", folder / "raw.wav", "-b", "16", folder / "part.wav", "remix",
                            *(["-"] if channels == 1 else ["1", "2"]), "pad", "0", "20", "trim", "0", str(seconds)],
                           check=True, stderr=subprocess.DEVNULL)
            subprocess.run(["flac", "-s", "-f", "-8", "--no-padding", "-o", HERE / "audio" / f"{name}.flac",
                            folder / "part.wav"], check=True)


if __name__ == "__main__":
    main()
