/** Texts as the numbers of their tokens. */

import type { Tokenizer } from '@huggingface/tokenizers';

export interface Tokens {
  max_length: number;
  prefix: string;
}

/** The tokenizer of tokenizer.json; its library is loaded here, since photos need none. */
export async function opened(content: Uint8Array): Promise<Tokenizer> {
  const library = new URL('tokenizers.js', location.href).href;
  const { Tokenizer }: typeof import('@huggingface/tokenizers') = await import(/* @vite-ignore */ library);
  return new Tokenizer(JSON.parse(new TextDecoder().decode(content)), {});
}

/** The tokens of one text, special ones around them; what is too long loses its end, as in headstart. */
export function idsOf(tokenizer: Tokenizer, text: string, { max_length: most, prefix }: Tokens): number[] {
  if (!text.trim()) throw new Error('The text is empty.');
  const whole = tokenizer.encode(prefix + text).ids;
  if (whole.length <= most) return whole;
  const bare = tokenizer.encode(prefix + text, { add_special_tokens: false }).ids;
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
