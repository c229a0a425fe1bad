/** Findings that the user has looked at and left as they are; this browser remembers them. */

import { SvelteSet } from 'svelte/reactivity';
import type { Finding } from './api';
import { keyOf } from './findings';

export class Kept {
  readonly #keys: SvelteSet<string>;
  readonly #place: string;

  constructor(project: string) {
    this.#place = `headstart studio kept ${project}`;
    this.#keys = new SvelteSet(read(this.#place));
  }

  has(finding: Finding): boolean {
    return this.#keys.has(keyOf(finding));
  }

  add(findings: readonly Finding[]): void {
    findings.forEach((finding) => this.#keys.add(keyOf(finding)));
    localStorage.setItem(this.#place, JSON.stringify([...this.#keys]));
  }
}

function read(place: string): string[] {
  try {
    return JSON.parse(localStorage.getItem(place) ?? '[]');
  } catch {
    return []; // not of this page's making
  }
}
