/** Where the log-out happened: in this window or in another one of this browser. */
export const LOGGED_OUT = { HERE: "here", ELSEWHERE: "elsewhere" } as const;
export type LoggedOut = (typeof LOGGED_OUT)[keyof typeof LOGGED_OUT];

const CHANNEL = "branchline-log-out";
const forms = (): NodeListOf<HTMLFormElement> =>
  document.querySelectorAll<HTMLFormElement>("form[action$='/logout/']");

/** Tell this browser's other windows when somebody logs out in this one. */
export function tellLogOut(): void {
  for (const form of forms()) {
    form.addEventListener("submit", () => {
      const channel = new BroadcastChannel(CHANNEL);
      channel.postMessage("");
      channel.close();
    });
  }
}

/** Call `then` when somebody logs out, here or in another window of this browser. */
export function onLogOut(then: (where: LoggedOut) => void): void {
  let here = false;
  for (const form of forms()) {
    form.addEventListener("submit", () => {
      here = true;
      then(LOGGED_OUT.HERE);
    });
  }
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener("message", () => {
    if (!here) then(LOGGED_OUT.ELSEWHERE); // the own window's message comes back, too
  });
}
