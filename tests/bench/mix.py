"""Job A on one machine, beside ffmpeg and beside itself on one thread."""
import peers
import settings
import sources
from table import Figure, line


def rows(bench):
    stems = sources.stems(bench.folder)
    session = bench.session("job-a", settings.job_a(stems))
    cost = bench.medians({
        "mixdown": bench.render(session), "ffmpeg": peers.mix_in_two(stems, bench.folder / "ffmpeg-a"),
        "one thread": bench.render(session, threads=1)})
    ours, theirs = cost["mixdown"], cost["ffmpeg"]
    yield line(f"job A, `mixdown render`, {len(stems)} stems", "ffmpeg in two processes", [
        Figure("wall", theirs.wall / ours.wall, at_least=5), Figure("CPU", theirs.cpu / ours.cpu, at_least=4),
        Figure("memory", ours.peak / theirs.peak, at_most=1)])
    yield line("one thread to two", "itself", [Figure("wall", cost["one thread"].wall / ours.wall, at_least=1.9)])
