"""What a second of a track, or of a deliverable, costs in sessions of many lengths and widths; and what memory grows by."""
import paths
import settings
import sources
from table import Figure, line

CLIP_SECONDS = min(30, paths.SECONDS)
WIDE_SECONDS = 60
DELIVERABLES = (1, 4)


def repeated(stems, tracks, seconds):
    """So many tracks of so many seconds that play the same few files, clip after clip."""
    def track(index):
        file = str(stems[index % len(stems)])
        clips = [{"file": file, "at": f"{start}s", "length": f"{min(CLIP_SECONDS, seconds - start)}s"}
                 for start in range(0, seconds, CLIP_SECONDS)]
        return {"name": f"Track {index}", "inserts": settings.inserts(index % 22), "clips": clips,
                "fader_db": settings.fader_db(index) - 12, "pan": settings.balance(index)}
    # Without a tail at the end, which a short session would have more of.
    return settings.document([track(index) for index in range(tracks)], settings.bus_inserts()) | {"end": f"{seconds}s"}


def rows(bench):
    stems = sources.stems(bench.folder)[:8]
    shapes = [(8, minutes * 60) for minutes in paths.MINUTES] + [(tracks, WIDE_SECONDS) for tracks in paths.WIDTHS]
    commands, per = {}, {}
    for tracks, seconds in dict.fromkeys(shapes):
        label = f"{tracks} tracks of {seconds} s"
        commands[label] = bench.render(bench.session(f"scale-{tracks}-{seconds}", repeated(stems, tracks, seconds)))
        per[label] = tracks * seconds
    cost = bench.medians(commands, runs=1 if max(paths.MINUTES) > 20 else paths.RUNS)
    each = [cost[label].cpu / per[label] for label in commands]
    long, short = (cost[f"8 tracks of {minutes * 60} s"] for minutes in (max(paths.MINUTES), min(paths.MINUTES)))
    yield line(f"CPU per track-second, {min(paths.MINUTES)} to {max(paths.MINUTES)} min, "
               f"{min(paths.WIDTHS)} to {max(paths.WIDTHS)} tracks", "itself", [
                   Figure("largest to smallest", max(each) / min(each), at_most=1.1),
                   Figure("at the least", 1e6 * min(each), unit=" µs"),
                   Figure("memory, longest to shortest", long.peak / short.peak, at_most=1.1)])
    yield deliverables(bench, stems)


def deliverables(bench, stems):
    """What one more file of the same mix costs, from one to several."""
    commands = {}
    for count in DELIVERABLES:
        session = repeated(stems, 8, WIDE_SECONDS)
        session["deliverables"] = [{"name": f"master {index}", "mix": f"mix {index}", "format": "wav", "depth": "24",
                                    "dither": "none"} for index in range(count)]
        session["mixes"] = [{"name": f"mix {index}", "mute": [f"Track {index}"]} for index in range(count)]
        commands[count] = bench.render(bench.session(f"deliver-{count}", session))
    cost = bench.medians({str(count): command for count, command in commands.items()})
    each = [cost[str(count)].cpu / (count * WIDE_SECONDS) for count in DELIVERABLES]
    return line(f"CPU per deliverable-second, {DELIVERABLES[0]} to {DELIVERABLES[-1]} mixes", "itself",
                [Figure("last to first", each[-1] / each[0], at_most=1.1)])
