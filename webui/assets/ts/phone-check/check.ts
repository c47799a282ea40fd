import { fetchCredential, NotAllowed } from "../phone/credential";
import { element } from "../phone/element";
import { closeMicrophone, NoMicrophone, openMicrophone } from "../phone/microphone";
import { trySoundPath, type Way } from "./sound-path";

const OPEN_MS = 8000;
const ANSWER_MS = 8000;

/** What a check found out; "left-out" says neither yes nor no. */
interface Finding {
  state: "ok" | "bad" | "left-out";
  words: string;
  why?: string;
}

const ok = (words: string): Finding => ({ state: "ok", words });
const bad = (words: string, why = ""): Finding => ({ state: "bad", words, why });

const root = element("checks");

function secure(): Finding {
  return window.isSecureContext
    ? ok("The browser takes this page for a secure one.")
    : bad("This page was opened without encryption, so the browser keeps the microphone from it.");
}

async function microphone(): Promise<Finding> {
  try {
    const stream = await openMicrophone("");
    const name = stream.getAudioTracks()[0]?.label;
    closeMicrophone(stream);
    return ok(name ? `The browser gives it to this page: ${name}.` : "The browser gives it to this page.");
  } catch (error) {
    if (!(error instanceof NoMicrophone)) throw error;
    const words = {
      insecure: "The browser gives it to secure pages only.",
      refused: "The browser was told not to give it to this page.",
      none: "No microphone was found.",
      "in-use": "There is one, but it cannot be used.",
    };
    return bad(words[error.why], error.why);
  }
}

function connection(): Promise<Finding> {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/sip`, "sip");
  return new Promise<Finding>((resolve) => {
    const no = (): void => resolve(bad("It did not come about."));
    setTimeout(no, OPEN_MS);
    socket.addEventListener("close", no);
    socket.addEventListener("open", () => resolve(ok("It stands.")));
  }).finally(() => socket.close());
}

async function extension(): Promise<Finding> {
  try {
    const credential = await fetchCredential(root.dataset.credential ?? "");
    return ok(`This page may be ${credential.uri.replace(/^sip:|@.*/g, "")}.`);
  } catch (error) {
    return bad(
      error instanceof NotAllowed
        ? "You are not logged in any more, or have no extension any more."
        : "The telephone system did not answer.",
    );
  }
}

async function soundPath(): Promise<Finding> {
  if (!window.RTCPeerConnection) {
    return bad("This browser has no WebRTC, or it was switched off.", "unable");
  }
  try {
    const way = await askWay();
    if (!way.own) {
      return {
        state: "left-out",
        words: "This telephone system has media servers that only a call can try: call *43, the echo test.",
      };
    }
    const took = await trySoundPath(way);
    return ok(took ? `It is open; there and back in ${took < 1 ? "under 1" : Math.round(took)} ms.` : "It is open.");
  } catch {
    return bad("No answer came over UDP.", "silent");
  }
}

async function askWay(): Promise<Way> {
  const token = document.querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]");
  const answer = await fetch(root.dataset.path ?? "", {
    method: "POST",
    headers: { "X-CSRFToken": token?.value ?? "" },
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return (await answer.json()) as Way;
}

const CHECKS: [string, () => Finding | Promise<Finding>][] = [
  ["secure", secure],
  ["microphone", microphone],
  ["connection", connection],
  ["extension", extension],
  ["sound", soundPath],
];

function show(name: string, finding: Finding): void {
  const row = element(`check-${name}`);
  row.dataset.state = finding.state;
  const words = row.querySelector(".found-out");
  if (words) words.textContent = finding.words;
  for (const each of row.querySelectorAll<HTMLElement>("[data-why]")) {
    each.hidden = each.dataset.why !== finding.why;
  }
}

async function checkAll(): Promise<void> {
  const again = element<HTMLButtonElement>("check-again");
  const verdict = element("verdict");
  again.disabled = true;
  verdict.textContent = "";
  for (const [name] of CHECKS) element(`check-${name}`).dataset.state = "waiting";
  const found = await Promise.all(
    CHECKS.map(async ([name, check]) => {
      const finding = await check();
      show(name, finding);
      return finding.state;
    }),
  );
  const missing = found.filter((state) => state === "bad").length;
  verdict.textContent = missing
    ? `${missing === 1 ? "One thing is" : `${missing} things are`} missing.`
    : "Everything is there. Calls from this browser work.";
  again.disabled = false;
}

element("check-again").addEventListener("click", () => void checkAll());
void checkAll();
