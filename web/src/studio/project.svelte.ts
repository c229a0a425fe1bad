/** One project as the page knows it: what the server last said of it, and what goes on with it. */

import { Refusal } from '../lib/server/server.svelte';
import { isOver, type Api, type Check, type Details, type Export, type RunState } from './api';
import { follow, watch } from './follow';
import { Uploads } from './uploads.svelte';

export interface Notice {
  words: string;
  undo: (() => Promise<unknown>) | null;
}

export class Project {
  details = $state.raw<Details | null>(null);
  check = $state.raw<Check | null>(null);
  gone = $state(false);
  problem = $state('');
  notice = $state.raw<Notice | null>(null); // what was done last
  revision = $state(0); // rises when photos were moved: counts may be the same
  readonly uploads: Uploads;
  #followed = $state.raw<Record<number, RunState>>({}); // runs as they were last seen
  #exports = $state.raw<Record<number, Export>>({});
  #following = new Map<string, AbortController>();

  /** The runs, the newest last. */
  readonly runs = $derived((this.details?.runs ?? []).map((run) => this.#followed[run.id] ?? run));
  readonly exports = $derived((this.details?.exports ?? []).map((each) => this.#exports[each.id] ?? each));
  readonly training = $derived(this.runs.find((run) => !isOver(run.status)));
  /** How far that is; undefined: it was not heard of yet. */
  readonly progress = $derived(this.training && this.#followed[this.training.id]);
  readonly trained = $derived(this.runs.findLast((run) => run.status === 'done'));
  readonly checking = $derived(this.check !== null && !isOver(this.check.status));

  constructor(
    readonly api: Api,
    readonly id: string,
  ) {
    this.uploads = new Uploads(
      (to, files) => api.addPhotos(id, to, files),
      () => void this.refresh(),
    );
  }

  /** Asks the server anew: this is not the only page that changes things. */
  async refresh(): Promise<void> {
    try {
      const details = await this.api.details(this.id);
      this.#followed = Object.fromEntries(
        Object.entries(this.#followed).filter(([id]) => this.#following.has(`run ${id}`)),
      );
      this.#exports = {};
      this.details = details;
      this.problem = '';
      details.runs.filter((run) => !isOver(run.status)).forEach((run) => this.#followRun(run.id));
      details.exports.filter((each) => !isOver(each.status)).forEach((each) => this.#followExport(each.id));
    } catch (error) {
      this.gone = error instanceof Refusal && error.status === 404;
      this.problem = (error as Error).message;
    }
  }

  /** Does something, then asks the server anew; its refusal is shown. Gives whether it was done. */
  async change(work: () => Promise<unknown>): Promise<boolean> {
    let refusal = '';
    try {
      await work();
    } catch (error) {
      refusal = (error as Error).message;
    }
    await this.refresh();
    if (refusal) this.problem = refusal;
    return refusal === '';
  }

  /** Does something with examples, says so, and how it is taken back: by what came of it. */
  async mend<T>(
    work: () => Promise<T>,
    words: string,
    back: (done: T) => (() => Promise<unknown>) | null,
  ): Promise<boolean> {
    this.notice = null;
    const done = await this.change(async () => {
      const found = await work();
      this.notice = { words, undo: back(found) };
    });
    this.revision++;
    return done;
  }

  /** Takes back what was done last. */
  async undo(): Promise<void> {
    const undo = this.notice?.undo;
    if (undo && (await this.change(undo))) this.notice = { words: 'It is as it was before.', undo: null };
    this.revision++;
    await this.lookAgain();
  }

  /** Has the examples looked at; where nothing has changed since the last look, the server knows. */
  async examine(): Promise<void> {
    try {
      await this.api.startCheck(this.id);
      this.check = await this.api.check(this.id);
    } catch (error) {
      this.problem = (error as Error).message;
      return;
    }
    this.#once('check', (signal) =>
      watch(
        () => this.api.check(this.id),
        (state) => (this.check = state),
        signal,
      ),
    );
  }

  /** What the last look found, without what was mended since. */
  async lookAgain(): Promise<void> {
    try {
      this.check = await this.api.check(this.id);
    } catch (error) {
      this.problem = (error as Error).message;
    }
  }

  /** Leaves what is followed; the server goes on with it. */
  leave(): void {
    this.#following.forEach((controller) => controller.abort());
    this.#following.clear();
  }

  #followRun(run: number): void {
    this.#once(`run ${run}`, async (signal) => {
      await follow(
        (signal) => this.api.runEvents(this.id, run, signal),
        () => this.api.run(this.id, run),
        (state) => (this.#followed = { ...this.#followed, [run]: state }),
        signal,
      );
    });
  }

  #followExport(id: number): void {
    this.#once(`export ${id}`, (signal) =>
      watch(
        () => this.api.exported(this.id, id),
        (state) => (this.#exports = { ...this.#exports, [id]: state }),
        signal,
      ),
    );
  }

  /** Follows something unless it is followed; when it has ended, all is asked anew. */
  #once(name: string, work: (signal: AbortSignal) => Promise<void>): void {
    if (this.#following.has(name)) return;
    const controller = new AbortController();
    this.#following.set(name, controller);
    work(controller.signal).then(
      () => {
        if (controller.signal.aborted) return;
        this.#following.delete(name);
        void this.refresh();
      },
      (error: Error) => {
        this.#following.delete(name);
        this.problem = error.message;
      },
    );
  }
}
