"""One file through one tool: measured, converted, encoded."""
import peers
import sources
from table import Figure, line

SECONDS = 240


def rows(bench):
    source = sources.stems(bench.folder)[0]
    long48, long96 = (sources.long(bench.folder, rate_hz, source) for rate_hz in (48_000, 96_000))
    out = lambda name: bench.folder / name
    cost = bench.medians({
        "analyze": f"{bench.mixdown} analyze {long48}", "ebur128": peers.loudness(long48),
        "convert": f"{bench.convert} {long96} {out('converted.wav')} 44100", "sox": peers.convert(long96, out("sox.wav")),
        "encode": f"{bench.convert} {long48} {out('encoded.flac')} 48000", "flac": peers.flac(long48, out("flac.flac")),
    }, SECONDS)
    faster = lambda ours, theirs: cost[theirs].wall / cost[ours].wall
    yield line("loudness and true peak of 240 s, `mixdown analyze`", "ffmpeg ebur128 with true peak",
               [Figure("wall", faster("analyze", "ebur128"), at_least=8)])
    yield line("96 → 44.1 kHz", "sox rate -v", [Figure("wall", faster("convert", "sox"), at_least=2)])
    larger = out("encoded.flac").stat().st_size / out("flac.flac").stat().st_size - 1
    yield line("FLAC, 24 bits", "flac -5", [Figure("wall", faster("encode", "flac"), at_least=1),
                                           Figure("size", 100 * larger, at_most=1, unit=" %")])
