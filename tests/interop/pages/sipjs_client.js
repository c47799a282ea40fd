// A telephone by SIP.js as its users make one: `client` is told what to do by the test.
import { Inviter, Registerer, RegistererState, SessionState, UserAgent, Web } from "sip.js";

import { heard, Queue, tone } from "./sound.js";

const calls = new Queue();
let agent, registerer, session, stream, domain;
const options = { sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } } };

const established = (call) =>
  new Promise((resolve) => {
    call.stateChange.addListener((state) => {
      if (state === SessionState.Established) resolve(200);
    });
  });

const number_of = (call) => call.remoteIdentity.uri.user;

globalThis.client = {
  async register({ address, number, domain: name, password, frequency = 440, userAgent }) {
    domain = name;
    stream = tone(frequency);
    agent = new UserAgent({
      uri: UserAgent.makeURI(`sip:${number}@${domain}`),
      authorizationUsername: number,
      authorizationPassword: password,
      transportOptions: { server: address },
      // A stream of its own for each call: at its end the library stops its tracks.
      sessionDescriptionHandlerFactory: Web.defaultSessionDescriptionHandlerFactory(() => Promise.resolve(stream.clone())),
      sessionDescriptionHandlerFactoryOptions: { iceGatheringTimeout: 500, peerConnectionConfiguration: { iceServers: [] } },
      delegate: { onInvite: (invitation) => calls.put(invitation) },
      logLevel: "error",
      ...(userAgent ? { userAgentString: userAgent } : {}),
    });
    await agent.start();
    registerer = new Registerer(agent, { expires: 300 });
    return new Promise((resolve, reject) => {
      registerer.stateChange.addListener((state) => {
        if (state === RegistererState.Registered) resolve(true);
      });
      void registerer.register({
        requestDelegate: { onReject: ({ message }) => reject(new Error(`${message.statusCode}`)) },
      });
    });
  },

  dial(number) {
    const call = new Inviter(agent, UserAgent.makeURI(`sip:${number}@${domain}`), options);
    session = call;
    return new Promise((resolve) => {
      void established(call).then(resolve);
      void call.invite({ requestDelegate: { onReject: ({ message }) => resolve(message.statusCode) } });
    });
  },

  /** Takes the next call; gives who calls once it stands. */
  async answer() {
    session = await calls.next();
    const standing = established(session);
    await session.accept(options);
    await standing;
    return number_of(session);
  },

  /** Refuses the next call with that status; gives who called. */
  async refuse(status) {
    const call = await calls.next();
    await call.reject({ statusCode: status });
    return number_of(call);
  },

  /** Holds or resumes by a re-INVITE; settles when the other side agreed. */
  hold(held) {
    session.sessionDescriptionHandlerOptionsReInvite = { hold: held };
    return new Promise((resolve, reject) => {
      void session.invite({
        sessionDescriptionHandlerModifiers: held ? [Web.holdModifier] : [],
        requestDelegate: { onAccept: () => resolve(true), onReject: ({ message }) => reject(new Error(`${message.statusCode}`)) },
      });
    });
  },

  heldThere: () => /a=(sendonly|inactive)/.test(session.sessionDescriptionHandler.peerConnection.remoteDescription.sdp),
  callId: () => session.request.callId,
  hangUp: () => session.bye(),
  isOver: () => session.state === SessionState.Terminated,
  heard: () => heard(session?.sessionDescriptionHandler?.peerConnection),
  async stop() {
    await registerer.unregister();
    await agent.stop();
    return true;
  },
};
