/**
 * Remember `name=value` for a year. On the HTTPS door the server reads cookies by their `__Host-`
 * name only (pbx/cookies.py), which browsers accept from secure pages alone.
 */
export function setCookie(name: string, value: string): void {
  const secure = location.protocol === "https:";
  const prefix = secure ? "__Host-" : "";
  const flags = `path=/;max-age=31536000;samesite=lax${secure ? ";secure" : ""}`;
  document.cookie = `${prefix}${name}=${encodeURIComponent(value)};${flags}`;
}
