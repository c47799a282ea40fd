import { setCookie } from "./cookies";

/** Alpine component: light, dark or like the system; remembered in storage and, for the server, a cookie. */
export const themeSwitch = () => ({
  mode: document.documentElement.dataset.theme ?? "auto",
  get isLight(): boolean {
    return this.mode === "light";
  },
  get isDark(): boolean {
    return this.mode === "dark";
  },
  get isAuto(): boolean {
    return this.mode === "auto";
  },
  set(mode: string): void {
    this.mode = mode;
    document.documentElement.dataset.theme = mode;
    setCookie("theme", mode);
    try {
      localStorage.setItem("theme", mode);
    } catch {
      // storage may be forbidden; the cookie is enough
    }
  },
});
