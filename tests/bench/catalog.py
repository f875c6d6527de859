"""Job B: a catalog remastered, two tracks at a time, FLAC 24 and dithered 16-bit WAV."""
import re
import subprocess

import bench as work
import peers
import settings
import sources
from table import Figure, line

SUMMARY = re.compile(r"Summary:.*?I:\s*(\S+) LUFS.*?Peak:\s*(\S+) dBFS", re.DOTALL)


def rows(bench):
    tracks = sources.catalog(bench.folder)
    for track in tracks:
        bench.session(f"b-{track.stem}", settings.job_b(track))
    sessions = [f"b-{track.stem}" for track in tracks]
    one = f"{bench.mixdown} render {bench.folder}/{{}}.json --out {bench.folder}/job-b/{{}} --threads 1 --report none"
    cost = bench.medians({"mixdown": work.xargs(one, sessions), "ffmpeg": peers.remaster(tracks, bench.folder / "ffmpeg-b")})
    files = (file for name in sessions for file in sorted((bench.folder / "job-b" / name).iterdir()))
    heard = [listen(file) for file in files]
    target, ceiling = settings.LOUDNESS["integrated_lufs"], settings.LOUDNESS["ceiling_dbtp"]
    yield line(f"job B, {len(tracks)} tracks", "ffmpeg, two at a time", [
        Figure("tracks per minute", cost["ffmpeg"].wall / cost["mixdown"].wall, at_least=3),
        Figure("of ours", 60 * len(tracks) / cost["mixdown"].wall, unit="/min"),
        Figure("loudness error", max(abs(lufs - target) for lufs, _ in heard), at_most=0.1, unit=" LU"),
        Figure("overs", sum(peak > ceiling for _, peak in heard), at_most=0, unit="")])


def listen(file):
    """Integrated loudness and true peak of a file, by ffmpeg."""
    done = subprocess.run(peers.loudness(file), shell=True, stderr=subprocess.PIPE, text=True, check=True)
    return tuple(float(number) for number in SUMMARY.search(done.stderr).groups())
