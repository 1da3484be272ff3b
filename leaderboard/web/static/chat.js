// Makes a conversation live: sends without loading the page, waits for the reply, keeps what is
// typed through reloads and lost connections. The pages are whole without this file.
"use strict";
(() => {
  const main = document.querySelector("main");
  const { chat, ended, url, events, tab, limit, slow, reply } = main.dataset;
  const at = (id) => document.getElementById(id);
  const key = `rostrum-chat-${chat || ended}`;

  // what is kept: the text in the box, and the message being sent with the id made for it
  function kept() {
    try { return JSON.parse(sessionStorage.getItem(key)) || {}; } catch { return {}; }
  }

  if (ended) {
    const { text, out } = kept();
    const words = [out && out.text, text].filter(Boolean).join("\n");
    if (words) { at("draft").textContent = words; at("unsent").hidden = false; }
    return;
  }

  const AWAY = "The site does not answer; what you wrote is kept here. Trying again…";
  const TALKING = ["waiting", "starting", "open"];
  const box = at("text"), state = at("state"), trouble = at("trouble"), composer = at("composer");
  let version = Number(main.dataset.version), have = Number(main.dataset.have);
  let mayWrite = !at("send").disabled, holds = at("elsewhere").hidden;
  let out = null, going = false, late = 0;

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const ask = (address, options, ms) => fetch(address, {
    ...options, headers: { Accept: "application/json" }, signal: AbortSignal.timeout(ms),
  });
  const again = () => { going = true; location.replace(url); };
  const draw = () => Array.from(crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, "0")).join("");

  function put(place, words) { if (place.textContent !== words) place.textContent = words; }
  function tell(words) { put(trouble, words); trouble.hidden = !words; }
  function toEnd() { scrollTo(0, document.documentElement.scrollHeight); }
  function count() {
    const rest = limit - box.value.length;
    put(at("left"), rest < 100 ? `${rest} characters left` : "");
  }
  function gate() { at("send").disabled = !mayWrite || Boolean(out); }
  function keep() {
    try { sessionStorage.setItem(key, JSON.stringify({ text: box.value, out })); }
    catch { /* no storage: all of it is still on the page */ }
    count();
  }
  function show(message) {
    out = message;
    at("sending").replaceChildren(...out ? [bubble({ speaker: "rater", text: out.text })] : []);
    gate();
    keep();
  }

  function bubble(turn) {
    const item = document.createElement("li"), who = document.createElement("span");
    const colon = document.createElement("span"), words = document.createElement("p");
    item.className = turn.speaker === "rater" ? "turn rater" : "turn partner";
    who.className = "who";
    who.textContent = turn.speaker === "rater" ? "You" : "Partner";
    colon.className = "unseen";
    colon.textContent = ": ";
    words.dir = "auto";
    words.textContent = turn.text;
    who.append(colon);
    item.append(who, words);
    return item;
  }

  function watchLate(awaits) {
    clearTimeout(late);
    if (awaits) late = setTimeout(() => put(state, slow), Math.min(10000, reply * 500));
  }

  function apply(news) {
    const fresh = news.turns.filter((turn) => turn.number > have);
    for (const turn of fresh) {
      if (turn.speaker === "rater") at("sending").replaceChildren();
      at("log").append(bubble(turn));
      have = turn.number;
    }
    if (fresh.length) toEnd();
    if (news.version <= version) return;
    version = news.version;
    if (!TALKING.includes(news.state)) { again(); return; }
    put(state, news.line);
    state.classList.toggle("waits", news.awaits || news.state !== "open");
    put(at("progress"), news.progress);
    put(at("finish"), news.finish);
    at("close").disabled = !news.may_close;
    const turnsBack = news.may_write && !mayWrite;
    mayWrite = news.may_write;
    elsewhere(!news.holds);
    gate();
    watchLate(news.awaits);
    if (turnsBack && [document.body, at("send")].includes(document.activeElement)) box.focus();
  }

  function elsewhere(gone) {
    holds = !gone;
    at("elsewhere").hidden = holds;
    composer.hidden = state.hidden = at("end").hidden = gone;
  }

  async function deliver(message) {
    show(message);
    toEnd();
    for (let wait = 500; !going; wait = Math.min(wait * 2, 8000)) {
      const body = new URLSearchParams({ tab, text: out.text, client_id: out.id, have });
      try {
        const answer = await ask(composer.action, { method: "POST", body }, 15000);
        if (answer.status < 500) return settle(answer.ok, await answer.json());
      } catch { /* away: once more, with the same id */ }
      if (!going) tell(AWAY);
      await pause(wait);
    }
  }

  function settle(taken, news) {
    tell("");
    if (!taken) box.value = [out.text, box.value].filter(Boolean).join("\n");
    show(null);
    if (taken) { apply(news); return; }
    const { code, message, hint } = news.error;
    if (code === "other_tab") elsewhere(true);
    else if (["not_your_turn", "empty_text", "too_long", "bad_answer"].includes(code))
      tell(`${message} ${hint}`);
    else again();
  }

  function submit() {
    if (out || !box.value.trim()) return;
    if (!mayWrite) { tell("Your message is kept here. You can send it when it is your turn."); return; }
    const text = box.value;
    box.value = "";
    box.focus();
    deliver({ text, id: draw() });
  }

  async function follow() {
    for (let wait = 500; holds && !going;) {
      const begun = Date.now(), known = version;
      try {
        const query = new URLSearchParams({ after: version, have, tab });
        const answer = await ask(`${events}?${query}`, {}, 40000);
        if (answer.status >= 500) throw new Error("away");
        if (!answer.ok) { again(); return; }
        apply(await answer.json());
        if (!out && trouble.textContent === AWAY) tell("");
        wait = 500;
        if (version === known && Date.now() - begun < 1000) await pause(1000);
      } catch {
        if (!going) tell(AWAY);
        await pause(wait);
        wait = Math.min(wait * 2, 8000);
      }
    }
  }

  composer.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  box.addEventListener("input", () => { keep(); if (!out) tell(""); });
  addEventListener("pagehide", () => { going = true; });
  addEventListener("pageshow", (event) => { if (event.persisted) again(); });

  if (at("look")) at("look").hidden = true;
  const before = kept();
  if (before.text) box.value = before.text;
  box.readOnly = false;
  gate();
  count();
  watchLate(state.classList.contains("waits") && have >= 0);
  if (before.out && holds) deliver(before.out);
  if (mayWrite && holds && document.activeElement === document.body) box.focus();
  toEnd();
  follow();
})();
