"""Opens a quality report in headless Chromium, from disk, and looks at it: at two widths, in both colour schemes, and with the
player running. Prints what it measured as JSON; ends with 1 and the reason when something does not hold.

usage: browser.py REPORT.html GAINS.json [SCREENSHOT_FOLDER]
GAINS.json: per version of the player, its volume at matched loudness.
"""

import base64
import contextlib
import json
import pathlib
import re
import shutil
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
            wide: document.documentElement.scrollWidth, room: window.innerWidth, title: document.querySelector("h1").textContent,
            foreign: document.querySelectorAll("main script, main img, main iframe, main object").length,
        };""")
    check(seen["waves"] == 2 and seen["charts"] >= 6, f"{name}: waveforms and charts: {seen}")
    check(seen["verdicts"] == 9 and seen["badges"] == 9, f"{name}: nine verdicts: {seen}")
    check(seen["images"] == 0 and seen["foreign"] == 0, f"{name}: every plot is told in words, nothing foreign: {seen}")
    check(seen["wide"] <= seen["room"], f"{name}: nothing lies beyond the edge: {seen}")
    if shots:
        height = browser.run("return document.documentElement.scrollHeight")
        browser.devtools("Emulation.setDeviceMetricsOverride", width=width, height=min(height, 6000), deviceScaleFactor=1, mobile=width < 500)
        picture = browser.devtools("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(shots, f"{name}.png").write_bytes(base64.b64decode(picture))
    return seen


PLAYING = """
    const done = arguments[arguments.length - 1];
    const audios = [...document.querySelectorAll("audio")];
    const wait = () => audios.every((it) => !it.paused && !it.seeking && it.currentTime > arguments[0]) ? done(true) : requestAnimationFrame(wait);
    wait();"""

# Switches: where what is heard now is, against what was heard at the same instant. Then follows it for 0.6 s against the
# clock of the page; that is told and not judged, since a busy machine stops the sound of every version alike.
SWITCH = """
    const done = arguments[arguments.length - 1];
    const heard = () => [...document.querySelectorAll("audio")].find((it) => !it.muted);
    const before = heard(), at = before.currentTime, since = performance.now();
    document.querySelectorAll(".version")[arguments[0]].click();
    const after = heard();
    const offs = [after.currentTime - at];
    const off = () => after.currentTime - at - (performance.now() - since) / 1000;
    const follow = () => {
        offs.push(off());
        if (performance.now() - since < 600) requestAnimationFrame(follow);
        else done({ other: after !== before, paused: after.paused, jump: offs[0], worst: offs.reduce((a, b) => Math.abs(b) > Math.abs(a) ? b : a) });
    };
    requestAnimationFrame(follow);"""


def play(browser, page, gains):
    """The player: versions run together, a switch keeps the place, the louder ones are turned down."""
    browser.devtools("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    browser.post("/url", {"url": page})
    browser.click("#play")
    browser.run_async(PLAYING, 0.3)
    switches = []
    for version in [1, 2, 0, 2, 1, 0]:
        measured = browser.run_async(SWITCH, version)
        check(measured["other"] and not measured["paused"], f"version {version} is heard: {measured}")
        check(abs(measured["jump"]) <= WITHIN_SECONDS, f"a switch keeps the place: {measured}")
        switches.append(measured)
    volumes = browser.run("return [...document.querySelectorAll('audio')].map((it) => it.volume)")
    check(all(abs(a - b) < 0.001 for a, b in zip(volumes, gains, strict=True)), f"volumes {volumes}, not {gains}")
    check(max(volumes) == 1 and min(volumes) < 0.95, f"the softest is left, the louder are turned down: {volumes}")

    browser.press("3")
    heard = browser.run("return [...document.querySelectorAll('audio')].findIndex((it) => !it.muted)")
    check(heard == 2, f"the key 3 chooses the third version, not {heard}")
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


def main():
    page = pathlib.Path(sys.argv[1]).resolve().as_uri()
    gains = json.loads(pathlib.Path(sys.argv[2]).read_text())
    shots = sys.argv[3] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Browser(folder)) as browser:
        browser.devtools("Network.enable")
        papers = {}
        for name, width in WIDTHS.items():
            for scheme in ["light", "dark"]:
                papers[name, scheme] = look(browser, page, f"{name}-{scheme}", width, scheme, shots)["paper"]
            check(papers[name, "light"] != papers[name, "dark"], f"{name}: light and dark are told apart: {papers}")
        switches = play(browser, page, gains)
        complaints = [entry for entry in browser.log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        check(not complaints, f"the console is silent: {complaints}")
        events = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
        requests = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        # The browser's own first page asks for parts of itself.
        asked = [request["request"]["url"] for request in requests if request["documentURL"] == page]
        elsewhere = [url for url in asked if not url.startswith(("file:", "data:"))]
        check(asked and not elsewhere, f"nothing is fetched from elsewhere: {elsewhere}")
    worst_jump = max(abs(switch["jump"]) for switch in switches)
    worst = max(abs(switch["worst"]) for switch in switches)
    print(json.dumps({"switches": len(switches), "worst_jump_seconds": worst_jump, "worst_after_seconds": worst}))


main()
