interface Person {
  number: string;
  name: string;
}

/** A call is shown with its number until the name is there, and notices wait for it no longer. */
const PATIENCE_MS = 1500;

/** The name of the extension with that number, "" if it has none or the server does not say. */
export async function nameOf(address: string, number: string): Promise<string> {
  if (!number) return "";
  try {
    const answer = await fetch(`${address}?q=${encodeURIComponent(number)}`, {
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!answer.ok) return "";
    const { people } = (await answer.json()) as { people: Person[] };
    return people.find((person) => person.number === number)?.name ?? "";
  } catch {
    return ""; // the number tells enough
  }
}
