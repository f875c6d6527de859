"""How long `mixdown render` takes from the session's having been read to the first block of audio."""
import re
import statistics
import subprocess

import paths
import settings
import sources
from table import Figure, line

TOLD = re.compile(r"the first audio is processed.*seconds=(\S+)")


def rows(bench):
    session = bench.session("start", settings.job_a(sources.stems(bench.folder)))
    command = f"NO_COLOR=1 {bench.render(session, words='--log info')}"
    seconds = [once(command) for _ in range(paths.RUNS)]
    yield line("start of `mixdown render` to the first audio", "–",
               [Figure("beyond reading the session", 1000 * statistics.median(seconds), at_most=50, unit=" ms")])


def once(command):
    done = subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return float(TOLD.search(done.stderr).group(1))
