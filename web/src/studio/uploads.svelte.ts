/** Photos on their way to the server, in batches, one after the other. */

import { Refusal } from '../lib/server/server.svelte';
import type { Added } from './api';

const FILES = 16; // of a batch, at most
const BYTES = 24 << 20;

interface Waiting {
  to: string;
  file: File;
}

export class Uploads {
  total = $state(0);
  done = $state(0);
  added = $state(0);
  repeated = $state(0); // photos that were there already
  refused = $state.raw<Added['refused']>([]);
  readonly active = $derived(this.done < this.total);
  #waiting: Waiting[] = [];
  #running = false;

  /** send: takes a batch to its class. onbatch: told of each class that has something new. */
  constructor(
    readonly send: (to: string, files: readonly File[]) => Promise<Added>,
    readonly onbatch: (to: string) => void,
  ) {}

  add(to: string, files: readonly File[], refused: Added['refused'] = []): void {
    if (!this.active) {
      [this.total, this.done, this.added, this.repeated, this.refused] = [0, 0, 0, 0, []];
    }
    this.total += files.length;
    this.refused = [...this.refused, ...refused];
    this.#waiting.push(...files.map((file) => ({ to, file })));
    if (!this.#running) void this.#work();
  }

  /** What waits for a class goes to it under its new name. */
  renamed(from: string, to: string): void {
    this.#waiting.forEach((each) => each.to === from && (each.to = to));
  }

  /** Leaves what has not been sent; what has been stays. */
  stop(): void {
    this.total -= this.#waiting.length;
    this.#waiting = [];
  }

  forget(): void {
    [this.repeated, this.added, this.refused] = [0, 0, []];
  }

  async #work(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length) {
      const batch = this.#batch();
      const to = batch[0]?.to ?? '';
      try {
        const answer = await this.send(to, batch.map((each) => each.file));
        this.added += answer.added.length;
        this.repeated += answer.already.length;
        const elsewhere = answer.already.filter((each) => each.class !== to);
        const moves = elsewhere.map((each) => ({ name: each.name, error: `it is in ‘${each.class}’ already` }));
        this.repeated -= elsewhere.length;
        this.refused = [...this.refused, ...answer.refused, ...moves];
      } catch (error) {
        const { message } = error as Error;
        this.refused = [...this.refused, ...batch.map(({ file }) => ({ name: file.name, error: message }))];
        if (error instanceof Refusal && error.status === 507) this.stop(); // the disk is full
      }
      this.done += batch.length;
      this.onbatch(to);
    }
    this.#running = false;
  }

  /** The next files of one class, as many as go in a request. */
  #batch(): Waiting[] {
    const [first] = this.#waiting;
    let [n, bytes] = [0, 0];
    for (const { to, file } of this.#waiting) {
      bytes += file.size;
      if (to !== first?.to || n === FILES || (n > 0 && bytes > BYTES)) break;
      n++;
    }
    return this.#waiting.splice(0, n);
  }
}
