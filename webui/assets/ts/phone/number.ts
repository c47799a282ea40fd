/** What was typed cannot be called; the message says what to do. */
export class NotCallable extends Error {
  constructor(text: string) {
    super(`“${text}” cannot be called. Type a number, or an address such as 1001@example.com.`);
  }
}

/** The number or address in what a person typed. Throws `NotCallable`. */
export function targetOf(text: string): string {
  const number = text.trim();
  if (/\s/.test(number) && !/^[+\d\s()/.-]+$/.test(number)) {
    const error = new NotCallable(number);
    error.message = "That is no number. Choose somebody from the list, or type a number.";
    throw error;
  }
  return /^[+\d]/.test(number) ? number.replace(/[\s()/]/g, "") : number;
}
