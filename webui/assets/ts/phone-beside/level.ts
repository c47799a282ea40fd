const QUIET_S = 4;
/** Loudness from which on somebody speaks, of 1; a quiet room is a tenth of it. */
const HEARD = 0.08;

/** Shows how loud a microphone is, and says so if nothing comes from it. */
export class Level {
  private context: AudioContext | null = null;
  private frame = 0;
  private quietSince = 0;

  constructor(
    private readonly meter: HTMLMeterElement,
    private readonly words: HTMLElement,
  ) {}

  start(stream: MediaStream): void {
    this.stop();
    const context = new AudioContext();
    if (context.state === "suspended") void context.resume();
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    context.createMediaStreamSource(stream).connect(analyser);
    this.context = context;
    this.quietSince = Date.now();
    const samples = new Float32Array(analyser.fftSize);
    const show = (): void => {
      analyser.getFloatTimeDomainData(samples);
      this.show(loudness(samples));
      this.frame = requestAnimationFrame(show);
    };
    show();
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
    void this.context?.close();
    this.context = null;
    this.meter.value = 0;
    this.say("");
  }

  private show(loud: number): void {
    // Quick up, slow down, as the ear has it.
    this.meter.value = Math.max(loud, this.meter.value * 0.9);
    if (loud >= HEARD) {
      this.quietSince = Date.now();
      this.say("You can be heard.");
    } else if (Date.now() - this.quietSince > QUIET_S * 1000) {
      this.say("Nothing comes from this microphone. Speak, or choose another one.");
    }
  }

  private say(text: string): void {
    if (this.words.textContent !== text) this.words.textContent = text;
  }
}

/** From 0 (60 dB below the loudest) to 1. */
function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, (decibels + 60) / 60));
}
