/** A tone of `hertz` that sounds `on` seconds in every `every`. */
interface Cadence {
  hertz: number[];
  on: number;
  every: number;
  loudness: number;
}

const RINGING: Cadence = { hertz: [480, 620], on: 1, every: 3, loudness: 0.2 };
const WAITING: Cadence = { hertz: [440], on: 0.25, every: 4, loudness: 0.08 };
const RINGS_THERE: Cadence = { hertz: [425], on: 1, every: 5, loudness: 0.06 };

const CADENCES = { ring: RINGING, waiting: WAITING, "rings-there": RINGS_THERE };
export type Sound = keyof typeof CADENCES | "";

/** Ring tone, call waiting and ringback, made by the browser: one at a time. */
export class Sounds {
  private context: AudioContext | null = null;
  private timer = 0;
  private playing: OscillatorNode[] = [];

  private sound: Sound = "";

  /** From now on let this be heard, "" for nothing. */
  play(sound: Sound): void {
    if (sound === this.sound) return;
    this.sound = sound;
    if (sound) this.repeat(CADENCES[sound]);
    else this.stop();
  }

  private stop(): void {
    clearInterval(this.timer);
    for (const oscillator of this.playing) oscillator.stop();
    this.playing = [];
  }

  private repeat(cadence: Cadence): void {
    this.stop();
    this.once(cadence);
    this.timer = window.setInterval(() => this.once(cadence), cadence.every * 1000);
  }

  private once({ hertz, on, loudness }: Cadence): void {
    this.context ??= new AudioContext();
    // Until somebody has clicked on the page browsers keep it silent; the screen rings anyway.
    if (this.context.state === "suspended") void this.context.resume();
    const gain = new GainNode(this.context, { gain: loudness / hertz.length });
    gain.connect(this.context.destination);
    this.playing = hertz.map((frequency) => {
      const oscillator = new OscillatorNode(this.context as AudioContext, { frequency });
      oscillator.connect(gain);
      oscillator.start();
      oscillator.stop((this.context as AudioContext).currentTime + on);
      return oscillator;
    });
  }
}
