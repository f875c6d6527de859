"""Runs commands in turn and takes the medians of what they cost."""
import dataclasses
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import threading
import time

from paths import ROOT

# The meter that the goals are stated by, where it lies beside the project; else the one below, which measures alike.
METER = ROOT.parent / "shared/bench/meas.py"
COLUMNS = {"wall": 2, "cpu": 3, "peak": 4}
SAMPLE_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Cost:
    """Seconds on the clock, seconds of CPU of the whole tree of processes, and its peak of resident MiB."""
    wall: float
    cpu: float
    peak: float


def medians(commands, runs, seconds):
    """The median cost of each of the shell commands by their labels, run A B C A B C …; ends the bench when one fails."""
    return by_meter(commands, runs, seconds) if METER.exists() else by_hand(commands, runs)


def by_meter(commands, runs, seconds):
    words = [word for pair in commands.items() for word in pair]
    done = subprocess.run([sys.executable, METER, str(runs), str(seconds), *words], stdout=subprocess.PIPE, text=True, check=True)
    sys.stderr.write(done.stdout)
    rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in done.stdout.splitlines()[2:]]
    if failed := [row[0] for row in rows if "FAILED" in row[0]]:
        sys.exit(f"failed: {', '.join(failed)}")
    return {row[0]: Cost(**{name: float(row[at].split()[0]) for name, at in COLUMNS.items()}) for row in rows}


def by_hand(commands, runs):
    taken = {label: [] for label in commands}
    for _ in range(runs):
        for label, command in commands.items():
            taken[label].append(run(command))
    middle = lambda costs, name: statistics.median(getattr(cost, name) for cost in costs)
    return {label: Cost(*(middle(costs, name) for name in COLUMNS)) for label, costs in taken.items()}


def run(command):
    """The cost of one run of a shell command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(["sh", "-c", command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peaks, ended = [0.0], threading.Event()

    def sample():
        while not ended.wait(SAMPLE_SECONDS):
            peaks.append(resident_mib(process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    error = process.communicate()[1]
    wall = time.perf_counter() - started
    ended.set()
    sampler.join()
    if process.returncode:
        sys.exit(f"{command}: {error.decode(errors='replace')[-800:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, max(peaks))


def resident_mib(root):
    """What a process and all below it hold in memory."""
    children, pages = {}, {}
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            children.setdefault(int(fields[1]), []).append(int(folder.name))
            pages[int(folder.name)] = int(fields[21])
    total, todo = 0, [root]
    while todo:
        process = todo.pop()
        total += pages.get(process, 0)
        todo += children.get(process, [])
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20
