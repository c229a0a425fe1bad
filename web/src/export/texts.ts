/** Texts as the numbers of their tokens. */

import type { Tokenizer } from '@huggingface/tokenizers';

export interface Tokens {
  max_length: number;
  prefix: string;
}

const HALF = /\p{Surrogate}/gu; // of a character: no tokenizer takes it
const LOWERS = /"lowercase":\s*true|"type":\s*"Lowercase"/; // of a tokenizer.json: it makes all letters small

export interface Opened {
  tokenizer: Tokenizer;
  lowers: boolean;
}

/** The tokenizer of tokenizer.json; its library is loaded here, since photos need none. */
export async function opened(content: Uint8Array): Promise<Opened> {
  const library = new URL('tokenizers.js', location.href).href;
  const { Tokenizer }: typeof import('@huggingface/tokenizers') = await import(/* @vite-ignore */ library);
  const json = new TextDecoder().decode(content);
  return { tokenizer: new Tokenizer(JSON.parse(json), {}), lowers: LOWERS.test(json) };
}

/** The tokens of one text, special ones around them; what is too long loses its end, as in headstart. */
export function idsOf({ tokenizer, lowers }: Opened, given: string, { max_length: most, prefix }: Tokens): number[] {
  if (!given.trim()) throw new Error('The text is empty.');
  // JavaScript has another small sigma at the end of a word, where the tokenizers of Python have one for all places.
  const text = prefix + (lowers ? given.replaceAll('Σ', 'σ') : given).replace(HALF, '\ufffd');
  const whole = tokenizer.encode(text).ids;
  if (whole.length <= most) return whole;
  const bare = tokenizer.encode(text, { add_special_tokens: false }).ids;
  const special = whole.length - bare.length;
  const before = start(whole, bare, special);
  const kept = bare.slice(0, Math.max(0, most - special));
  return [...whole.slice(0, before), ...kept, ...whole.slice(before + bare.length)];
}

/** Where the text's own tokens begin. */
function start(whole: readonly number[], bare: readonly number[], special: number): number {
  for (let at = 0; at <= special; at++) {
    if (bare.every((id, index) => whole[at + index] === id)) return at;
  }
  throw new Error('tokenizer.json puts special tokens within a text, which this page does not know.');
}
