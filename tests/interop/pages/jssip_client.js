// A telephone by JsSIP as its users make one: `client` is told what to do by the test.
import { UA, WebSocketInterface } from "jssip";

import { heard, Queue, tone } from "./sound.js";

const PEER = { iceServers: [] };
const calls = new Queue();
let ua, stream, session, domain;

/** Settles with 200 when the call stands, else with the status of its refusal (0: none came). */
const settled = (call) =>
  new Promise((resolve) => {
    call.on("confirmed", () => resolve(200));
    call.on("failed", ({ message }) => resolve(message?.status_code ?? 0));
  });

globalThis.client = {
  register({ address, number, domain: name, password, frequency = 440, userAgent }) {
    domain = name;
    stream = tone(frequency);
    ua = new UA({
      sockets: [new WebSocketInterface(address)],
      uri: `sip:${number}@${domain}`,
      password,
      register_expires: 300,
      ...(userAgent ? { user_agent: userAgent } : {}),
    });
    ua.on("newRTCSession", ({ originator, session: call }) => {
      if (originator === "remote") calls.put(call);
    });
    return new Promise((resolve, reject) => {
      ua.on("registered", () => resolve(true));
      ua.on("registrationFailed", ({ cause }) => reject(new Error(cause)));
      ua.start();
    });
  },

  dial(number) {
    session = ua.call(`sip:${number}@${domain}`, { mediaStream: stream, pcConfig: PEER });
    return settled(session);
  },

  /** Takes the next call; gives who calls once it stands. */
  async answer() {
    session = await calls.next();
    const standing = settled(session);
    session.answer({ mediaStream: stream, pcConfig: PEER });
    await standing;
    return session.remote_identity.uri.user;
  },

  /** Refuses the next call with that status; gives who called. */
  async refuse(status) {
    const call = await calls.next();
    call.terminate({ status_code: status });
    return call.remote_identity.uri.user;
  },

  /** Holds or resumes by a re-INVITE; settles when the other side agreed. */
  hold(held) {
    return new Promise((resolve) => (held ? session.hold({}, () => resolve(true)) : session.unhold({}, () => resolve(true))));
  },

  heldThere: () => session.isOnHold().remote,
  callId: () => session._request.call_id,
  hangUp: () => session.terminate(),
  isOver: () => session.isEnded(),
  heard: () => heard(session?.connection),
  stop: () =>
    new Promise((resolve) => {
      ua.on("disconnected", () => resolve(true));
      ua.stop();
    }),
};
