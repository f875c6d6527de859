// Plays the versions of a page: all of them run together, one is heard. So a switch is heard at once, at the same place.
(() => {
  "use strict";
  const AT_ONCE = 9;          // more versions than this do not run along; they are loaded and start when chosen
  const DRIFT_SECONDS = 0.01; // a version farther off than this is put right
  const CHECK_MS = 250;
  const SETTLE_MS = 150;      // a version that was put somewhere or started is looked at so much later
  const buttons = [...document.querySelectorAll(".version")];
  const play = document.getElementById("play");
  const time = document.getElementById("time");
  const matched = document.getElementById("matched");
  const trouble = document.getElementById("trouble");
  const versions = buttons.map((button, index) => {
    const audio = document.createElement("audio");
    audio.preload = index < AT_ONCE ? "auto" : "metadata";
    audio.src = button.dataset.src;
    audio.muted = index > 0;
    audio.addEventListener("error", () => { trouble.textContent = "Cannot play " + audio.src + ": keep the previews beside this page."; });
    button.after(audio);
    return { button, audio, gain: Number(button.dataset.gain), head: Number(button.dataset.head),
             seconds: Number(button.dataset.seconds), file: button.dataset.file, settled: true, lead: 0, lookAt: 0 };
  });
  const end = Math.max(...versions.map((version) => version.head + version.seconds));
  let current = 0;
  let playing = false;
  // Where in the session it was at `since`, in seconds and in ms of the browser's clock. This goes on where the version that is
  // heard says nothing: before its head, behind its end, and until it has found its place.
  let place = 0;
  let since = 0;

  const runsAlong = (index) => index < AT_ONCE || index === current;
  const reaches = (version, seconds) => seconds >= version.head && seconds < version.head + version.seconds;
  const runs = ({ audio }) => !audio.paused && !audio.seeking && audio.readyState > 2;
  const position = () => {
    const version = versions[current];
    if (playing && version.settled && runs(version)) return version.audio.currentTime + version.head;
    return Math.min(playing ? place + (performance.now() - since) / 1000 : place, end);
  };
  const keep = (seconds) => { place = seconds; since = performance.now(); };
  const put = (version, seconds) => {
    const target = Math.min(Math.max(seconds - version.head, 0), version.seconds);
    if (Math.abs(version.audio.currentTime - target) > 0.001) version.audio.currentTime = target;
    version.lookAt = performance.now() + SETTLE_MS;
  };
  const start = (version) => version.audio.play().catch((error) => {
    if (error.name !== "AbortError") trouble.textContent = "Cannot play: " + error.message;
  });
  const volumes = () => versions.forEach(({ audio, gain }, index) => {
    audio.volume = matched.checked ? Math.min(gain, 1) : 1;
    audio.muted = index !== current;
  });
  // Starts what is to sound at this place, and stops what is not.
  const follow = () => {
    if (!playing) return;
    const now = position();
    if (now >= end) { setPlaying(false); return; }
    keep(now);
    versions.forEach((version, index) => {
      const { audio } = version;
      if (!runsAlong(index) || !reaches(version, now)) { if (!audio.paused) audio.pause(); }
      else if (audio.paused) {
        put(version, now);
        start(version);
        if (index === current) version.settled = false;
      }
    });
  };
  // Puts right what runs beside the place; the version that is heard says where that is once it has found it.
  const align = () => {
    if (!playing) return;
    const now = position();
    versions.forEach((version, index) => {
      if (!runsAlong(index) || !reaches(version, now) || !runs(version) || performance.now() < version.lookAt) return;
      const off = version.audio.currentTime + version.head - now;
      if (Math.abs(off) <= DRIFT_SECONDS) version.settled = true;
      else if (index !== current || !version.settled) {
        // Seeking takes its time: next time it aims so much farther ahead.
        version.lead = Math.min(Math.max(version.lead - off, 0), 0.3);
        put(version, now + version.lead);
      }
    });
  };
  const seek = (seconds) => {
    keep(Math.min(Math.max(seconds, 0), end));
    versions.forEach((version, index) => { if (runsAlong(index)) put(version, place); });
    follow();
    // Nobody compares yet: the version that is heard says where it is from the start.
    versions[current].settled = true;
    show();
  };
  const setPlaying = (wanted) => {
    const from = position();
    keep(wanted && from >= end - 0.05 ? 0 : from);
    playing = wanted;
    if (wanted) {
      versions.forEach((version, index) => { if (runsAlong(index)) put(version, place); });
      follow();
      versions[current].settled = true;
    } else versions.forEach(({ audio }) => audio.pause());
    play.setAttribute("aria-pressed", String(wanted));
    play.querySelector(".sign").textContent = wanted ? "❚❚" : "▶";
    play.querySelector(".word").textContent = wanted ? "Pause" : "Play";
    show();
  };
  const choose = (index) => {
    if (!versions[index] || index === current) return;
    keep(position());
    current = index;
    const version = versions[current];
    const isOff = Math.abs(version.audio.currentTime + version.head - place) > DRIFT_SECONDS;
    version.settled = !playing || (runs(version) && !isOff);
    if (isOff) put(version, place);
    volumes();
    follow();
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(at === current)));
    show();
  };
  const clock = (seconds) => {
    const tenths = Math.floor(seconds * 10 + 0.001);
    return Math.floor(tenths / 600) + ":" + String(Math.floor(tenths / 10) % 60).padStart(2, "0") + "." + (tenths % 10);
  };
  const show = () => {
    const now = position();
    time.textContent = clock(now) + " / " + clock(end);
    document.querySelectorAll("details.file").forEach((file) => {
      const version = versions.find((it) => it.file === file.dataset.file) || versions[current];
      const share = (now - version.head) / version.seconds;
      file.querySelectorAll(".playhead").forEach((line) => {
        line.hidden = !(share >= 0 && share <= 1);
        line.style.left = 100 * share + "%";
      });
      file.classList.toggle("heard", version === versions[current]);
    });
  };
  const frame = () => {
    if (playing) {
      follow();
      if (!versions[current].settled) align();
      show();
    }
    requestAnimationFrame(frame);
  };

  play.addEventListener("click", () => setPlaying(!playing));
  matched.addEventListener("change", volumes);
  buttons.forEach((button, index) => button.addEventListener("click", () => choose(index)));
  document.querySelectorAll("[data-seeks]").forEach((plot) => plot.addEventListener("click", (event) => {
    const file = plot.closest("details.file");
    const index = versions.findIndex((version) => version.file === file.dataset.file);
    const version = versions[index] || versions[current];
    const box = plot.getBoundingClientRect();
    if (index >= 0) choose(index);
    seek(version.head + version.seconds * (event.clientX - box.left) / box.width);
  }));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key >= "1" && event.key <= "9") choose(Number(event.key) - 1);
    else if (event.key === "n" || event.key === "p") choose((current + (event.key === "n" ? 1 : versions.length - 1)) % versions.length);
    else if (event.key === "ArrowLeft") seek(position() - 5);
    else if (event.key === "ArrowRight") seek(position() + 5);
    else if (event.key === " " && !event.target.closest("button, a, summary, input")) setPlaying(!playing);
    else return;
    event.preventDefault();
  });
  addEventListener("beforeprint", () => document.querySelectorAll("details.file").forEach((file) => { file.open = true; }));
  document.getElementById("player").hidden = false;
  setInterval(() => { follow(); align(); }, CHECK_MS);
  volumes();
  show();
  requestAnimationFrame(frame);
})();
