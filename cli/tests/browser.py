"""Opens a quality report in headless Chromium, from disk, and looks at it: at two widths, in both colour schemes, and with the
player running. Prints what it measured as JSON; ends with 1 and the reason when something does not hold.

usage: browser.py REPORT.html VERSIONS.json [SCREENSHOT_FOLDER]
VERSIONS.json: per version of the player its volume at matched loudness (`gain`) and the seconds cut off its head (`head`).
"""

import base64
import contextlib
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--mute-audio",
]
WIDTHS = {"desktop": 1280, "phone": 390}
WITHIN_SECONDS = 0.05


class Browser:
    """A session of ChromeDriver, spoken to in plain WebDriver."""

    def __init__(self, folder):
        driver = shutil.which("chromedriver")
        if driver is None:
            sys.exit("there is no chromedriver: deploy/setup.sh chromium installs it")
        unpacked = pathlib.Path(driver).resolve().parents[1] / "lib/chromium/chromium"
        self.driver = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            started = re.search(r"started successfully on port (\d+)", line)
            if started:
                break
        else:
            sys.exit("chromedriver does not start")
        self.url = f"http://127.0.0.1:{started.group(1)}"
        options = {"args": [*FLAGS, f"--user-data-dir={folder}"]}
        if unpacked.exists():
            options["binary"] = str(unpacked)
        wanted = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "timeouts": {"script": 60_000},
        }
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{answer['sessionId']}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            sys.exit(f"{path}: {error.read().decode()}")

    def post(self, path, body):
        return self.call("POST", self.session + path, body)

    def run(self, script, *arguments):
        return self.post("/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script, *arguments):
        return self.post("/execute/async", {"script": script, "args": list(arguments)})

    def devtools(self, command, **parameters):
        return self.post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def log(self, kind):
        return self.post("/se/log", {"type": kind})

    def press(self, key):
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.post("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def click(self, selector):
        element = self.post("/element", {"using": "css selector", "value": selector})
        self.post(f"/element/{next(iter(element.values()))}/click", {})

    def close(self):
        self.call("DELETE", self.session)
        self.driver.terminate()
        self.driver.wait()


def check(holds, what):
    if not holds:
        sys.exit(f"does not hold: {what}")


def look(browser, page, name, width, scheme, shots):
    """The page at one width and in one scheme: nothing missing, nothing beyond the edge, nothing fetched, no complaint."""
    browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
    browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.post("/url", {"url": page})
    seen = browser.run("""
        const marks = (selector) => [...document.querySelectorAll(selector)].filter((it) => it.getBoundingClientRect().height > 0).length;
        return {
            waves: marks("details[open] .wave svg path.peaks"), charts: marks("details[open] .chart"),
            verdicts: marks("details[open] .verdicts tbody tr"), badges: marks("details[open] .verdicts .badge"),
            images: document.querySelectorAll(".plot:not([aria-label])").length,
            paper: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color,
            over: (() => {
                const boxes = [...document.querySelectorAll("details[open] .tables table, details[open] .chart, details[open] dl")].map((it) => it.getBoundingClientRect());
                const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
                return boxes.filter((a, at) => boxes.slice(at + 1).some((b) => meet(a, b))).length;
            })(),
            wide: document.documentElement.scrollWidth, room: window.innerWidth, title: document.querySelector("h1").textContent,
            foreign: document.querySelectorAll("main script, main img, main iframe, main object").length,
        };""")
    check(seen["waves"] == 2 and seen["charts"] >= 6, f"{name}: waveforms and charts: {seen}")
    check(seen["verdicts"] == 9 and seen["badges"] == 9, f"{name}: nine verdicts: {seen}")
    check(seen["images"] == 0 and seen["foreign"] == 0, f"{name}: every plot is told in words, nothing foreign: {seen}")
    check(seen["over"] == 0, f"{name}: no table and no plot lies over another: {seen}")
    check(seen["wide"] <= seen["room"], f"{name}: nothing lies beyond the edge: {seen}")
    if shots:
        height = browser.run("return document.documentElement.scrollHeight")
        browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=min(height, 6000), deviceScaleFactor=1, mobile=width < 500)
        picture = browser.devtools("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(shots, f"{name}.png").write_bytes(base64.b64decode(picture))
    return seen


PLAYING = """
    const done = arguments[arguments.length - 1], heads = arguments[1];
    const audios = [...document.querySelectorAll("audio")].slice(0, 9);
    const wait = () => audios.every((it, at) => !it.paused && !it.seeking && it.currentTime + heads[at] > arguments[0])
        ? done(true) : requestAnimationFrame(wait);
    wait();"""

# Where the version that is heard lies in the session, beside where those lie that run along through the switch (their median): at
# once, and for a while. What is chosen before its head is silent and paused; there it is enough that it begins in time, and the
# browser's clock is the measure.
SWITCH = """
    const done = arguments[arguments.length - 1], heads = arguments[1], from = arguments[2];
    const audios = [...document.querySelectorAll("audio")];
    const heard = () => audios.findIndex((it) => !it.muted);
    const runs = (it) => !it.paused && !it.seeking && it.readyState > 2;
    const before = heard(), at = audios[before].currentTime + heads[before], since = performance.now();
    document.querySelectorAll(".version")[arguments[0]].click();
    const after = heard(), audio = audios[after];
    const along = audios.map((audio, index) => ({ audio, head: heads[index] })).filter((it, index) => index !== after && index < 9);
    const others = () => {
        const places = along.filter((it) => runs(it.audio)).map((it) => it.audio.currentTime + it.head).sort((a, b) => a - b);
        return places[Math.floor(places.length / 2)];
    };
    const offs = [], late = [];
    const follow = () => {
        const elapsed = (performance.now() - since) / 1000;
        if (runs(audio)) {
            const place = audio.currentTime + heads[after];
            const where = from > 0 ? at + elapsed : others();
            if (where !== undefined) offs.push(place - where);
            late.push(elapsed);
        }
        if (elapsed < from + 0.6) requestAnimationFrame(follow);
        else done({ version: arguments[0], other: after !== before, heard: after, paused: audio.paused, seen: offs.length, first: offs[0],
                    after: late[0], settled: offs.slice(-15).sort((a, b) => a - b)[Math.floor(Math.min(offs.length, 15) / 2)],
                    worst: offs.reduce((a, b) => Math.abs(b) > Math.abs(a) ? b : a, 0) });
    };
    requestAnimationFrame(follow);"""


def play(browser, page, versions):
    """The player: versions run together, a switch keeps the place in the session, the louder ones are turned down."""
    gains, heads = [version["gain"] for version in versions], [version["head"] for version in versions]
    browser.devtools("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    browser.post("/url", {"url": page})
    browser.click("#play")
    late = next((at for at, head in enumerate(heads) if head > 1), None)
    if late is not None:
        # Chosen before its head, it stays silent until the session comes to it.
        measured = browser.run_async(SWITCH, late, heads, heads[late])
        check(measured["seen"] > 5 and abs(measured["settled"]) <= WITHIN_SECONDS, f"a trimmed head is waited for: {measured}")
        browser.run_async(SWITCH, 0, heads, 0)
    browser.run_async(PLAYING, max(heads) + 0.3, heads)
    switches = []
    alone = list(range(9, len(versions)))
    for version in [*range(1, len(versions)), 0, *alone, 1, *alone, 0]:
        measured = browser.run_async(SWITCH, version, heads, 0)
        check(measured["other"] and measured["heard"] == version and not measured["paused"], f"version {version} is heard: {measured}")
        check(measured["seen"] > 5, f"version {version} plays: {measured}")
        switches.append(measured)
    # What does not run along is sought and started first, which a busy machine may delay: the median of three switches counts. Of
    # what runs along, the worst moment of a switch, in the median of all of them: a busy machine lets the sound itself stop.
    for version in alone:
        firsts = [abs(measured["first"]) for measured in switches if measured["version"] == version]
        check(statistics.median(firsts) <= WITHIN_SECONDS, f"version {version} begins in its place: {firsts}")
    worst = [abs(measured["worst"]) for measured in switches if measured["version"] not in alone]
    for when in ["first", "settled"]:
        offs = [abs(measured[when]) for measured in switches if when == "settled" or measured["version"] not in alone]
        check(statistics.median(offs) <= WITHIN_SECONDS, f"switches keep the place: {when} {offs}")
    check(statistics.median(worst) <= WITHIN_SECONDS, f"switches keep the place all along: {worst}")
    volumes = "return [...document.querySelectorAll('audio')].map((it) => it.volume)"
    found = browser.run(volumes)
    check(all(abs(a - b) < 0.001 for a, b in zip(found, gains, strict=True)), f"volumes {found}, not {gains}")
    check(max(found) == 1 and min(found) < 0.95, f"the softest is left, the louder are turned down: {found}")
    browser.click("#matched")
    check(browser.run(volumes) == [1] * len(versions), "without matched loudness all play as they are")
    browser.click("#matched")
    check(browser.run(volumes) == found, "and matched again")

    heard = "return [...document.querySelectorAll('audio')].findIndex((it) => !it.muted)"
    for key, version in [("3", 2), ("n", 3 % len(versions)), ("p", 2), ("1", 0), ("p", len(versions) - 1), ("n", 0)]:
        browser.press(key)
        check(browser.run(heard) == version, f"the key {key} chooses version {version}, not {browser.run(heard)}")
    pressed = browser.run("return [...document.querySelectorAll('.version[aria-pressed=true]')].length")
    check(pressed == 1, "one version is shown as chosen")
    # On a button or a box the space bar does what it does there.
    browser.run("document.activeElement.blur()")
    browser.press(" ")
    stopped = browser.run("return [...document.querySelectorAll('audio')].every((it) => it.paused)")
    check(stopped, "the space bar stops all versions")
    # A click at the middle of the first waveform.
    sought = browser.run("""
        const plot = document.querySelector("details[open] [data-seeks]"), box = plot.getBoundingClientRect();
        plot.dispatchEvent(new MouseEvent("click", { clientX: box.left + box.width / 2, clientY: box.top + 5, bubbles: true }));
        const audio = [...document.querySelectorAll("audio")].find((it) => !it.muted);
        return [audio.currentTime, audio.duration, document.querySelector("details[open] .playhead").style.left];""")
    check(abs(sought[0] - sought[1] / 2) < 0.05, f"a click in the waveform seeks: {sought}")
    check(abs(float(sought[2].rstrip("%")) - 50) < 1, f"the playhead follows: {sought}")
    return switches


COLOURLESS = """
    const problems = [];
    const stroke = (it) => {
        const style = getComputedStyle(it);
        return [style.strokeWidth, style.strokeDasharray, style.fill === "none" ? "line" : "area", it.getAttribute("class")].join(" ");
    };
    for (const chart of document.querySelectorAll("details[open] .chart")) {
        const lines = [...chart.querySelectorAll(".plot svg > path:not(.grid):not(.zero)")].filter((it) => getComputedStyle(it).fill === "none");
        const seen = lines.map((it) => { const style = getComputedStyle(it); return style.strokeWidth + "/" + style.strokeDasharray; });
        if (new Set(seen).size !== seen.length) problems.push(chart.textContent.slice(0, 40) + ": lines alike " + seen);
        const keys = [...chart.querySelectorAll(".legend li")];
        for (const key of keys) if (!key.textContent.trim()) problems.push("a key without words");
        if (lines.length > 1 && keys.length < lines.length) problems.push(chart.textContent.slice(0, 40) + ": " + lines.length + " lines, " + keys.length + " keys");
    }
    const badges = {};
    for (const badge of document.querySelectorAll(".badge")) {
        const sign = badge.querySelector("b"), style = getComputedStyle(sign);
        const word = badge.textContent.replace(sign.textContent, "").trim();
        const shape = [sign.textContent, style.borderStyle, style.borderRadius].join(" ");
        if (!["pass", "warn", "fail"].includes(word)) problems.push("a verdict without its word: " + badge.outerHTML);
        badges[shape] = badges[shape] || word;
        if (badges[shape] !== word) problems.push("one sign for two verdicts: " + shape);
    }
    const chosen = document.querySelector(".version[aria-pressed=true]"), other = document.querySelector(".version[aria-pressed=false]");
    if (chosen && other && getComputedStyle(chosen, "::before").content === getComputedStyle(other, "::before").content)
        problems.push("the chosen version is told by colour alone");
    return { problems, verdicts: [...new Set(Object.values(badges))] };"""

CONTRAST = """
    const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const grey = (colour) => {
        const [r, g, b] = channels(colour).map((value) => { value /= 255; return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = grey(getComputedStyle(document.body).backgroundColor);
    const contrast = (colour) => { const [a, b] = [grey(colour), paper].sort((a, b) => b - a); return (a + 0.05) / (b + 0.05); };
    const found = {};
    for (const selector of ["body", ".badge", "small", ".unit", ".labels span", "thead th", ".hint"])
        for (const it of document.querySelectorAll(selector)) found[selector + " " + it.className] = contrast(getComputedStyle(it).color);
    for (const it of document.querySelectorAll(".plot svg .thick, .plot svg .thin, .plot svg .dashed, .plot svg .dotted"))
        found["line " + it.getAttribute("class")] = contrast(getComputedStyle(it).stroke);
    return found;"""


def read_without_colour(browser, page, scheme, shots):
    """Everything is told by words, signs, widths and dashes, and stands out of its ground by lightness alone (WCAG 2.2, 1.4.3
    and 1.4.11: 4.5 for text, 3 for lines)."""
    browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.devtools("Emulation.setEmulatedVisionDeficiency", type="achromatopsia")
    browser.post("/url", {"url": page})
    seen = browser.run(COLOURLESS)
    check(not seen["problems"] and seen["verdicts"], f"{scheme}: read without colour: {seen}")
    for what, contrast in browser.run(CONTRAST).items():
        check(contrast >= (3 if what.startswith("line") else 4.5), f"{scheme}: {what} has a contrast of {contrast:.2f}")
    if shots:
        picture = browser.devtools("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(shots, f"grey-{scheme}.png").write_bytes(base64.b64decode(picture))
    browser.devtools("Emulation.setEmulatedVisionDeficiency", type="none")


def main():
    page = pathlib.Path(sys.argv[1]).resolve().as_uri()
    versions = json.loads(pathlib.Path(sys.argv[2]).read_text())
    shots = sys.argv[3] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Browser(folder)) as browser:
        browser.devtools("Network.enable")
        papers = {}
        for name, width in WIDTHS.items():
            for scheme in ["light", "dark"]:
                papers[name, scheme] = look(browser, page, f"{name}-{scheme}", width, scheme, shots)["paper"]
            check(papers[name, "light"] != papers[name, "dark"], f"{name}: light and dark are told apart: {papers}")
        for scheme in ["light", "dark"]:
            read_without_colour(browser, page, scheme, shots)
        switches = play(browser, page, versions)
        complaints = [entry for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        check(not complaints, f"the console is silent: {complaints}")
        events = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
        requests = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        # The browser's own first page asks for parts of itself.
        asked = [request["request"]["url"] for request in requests if request["documentURL"] == page]
        elsewhere = [url for url in asked if not url.startswith(("file:", "data:"))]
        check(asked and not elsewhere, f"nothing is fetched from elsewhere: {elsewhere}")
    first = max(abs(switch["first"]) for switch in switches)
    worst = max(abs(switch["worst"]) for switch in switches)
    print(json.dumps({"switches": len(switches), "worst_first_seconds": first, "worst_after_seconds": worst}))


main()
