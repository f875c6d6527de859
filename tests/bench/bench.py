"""What every line of the table works with: the program, its folder, and how to write and run sessions."""
import json
import pathlib
import shlex

import measure
import paths


class Bench:
    def __init__(self, mixdown, convert, folder):
        self.mixdown, self.convert, self.folder = pathlib.Path(mixdown).resolve(), convert, pathlib.Path(folder)

    def session(self, name, document):
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(document))
        return path

    def render(self, session, threads=2, words=""):
        """The command that renders a session, and nothing beside the files."""
        return f"{self.mixdown} render {session} --out {self.folder / session.stem} --threads {threads} --report none {words}"

    def counted(self, label, command):
        """A command that finds in $n how often it ran before."""
        counter = self.folder / f"{label}.count"
        counter.write_text("0\n")
        return f"n=$(cat {counter}); echo $((n + 1)) > {counter}; {command}"

    def medians(self, commands, seconds=paths.SECONDS, runs=paths.RUNS):
        return measure.medians(commands, runs, seconds)


def xargs(command, words):
    """One command for each word, two at a time."""
    return f"printf '%s\\n' {' '.join(shlex.quote(str(word)) for word in words)} | xargs -P2 -I{{}} {command}"
