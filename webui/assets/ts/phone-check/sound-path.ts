/** How to ask the media gateway; without `own` there is none that could be asked so. */
export interface Way {
  own: boolean;
  ufrag: string;
  password: string;
  port: number;
  hosts: string[];
}

const PATIENCE_MS = 8000;
/** Nothing is encrypted for it: the check ends before DTLS would begin in earnest. */
const NO_FINGERPRINT = `sha-256 ${Array(32).fill("00").join(":")}`;

/**
 * Try the way that the sound of calls takes: connectivity checks of ICE (RFC 8445) over UDP, to the
 * gateway's own port, answered by it. Milliseconds there and back, 0 if the browser does not tell.
 * Throws when no answer comes.
 */
export async function trySoundPath(way: Way): Promise<number> {
  const connection = new RTCPeerConnection({ iceServers: [] });
  try {
    connection.createDataChannel("check");
    const connected = new Promise<void>((resolve, reject) => {
      setTimeout(() => reject(new Error("no answer in time")), PATIENCE_MS);
      connection.addEventListener("iceconnectionstatechange", () => {
        const state = connection.iceConnectionState;
        if (state === "connected" || state === "completed") resolve();
        if (state === "failed") reject(new Error("no answer"));
      });
    });
    await connection.setLocalDescription();
    await connection.setRemoteDescription({ type: "answer", sdp: answerOf(way) });
    await connected;
    return await roundTrip(connection);
  } finally {
    connection.close();
  }
}

function answerOf(way: Way): string {
  const lines = [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "a=ice-lite",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=mid:0",
    "a=sctp-port:5000",
    `a=ice-ufrag:${way.ufrag}`,
    `a=ice-pwd:${way.password}`,
    `a=fingerprint:${NO_FINGERPRINT}`,
    "a=setup:passive",
    ...way.hosts.map(
      (host, at) => `a=candidate:${at + 1} 1 UDP ${2130706431 - at} ${host} ${way.port} typ host`,
    ),
    "a=end-of-candidates",
    "",
  ];
  return lines.join("\r\n");
}

async function roundTrip(connection: RTCPeerConnection): Promise<number> {
  let seconds = 0;
  for (const report of (await connection.getStats()).values()) {
    if (report.type === "candidate-pair" && report.state === "succeeded") {
      seconds = report.currentRoundTripTime ?? seconds;
    }
  }
  return seconds * 1000;
}
