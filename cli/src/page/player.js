// Plays the versions of a page: all of them run together, one is heard. So a switch is heard at once, at the same place.
(() => {
  "use strict";
  const AT_ONCE = 9;          // more versions than this do not run along; they start when chosen
  const DRIFT_SECONDS = 0.02; // a version farther off than this is put right
  const CHECK_MS = 250;
  const buttons = [...document.querySelectorAll(".version")];
  const play = document.getElementById("play");
  const time = document.getElementById("time");
  const matched = document.getElementById("matched");
  const trouble = document.getElementById("trouble");
  const versions = buttons.map((button, index) => {
    const audio = document.createElement("audio");
    audio.preload = index < AT_ONCE ? "auto" : "none";
    audio.src = button.dataset.src;
    audio.muted = index > 0;
    audio.addEventListener("error", () => { trouble.textContent = "Cannot play " + audio.src + ": keep the previews beside this page."; });
    button.after(audio);
    return { button, audio, gain: Number(button.dataset.gain), head: Number(button.dataset.head),
             seconds: Number(button.dataset.seconds), file: button.dataset.file };
  });
  const end = Math.max(...versions.map((version) => version.head + version.seconds));
  let current = 0;
  let playing = false;
  let waiting = 0; // where a version that is not loaded yet shall start

  const runsAlong = (index) => index < AT_ONCE || index === current;
  const position = () => {
    const { audio, head } = versions[current];
    return audio.readyState > 0 ? audio.currentTime + head : waiting;
  };
  const put = (version, seconds) => {
    const target = Math.min(Math.max(seconds - version.head, 0), version.seconds);
    if (Math.abs(version.audio.currentTime - target) > 0.001) version.audio.currentTime = target;
  };
  const volumes = () => versions.forEach(({ audio, gain }, index) => {
    audio.volume = matched.checked ? Math.min(gain, 1) : 1;
    audio.muted = index !== current;
  });
  const seek = (seconds) => {
    waiting = Math.min(Math.max(seconds, 0), end);
    versions.forEach((version, index) => { if (runsAlong(index)) put(version, waiting); });
    show();
  };
  const start = (version) => version.audio.play().catch((error) => {
    if (error.name !== "AbortError") trouble.textContent = "Cannot play: " + error.message;
  });
  const setPlaying = (wanted) => {
    if (wanted && position() >= end - 0.05) seek(0);
    playing = wanted;
    const from = position();
    versions.forEach((version, index) => {
      if (!wanted) version.audio.pause();
      else if (runsAlong(index)) { put(version, from); start(version); }
    });
    play.setAttribute("aria-pressed", String(wanted));
    play.querySelector(".sign").textContent = wanted ? "❚❚" : "▶";
    play.querySelector(".word").textContent = wanted ? "Pause" : "Play";
    show();
  };
  const choose = (index) => {
    if (!versions[index] || index === current) return;
    const from = position();
    const before = current;
    current = index;
    const { audio, head } = versions[current];
    if (Math.abs(audio.currentTime + head - from) > DRIFT_SECONDS) put(versions[current], from);
    if (playing) { if (audio.paused) start(versions[current]); }
    if (before >= AT_ONCE) versions[before].audio.pause();
    volumes();
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(at === current)));
    show();
  };
  const align = () => {
    if (!playing) return;
    const now = position();
    versions.forEach((version, index) => {
      const { audio, head } = version;
      if (index === current || !runsAlong(index) || audio.seeking || audio.readyState < 3) return;
      if (Math.abs(audio.currentTime + head - now) > DRIFT_SECONDS) put(version, now);
    });
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
  const frame = () => { if (playing) show(); requestAnimationFrame(frame); };

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
    else if (event.key === "ArrowLeft") seek(position() - 5);
    else if (event.key === "ArrowRight") seek(position() + 5);
    else if (event.key === " " && !event.target.closest("button, a, summary, input")) setPlaying(!playing);
    else return;
    event.preventDefault();
  });
  versions.forEach((version, index) => version.audio.addEventListener("ended", () => { if (index === current) setPlaying(false); }));
  addEventListener("beforeprint", () => document.querySelectorAll("details.file").forEach((file) => { file.open = true; }));
  document.getElementById("player").hidden = false;
  setInterval(align, CHECK_MS);
  volumes();
  show();
  requestAnimationFrame(frame);
})();
