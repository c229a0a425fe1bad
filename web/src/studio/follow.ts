/** What goes on at the server, followed to its end. */

import { Refusal } from '../lib/server/server.svelte';
import { isOver } from './api';

const TRIES = 3; // without an event, before it is asked for
const PAUSE = 1000; // milliseconds

interface State {
  status: string;
}

/** Hands on each state of something from its events; where they do not come through, by asking for it again and again.
 * Ends with the last state, or quietly when it is aborted. */
export async function follow<T extends State>(
  events: (signal: AbortSignal) => AsyncGenerator<T>,
  ask: () => Promise<T>,
  onstate: (state: T) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let failed = 0; !signal.aborted; ) {
    if (failed < TRIES) {
      try {
        for await (const state of events(signal)) {
          failed = 0;
          onstate(state);
          if (isOver(state.status)) return;
        }
        failed++;
      } catch (error) {
        if (error instanceof Refusal && error.status === 404) throw error;
        failed++;
      }
      if (signal.aborted) return;
    }
    if (await poll(ask, onstate)) return;
    await pause();
  }
}

/** Asks again and again until it is over. */
export async function watch<T extends State>(
  ask: () => Promise<T>,
  onstate: (state: T) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && !(await poll(ask, onstate))) await pause();
}

async function poll<T extends State>(ask: () => Promise<T>, onstate: (state: T) => void): Promise<boolean> {
  const state = await ask();
  onstate(state);
  return isOver(state.status);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE));
}
