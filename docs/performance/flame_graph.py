#!/usr/bin/env python3
"""Draws a flame graph of what callgrind counted. usage: flame_graph.py CALLGRIND_OUT ROOT TITLE > out.svg

Width is instructions of the function ROOT and all that it calls; each box is called by the one below it. callgrind knows what each function costs for each caller, not
for each path: what a function does is shared out among its callers by their part of it. Boxes under 0.2 % are left out.
"""
import collections
import html
import re
import sys

WIDTH, HEIGHT, LEAST, DEEPEST = 1200, 17, 0.002, 40
NAME = re.compile(r"^(c?fn)=\((\d+)\)(?: (.*))?$")
# The suffix of a symbol, and that of a recursion.
NOISE = re.compile(r"::h[0-9a-f]{16}|'\d+$")
# The standard library's frames say nothing to a reader; what they call stands in their place.
HIDDEN = re.compile(r"^<?(std|core|alloc)::")


def read(lines):
    """Instructions that each function spends itself, and by (caller, called)."""
    names, own, calls = {}, collections.Counter(), collections.Counter()
    function = called = None
    for line in lines:
        if found := NAME.match(line):
            kind, number, name = found.groups()
            if name:
                names[number] = NOISE.sub("", name)
            if kind == "fn":
                function = names[number]
            else:
                called = names[number]
        elif function and line[:1] and line[0] in "0123456789+-*":
            words = line.split()
            cost = int(words[1]) if len(words) > 1 else 0
            if called is None:
                own[function] += cost
            else:
                if called != function:
                    calls[function, called] += cost
                called = None
    return own, calls


def boxes(own, calls, root):
    """(start, width, depth, name) of every box, and the width of all."""
    below, whole = collections.defaultdict(list), collections.Counter(own)
    for (caller, to), cost in calls.items():
        below[caller].append((to, cost))
        whole[caller] += cost
    total, drawn = whole[root], []

    def draw(name, width, start, depth, path):
        shown = not HIDDEN.search(name)
        if shown:
            drawn.append((start, width, depth, name))
        for to, cost in sorted(below[name]):
            part = width * cost / whole[name]
            if part / total >= LEAST and to not in path and depth < DEEPEST:
                draw(to, part, start, depth + shown, path | {to})
                start += part

    draw(root, total, 0.0, 0, {root})
    return drawn, total


def main(profile, root, title):
    with open(profile, encoding="utf-8", errors="replace") as file:
        drawn, total = boxes(*read(file.read().splitlines()), root)
    tall = (max(depth for _, _, depth, _ in drawn) + 3) * HEIGHT
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {tall}" font-family="sans-serif" font-size="11">')
    print(f'<rect width="{WIDTH}" height="{tall}" fill="#fff"/><text x="6" y="13">{html.escape(title)}</text>')
    for start, width, depth, name in drawn:
        x, w, y = start / total * WIDTH, width / total * WIDTH, tall - (depth + 1) * HEIGHT
        short = name.replace("mixdown_dsp::", "")
        fits = html.escape(short[:int(w / 6.2)]) if w > 24 else ""
        hue = 20 + sum(map(ord, name)) % 35
        print(f'<g><title>{html.escape(name)}: {width / total:.1%}</title><rect x="{x:.1f}" y="{y}" width="{w:.1f}" '
              f'height="{HEIGHT - 1}" fill="hsl({hue},80%,68%)"/><text x="{x + 2:.1f}" y="{y + 12}">{fits}</text></g>')
    print("</svg>")


if __name__ == "__main__":
    main(*sys.argv[1:])
