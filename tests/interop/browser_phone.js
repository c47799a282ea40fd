// A telephone in a page without any library: SIP over WebSocket by hand, media without sound.
// Functions of the page: register, answered, dial, hangUp.
{
  const encoder = new TextEncoder();
  const sha256 = async (text) =>
    [...new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)))]
      .map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const token = () => Math.random().toString(36).slice(2, 12);
  const SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
  let me, socket, secure, waiting = [], inbox = [], cseq = 0, dialog = null;

  const parse = (text) => {
    const [head, body] = text.split("\r\n\r\n");
    const [start, ...lines] = head.split("\r\n");
    const headers = lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]);
    const all = (name) => headers.filter(([key]) => key === name).map(([, value]) => value);
    return { start, body, all, get: (name) => all(name)[0] || "", status: start.startsWith("SIP/") ? +start.split(" ")[1] : 0 };
  };
  const next = async (wanted) => {
    for (;;) {
      const at = inbox.findIndex(wanted);
      if (at >= 0) return inbox.splice(at, 1)[0];
      await new Promise((resolve) => waiting.push(resolve));
    }
  };
  const via = () => `Via: SIP/2.0/${secure ? "WSS" : "WS"} ${me.host};branch=z9hG4bK${token()}`;
  const contact = () => `<sip:${me.number}@${me.host};transport=ws>`;
  const send = (lines, body = "") =>
    socket.send([...lines, ...(body ? ["Content-Type: application/sdp"] : []), `Content-Length: ${body.length}`, "", body].join("\r\n"));

  const credentials = async (response, method, uri) => {
    const name = response.status === 401 ? "www-authenticate" : "proxy-authenticate";
    const challenge = response.all(name).find((value) => value.includes("SHA-256"));
    const field = (key) => (challenge.match(new RegExp(`${key}="([^"]*)"`)) || [])[1];
    const [realm, nonce] = [field("realm"), field("nonce")];
    const ha1 = await sha256(`${me.number}:${realm}:${me.password}`);
    const ha2 = await sha256(`${method}:${uri}`);
    const answer = await sha256(`${ha1}:${nonce}:00000001:c0:auth:${ha2}`);
    return `${response.status === 401 ? "Authorization" : "Proxy-Authorization"}: Digest username="${me.number}", realm="${realm}", ` +
      `nonce="${nonce}", uri="${uri}", response="${answer}", algorithm=SHA-256, cnonce="c0", nc=00000001, qop=auth`;
  };

  self.register = async (address, number, domain, password) => {
    me = { number, domain, password, host: `${token()}.invalid` };
    secure = address.startsWith("wss");
    socket = new WebSocket(address, "sip");
    await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onclose = () => reject(new Error("closed")); });
    if (socket.protocol !== "sip") throw new Error("no subprotocol");
    socket.onmessage = async (event) => {
      inbox.push(parse(typeof event.data === "string" ? event.data : await event.data.text()));
      waiting.splice(0).forEach((resolve) => resolve());
    };
    const [uri, id, tag] = [`sip:${domain}`, token(), token()];
    let extra = [];
    for (let turn = 0; turn < 2; turn++) {
      send([`REGISTER ${uri} SIP/2.0`, via(), "Max-Forwards: 70", `From: <sip:${number}@${domain}>;tag=${tag}`, `To: <sip:${number}@${domain}>`,
        `Call-ID: ${id}`, `CSeq: ${++cseq} REGISTER`, `Contact: ${contact()};expires=300`, ...extra]);
      const response = await next((message) => message.status >= 200);
      if (response.status === 200) return;
      extra = [await credentials(response, "REGISTER", uri)];
    }
    throw new Error("not registered");
  };

  const reply = (request, status, tag, body = "") =>
    send([`SIP/2.0 ${status} Something`, ...request.all("via").map((value) => `Via: ${value}`), ...request.all("record-route").map((value) => `Record-Route: ${value}`),
      `From: ${request.get("from")}`, `To: ${request.get("to")}${request.get("to").includes(";tag=") ? "" : `;tag=${tag}`}`,
      `Call-ID: ${request.get("call-id")}`, `CSeq: ${request.get("cseq")}`, `Contact: ${contact()}`], body);

  // Answers the next call and its BYE; gives the number that called once the ACK is there.
  self.answered = async () => {
    const invite = await next((message) => message.start.startsWith("INVITE "));
    const tag = token();
    reply(invite, 180, tag);
    reply(invite, 200, tag, SDP);
    next((message) => message.start.startsWith("BYE ")).then((bye) => reply(bye, 200, tag));
    return invite.get("from").match(/sip:([^@]+)@/)[1];
  };

  // Calls a number; gives the final status.
  self.dial = async (called) => {
    const [uri, id, tag] = [`sip:${called}@${me.domain}`, token(), token()];
    const from = `<sip:${me.number}@${me.domain}>;tag=${tag}`;
    let extra = [];
    for (let turn = 0; turn < 2; turn++) {
      const path = via();
      send([`INVITE ${uri} SIP/2.0`, path, "Max-Forwards: 70", `From: ${from}`, `To: <${uri}>`, `Call-ID: ${id}`, `CSeq: ${++cseq} INVITE`,
        `Contact: ${contact()}`, ...extra], SDP);
      const number = cseq;
      const response = await next((message) => message.status >= 200 && message.get("cseq") === `${number} INVITE`);
      if (response.status === 200) {
        const target = response.get("contact").match(/<([^>]+)>/)[1];
        dialog = { id, from, to: response.get("to"), target, routes: response.all("record-route").reverse() };
        within("ACK", number);
        return 200;
      }
      send([`ACK ${uri} SIP/2.0`, path, "Max-Forwards: 70", `From: ${from}`, `To: ${response.get("to")}`, `Call-ID: ${id}`, `CSeq: ${number} ACK`]);
      if (response.status !== 407) return response.status;
      extra = [await credentials(response, "INVITE", uri)];
    }
    return 407;
  };

  const within = (method, number) =>
    send([`${method} ${dialog.target} SIP/2.0`, via(), ...dialog.routes.map((route) => `Route: ${route}`), "Max-Forwards: 70", `From: ${dialog.from}`,
      `To: ${dialog.to}`, `Call-ID: ${dialog.id}`, `CSeq: ${number} ${method}`]);

  // Ends the call that was dialled; gives its Call-ID.
  self.hangUp = () => {
    within("BYE", ++cseq);
    return dialog.id;
  };
}
// The value of this script: nothing to call.
null;
