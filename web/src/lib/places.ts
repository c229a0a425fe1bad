/** Places in texts. The server counts characters as Python does, by code points; JavaScript's strings count otherwise. */

export interface Place {
  start: number;
  end: number;
}

export interface Piece<T extends Place> {
  text: string;
  place: T | null;
}

/** The text cut at these places, in order; one that begins within another is left out. */
export function pieces<T extends Place>(text: string, places: readonly T[]): Piece<T>[] {
  const characters = Array.from(text);
  const cut: Piece<T>[] = [];
  let at = 0;
  for (const place of [...places].sort((a, b) => a.start - b.start)) {
    if (place.start < at || place.end <= place.start) continue;
    if (place.start > at) cut.push({ text: characters.slice(at, place.start).join(''), place: null });
    cut.push({ text: characters.slice(place.start, place.end).join(''), place });
    at = place.end;
  }
  if (at < characters.length) cut.push({ text: characters.slice(at).join(''), place: null });
  return cut;
}
