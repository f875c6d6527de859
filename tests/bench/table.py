"""The table: each line a piece of work beside a peer, with its goal and what was measured."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Figure:
    """A measured number and the bound that it is to keep: at least or at most."""
    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "×"

    def goal(self):
        if self.at_least is None and self.at_most is None:
            return ""
        return f"{self.name} ≥ {self.at_least:g}{self.unit}" if self.at_least is not None else \
            f"{self.name} ≤ {self.at_most:g}{self.unit}"

    def measured(self):
        return f"{self.name} {self.value:.2f}{self.unit}"

    def holds(self):
        return (self.at_least is None or self.value >= self.at_least) and (self.at_most is None or self.value <= self.at_most)


HEAD = "| work | peer | goal | measured | reached |\n| --- | --- | --- | --- | --- |"


def line(work, peer, figures):
    reached = "yes" if all(figure.holds() for figure in figures) else \
        "no: " + ", ".join(figure.name for figure in figures if not figure.holds())
    goals = "; ".join(filter(None, (figure.goal() for figure in figures)))
    return f"| {work} | {peer} | {goals} | {'; '.join(figure.measured() for figure in figures)} | {reached} |"
