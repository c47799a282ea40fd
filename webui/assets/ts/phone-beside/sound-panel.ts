import { element } from "../phone/element";
import { CHOSEN, choose, chosen, type Kind, playOnChosen } from "../phone/chosen-devices";
import { closeMicrophone, NoMicrophone, openMicrophone } from "../phone/microphone";
import { Level } from "./level";

const TONE_HERTZ = 440;
const TONE_S = 1.2;

/** Microphone and speaker: which, how loud, and whether one hears anything. Open only while shown. */
export class SoundPanel {
  private readonly panel = element<HTMLDetailsElement>("sound");
  private readonly microphones = element<HTMLSelectElement>("which-microphone");
  private readonly speakers = element<HTMLSelectElement>("which-speaker");
  private readonly trouble = element("sound-trouble");
  private readonly level = new Level(element<HTMLMeterElement>("level"), element("level-words"));
  private stream: MediaStream | null = null;
  private turn = 0;

  constructor(private readonly httpsPort: string) {}

  start(): void {
    const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype;
    element("speaker-field").hidden = !canChooseSpeaker;
    this.microphones.addEventListener("change", () => choose("microphone", this.microphones.value));
    this.speakers.addEventListener("change", () => choose("speaker", this.speakers.value));
    element("try-speaker").addEventListener("click", () => void this.playTone());
    this.panel.addEventListener("toggle", () => void this.toggled());
    window.addEventListener(CHOSEN, (event) => {
      if ((event as CustomEvent<Kind>).detail === "microphone") void this.toggled();
      else void this.useSpeaker();
    });
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.list());
    window.addEventListener("pagehide", () => this.close());
    void this.useSpeaker();
  }

  private async useSpeaker(): Promise<void> {
    for (const voice of document.querySelectorAll("audio")) await playOnChosen(voice);
  }

  private async toggled(): Promise<void> {
    const mine = ++this.turn;
    this.close();
    if (!this.panel.open) return;
    try {
      const stream = await openMicrophone(this.httpsPort);
      if (mine !== this.turn) return closeMicrophone(stream);
      this.stream = stream;
      this.tell("");
      this.level.start(stream);
      await this.list(); // names are told only to who may listen
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error;
      this.tell(error.message);
    }
  }

  private close(): void {
    this.level.stop();
    closeMicrophone(this.stream);
    this.stream = null;
  }

  private async list(): Promise<void> {
    if (!this.panel.open || !navigator.mediaDevices) return;
    const devices = await navigator.mediaDevices.enumerateDevices();
    fill(this.microphones, devices, "audioinput", chosen("microphone"));
    fill(this.speakers, devices, "audiooutput", chosen("speaker"));
  }

  private async playTone(): Promise<void> {
    const context = new AudioContext();
    const out = new MediaStreamAudioDestinationNode(context);
    const gain = new GainNode(context, { gain: 0.2 });
    const tone = new OscillatorNode(context, { frequency: TONE_HERTZ });
    tone.connect(gain).connect(out);
    const player = new Audio();
    player.srcObject = out.stream;
    await playOnChosen(player);
    tone.addEventListener("ended", () => void context.close());
    tone.start();
    tone.stop(context.currentTime + TONE_S);
    await player.play();
  }

  private tell(words: string): void {
    this.trouble.textContent = words;
    this.trouble.hidden = !words;
  }
}

function fill(
  list: HTMLSelectElement,
  devices: MediaDeviceInfo[],
  kind: MediaDeviceKind,
  wanted: string,
): void {
  const of = devices.filter((device) => device.kind === kind && device.deviceId);
  // The browser's own entry "default" is the system's choice, which is "" here.
  const named = of.filter((device) => device.deviceId !== "default");
  const options = [new Option("The system’s choice", "")];
  named.forEach((device, at) => {
    options.push(new Option(device.label || `${at + 1}`, device.deviceId));
  });
  const gone = wanted && !named.some((device) => device.deviceId === wanted);
  if (gone) options.push(new Option("One that is not plugged in", wanted));
  list.replaceChildren(...options);
  list.value = wanted;
}
