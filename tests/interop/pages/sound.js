// What the pages of the SIP libraries say and hear: a tone instead of a microphone.

let context;

/** A stream with that tone. */
export function tone(frequency) {
  context = context ?? new AudioContext();
  const sink = new MediaStreamAudioDestinationNode(context);
  const oscillator = new OscillatorNode(context, { frequency });
  oscillator.connect(sink);
  oscillator.start();
  void context.resume();
  return sink.stream;
}

/** The strongest frequency that the peer connection brings, in Hz; 0 for silence. */
export function heard(peer) {
  const track = peer?.getReceivers().find((receiver) => receiver.track.kind === "audio")?.track;
  if (!track) return 0;
  if (peer.analyser === undefined) {
    const stream = new MediaStream([track]);
    const element = new Audio(); // Chromium gives no sound of a peer to a context alone
    element.muted = true;
    element.srcObject = stream;
    void element.play();
    peer.element = element;
    peer.analyser = new AnalyserNode(context, { fftSize: 32768, smoothingTimeConstant: 0 });
    new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(peer.analyser);
  }
  const strength = new Float32Array(peer.analyser.frequencyBinCount);
  peer.analyser.getFloatFrequencyData(strength);
  const loudest = strength.indexOf(Math.max(...strength));
  return strength[loudest] > -70 ? (loudest * context.sampleRate) / peer.analyser.fftSize : 0;
}

/** Values that come, for whoever waits for them: `put` one, `next` is a promise of the first not yet taken. */
export class Queue {
  values = [];
  waiting = [];

  put(value) {
    const taker = this.waiting.shift();
    if (taker) taker(value);
    else this.values.push(value);
  }

  next() {
    if (this.values.length) return Promise.resolve(this.values.shift());
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
