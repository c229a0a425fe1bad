/** The model as the page sees it: how far it is loaded, and what it answers. */

import type { Facts } from './facts';
import type { Ask, FromWorker, ToWorker } from './messages';

interface Waiting {
  resolve: (outputs: number[]) => void;
  reject: (error: Error) => void;
}

export class Runner {
  facts = $state.raw<Facts | null>(null);
  loaded = $state(0); // bytes
  total = $state(0);
  ready = $state(false);
  failed = $state('');
  readonly opened: Promise<Facts>;
  #worker: Worker;
  #waiting = new Map<number, Waiting>();
  #count = 0;

  constructor() {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#heard(data);
    this.#worker.onerror = (event) => this.#fail(`The model cannot be run here: ${event.message || 'worker.js is missing'}`);
    this.opened = this.#open();
    this.opened.catch((error: Error) => this.#fail(error.message));
  }

  /** The outputs for one input; waits until the model is loaded. */
  async ask(ask: Ask): Promise<number[]> {
    await this.opened;
    if (this.failed) throw new Error(this.failed);
    const id = ++this.#count;
    this.#send({ id, ask }, 'frame' in ask ? [ask.frame] : []);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async #open(): Promise<Facts> {
    const response = await fetch(new URL('model.json', location.href));
    if (!response.ok) throw new Error(`model.json cannot be read (${response.status}). Is the whole folder there?`);
    const facts = (await response.json()) as Facts;
    this.facts = facts;
    this.#send({ open: facts }, []);
    return facts;
  }

  #send(message: ToWorker, transfer: Transferable[]): void {
    this.#worker.postMessage(message, transfer);
  }

  #heard(message: FromWorker): void {
    if ('loaded' in message) {
      [this.loaded, this.total] = [message.loaded, message.total];
    } else if ('ready' in message) {
      this.ready = true;
    } else if ('failed' in message) {
      this.#fail(message.failed);
    } else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ('error' in message) waiting?.reject(new Error(message.error));
      else waiting?.resolve(message.outputs);
    }
  }

  #fail(why: string): void {
    this.failed = why;
    this.#waiting.forEach(({ reject }) => reject(new Error(why)));
    this.#waiting.clear();
  }
}
