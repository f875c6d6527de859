"""The peers' shell commands: the fastest way known to do the same with today's tools."""
import shlex

import settings

FFMPEG = "ffmpeg -nostdin -hide_banner -y -filter_complex_threads 1 -filter_threads 1"
READ = "-f wav -max_size 262144"
GAIN = ("gain() { sed -n 's/^ *I: *\\(-\\{0,1\\}[0-9.]*\\) LUFS/\\1/p' \"$1\" | tail -1 | "
        "awk '{ print -14 - $1 }'; }")


def mix_in_two(stems, folder):
    """Job A: two processes mix half of the stems each, a third the bus while it measures; then gain and limiter."""
    folder.mkdir(exist_ok=True)
    pipes = [folder / f"half-{half}.f32" for half in (0, 1)]
    lines = ["set -e", GAIN, f"rm -f {pipes[0]} {pipes[1]}; mkfifo {pipes[0]} {pipes[1]}"]
    for half, pipe in enumerate(pipes):
        mine = list(enumerate(stems))[half::2]
        strips = [settings.ffmpeg_strip(index, at, f"s{at}") for at, (index, _) in enumerate(mine)]
        labels = "".join(f"[s{at}]" for at in range(len(mine)))
        graph = folder / f"graph-{half}"
        graph.write_text(";\n".join([*strips, f"{labels}amix=inputs={len(mine)}:normalize=0:dropout_transition=0[a]"]))
        inputs = " ".join(f"{READ} -i {shlex.quote(str(stem))}" for _, stem in mine)
        lines.append(f"{FFMPEG} -v error {inputs} -filter_complex_script {graph} -map '[a]' -c:a pcm_f32le -f f32le {pipe} &")
    raw = " ".join(f"-f f32le -ar 48000 -ac 2 -i {pipe}" for pipe in pipes)
    bus, log = folder / "bus.wav", folder / "log"
    graph = f"[0:a][1:a]amix=inputs=2:normalize=0,aformat=channel_layouts=stereo,{settings.ffmpeg_bus()},ebur128=peak=none[a]"
    lines += [f"{FFMPEG} {raw} -filter_complex '{graph}' -map '[a]' -c:a pcm_f32le {bus} 2> {log}", "wait",
              f"{FFMPEG} -v error -i {bus} -af \"volume=$(gain {log})dB,aresample=192000,{settings.LIMITER},aresample=48000\" "
              f"-c:a pcm_s24le {folder / 'master.wav'}"]
    return script(folder / "mix.sh", lines)


def remaster(tracks, folder):
    """Job B: two tracks at a time, each measured, then gain and an oversampled limiter, FLAC and dithered WAV."""
    folder.mkdir(exist_ok=True)
    chain = settings.ffmpeg_remaster()
    one = script(folder / "one.sh", [
        "set -e", GAIN, 'B=$(basename "$1" .wav)', f"cd {folder}",
        f'{FFMPEG} {READ} -i "$1" -af "{chain},ebur128=peak=none" -f null - 2> "$B.log"',
        f'A="{chain},volume=$(gain "$B.log")dB,aresample=176400,{settings.LIMITER},aresample=44100"',
        f'{FFMPEG} -v error {READ} -i "$1" -filter_complex "[0:a]$A,asplit[x][y];[x]aformat=sample_fmts=s32[f];'
        '[y]aresample=osf=s16:dither_method=triangular[w]" '
        '-map "[f]" -c:a flac -bits_per_raw_sample 24 "$B.flac" -map "[w]" -c:a pcm_s16le "$B.wav"'])
    names = folder / "tracks"
    names.write_text("".join(f"{track}\n" for track in tracks))
    return f"xargs -P2 -I{{}} {one} {{}} < {names}"


def loudness(file):
    return f"ffmpeg -nostdin -v info -i {file} -af ebur128=peak=true -f null -"


def convert(file, out):
    return f"sox -D --single-threaded {file} -b 24 {out} rate -v 44100"


def flac(file, out):
    return f"flac -s -f -5 -o {out} {file}"


def script(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return f"sh {path}"
