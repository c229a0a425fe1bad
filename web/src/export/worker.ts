/** Runs the model beside the page, which stays quick meanwhile. */

import { Download } from './download';
import type { FromWorker, ToWorker } from './messages';
import { Session } from './session';

// TypeScript has either the types of pages or those of workers.
const scope = globalThis as unknown as {
  postMessage: (message: FromWorker) => void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
};

let session: Promise<Session>;
let last: Promise<void> = Promise.resolve(); // the runtime takes one input after another

scope.onmessage = ({ data }) => {
  if ('open' in data) {
    session = open(data);
    session.catch((error: Error) => scope.postMessage({ failed: error.message }));
  } else {
    last = last.then(() => answer(data));
  }
};

async function open({ open: facts }: Extract<ToWorker, { open: unknown }>): Promise<Session> {
  const made = await Session.open(facts, new Download((loaded, total) => scope.postMessage({ loaded, total })));
  await made.warmUp();
  scope.postMessage({ ready: true });
  return made;
}

async function answer({ id, ask }: Extract<ToWorker, { id: number }>): Promise<void> {
  try {
    scope.postMessage({ id, outputs: await (await session).answer(ask) });
  } catch (error) {
    scope.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
}
