"""Job A through a running embedded farm: cold, with all stems kept, and recalled."""
import contextlib
import copy
import json
import os
import signal
import subprocess
import time

import paths
import settings
import sources
from table import Figure, line

# A difference that no ear hears and every key sees: each run renders what was never rendered.
SHIFT_DB = 0.001


@contextlib.contextmanager
def running(bench):
    """The address of a farm that stands until the end."""
    data = bench.folder / "farm"
    with open(bench.folder / "farm.log", "wb") as log:
        farm = subprocess.Popen([bench.mixdown, "serve", "--data", data, "--listen", "127.0.0.1:0", "--json"],
                                stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            yield json.loads(farm.stdout.readline())["url"]
        finally:
            farm.send_signal(signal.SIGTERM)
            farm.wait()


def variants(bench, stems):
    """Sessions by name and run: local and cold, kept and its two recalls. Each run's stems were never rendered before."""
    for run in range(paths.RUNS + 1):
        cold, kept = (settings.job_a(stems, SHIFT_DB * (2 * run + odd)) for odd in (0, 1))
        fader, insert = copy.deepcopy(kept), copy.deepcopy(kept)
        for track in fader["tracks"][:2]:
            track["fader_db"] += 1.0
        insert["tracks"][0]["inserts"][1]["compressor"]["threshold_db"] += 1.0
        for name, session in {"local": cold, "cold": cold, "kept": kept, "fader": fader, "insert": insert}.items():
            bench.session(f"{name}-{run}", session)


def rows(bench):
    stems = sources.stems(bench.folder)
    variants(bench, stems)
    with running(bench) as url:
        send = lambda session, when: (f"{bench.mixdown} submit {bench.folder}/{session}.json --coordinator {url} --wait "
                                      f"--out {bench.folder}/delivered --report none --keep-stems {when}")
        submit = lambda name, when: bench.counted(name, send(f"{name}-$n", when))
        commands = {"local": bench.counted("local", bench.render(bench.folder / "local-$n.json")),
                    "cold": submit("cold", "never"), "kept": submit("kept", "always"),
                    "fader": submit("fader", "always"), "insert": submit("insert", "always")}
        def growth(name, when, shift):
            """Bytes that a job leaves in the store."""
            bench.session(name, settings.job_a(stems, shift * SHIFT_DB))
            before = stored_bytes(bench)
            subprocess.run(send(name, when), shell=True, check=True, stdout=subprocess.DEVNULL)
            return stored_bytes(bench) - before

        growth("upload", "never", -1)
        # Both leave a master; one leaves what is kept as well.
        kept_bytes = growth("all", "always", -3) - growth("master", "never", -2)
        cost = bench.medians(commands)
        writing = write_seconds(bench.folder / "farm" / "written", kept_bytes)
    local, cold = cost["local"].wall, cost["cold"].wall
    yield line("job A through a farm, sources uploaded", "`mixdown render`", [
        Figure("wall", cold / local, at_most=1.1),
        Figure(f"all stems kept, less {writing:.2f} s to write as much,", (cost["kept"].wall - writing) / local, at_most=1.3)])
    yield line("job A after two faders; after one insert", "its first run without kept stems", [
        Figure("faders", cost["fader"].wall / cold, at_most=0.35), Figure("insert", cost["insert"].wall / cold, at_most=0.4)])


def stored_bytes(bench):
    files = (path for path in (bench.folder / "farm/store").rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def write_seconds(path, size):
    """How long it takes to write so many bytes to a new file, and to have them on the disk."""
    block, started = os.urandom(1 << 20), time.perf_counter()
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(block)
        os.fsync(file.fileno())
    path.unlink()
    return time.perf_counter() - started
