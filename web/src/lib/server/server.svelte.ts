/** The connection to the server: who asks, whether it answers, and what is done where it does not. */

const KEPT = 'headstart token';
const LONGEST_WAIT = 10; // seconds between two looks whether the server is there again
const TRIES = 5; // where it has too much to do

type Reach = 'ok' | 'lost' | 'locked';

/** What the server says where it refuses, in its own words. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export class Server {
  reach = $state<Reach>('ok');
  wrongToken = $state(false);
  #token = tokenOfAddress();
  #unlocked: ((token: string) => void)[] = [];
  #back: Promise<void> | null = null;

  async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return read<T>(await this.ask(path, { signal }));
  }

  /** The bytes of a file, which the browser may keep for as long as the server says. */
  async blob(path: string, signal?: AbortSignal): Promise<Blob> {
    const response = await this.ask(path, { signal, cache: 'default' });
    return response.ok ? response.blob() : read(response);
  }

  /** What the server says of one thing until it has no more to say: the data of its events, from JSON. */
  async *events<T>(path: string, signal: AbortSignal): AsyncGenerator<T> {
    const response = await this.ask(path, { signal, headers: { Accept: 'text/event-stream' } });
    if (!response.ok || !response.body) return read(response);
    let rest = '';
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader(); // not every browser iterates a stream
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const blocks = (rest + part.value).split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const data = block.match(/^data: ?.*/gm)?.map((line) => line.replace(/^data: ?/, ''));
        if (data) yield JSON.parse(data.join('\n'));
      }
    }
  }

  post<T>(path: string, body: FormData | object = {}): Promise<T> {
    return this.send('POST', path, body);
  }

  async send<T>(method: string, path: string, body: FormData | object = {}): Promise<T> {
    if (body instanceof FormData) return read<T>(await this.ask(path, { method, body }));
    const headers = { 'Content-Type': 'application/json' };
    return read<T>(await this.ask(path, { method, body: JSON.stringify(body), headers }));
  }

  /** Goes on with what waits for a token. */
  unlock(token: string): void {
    this.#token = token.trim();
    sessionStorage.setItem(KEPT, this.#token);
    this.reach = 'ok';
    this.#unlocked.splice(0).forEach((resume) => resume(this.#token));
  }

  /** The response, whatever it says, once there is one: it waits for the token, for a place, and for a lost server. */
  async ask(path: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Response> {
    let [busy, broken] = [0, 0];
    for (;;) {
      const asked = this.#token;
      const headers = { ...init.headers, ...(asked ? { Authorization: `Bearer ${asked}` } : {}) };
      let response: Response;
      try {
        response = await fetch(path, { cache: 'no-store', ...init, headers, credentials: 'omit' });
      } catch (error) {
        if (init.signal?.aborted) throw error;
        // A server that is there and breaks off twice does so because of what is sent to it.
        if (broken++ === 1) throw new Error('The connection broke off twice while this was sent. Is it too large?');
        await this.#answersAgain();
        continue;
      }
      if (response.status === 401) {
        await this.#otherTokenThan(asked);
      } else if (response.status === 503 && busy++ < TRIES) {
        await seconds(Number(response.headers.get('Retry-After')) || 1);
      } else {
        return response;
      }
    }
  }

  async #otherTokenThan(refused: string): Promise<void> {
    if (this.#token !== refused) return; // another call has been given one since
    this.wrongToken = refused !== '';
    this.reach = 'locked';
    await new Promise((resume) => this.#unlocked.push(resume));
  }

  #answersAgain(): Promise<void> {
    this.#back ??= this.#look().finally(() => (this.#back = null));
    return this.#back;
  }

  async #look(): Promise<void> {
    for (let wait = 1; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      try {
        await fetch('healthz', { cache: 'no-store', credentials: 'omit' });
        break;
      } catch {
        this.reach = 'lost';
        await seconds(wait);
      }
    }
    if (this.reach === 'lost') this.reach = 'ok';
  }
}

/** The body; raises the server's own words where it refuses. Inputs that cannot be used are among the predictions. */
async function read<T>(response: Response): Promise<T> {
  let body: Record<string, unknown>;
  try {
    body = await response.json();
  } catch {
    throw new Error(`The server gave no answer that can be read (${response.status}).`);
  }
  if (response.ok || 'predictions' in body) return body as T;
  const words = typeof body['error'] === 'string' ? body['error'] : `The server refused it (${response.status}).`;
  throw new Refusal(response.status, words);
}

/** The token behind the # of the address, which is taken out of there at once, or the one of this tab before. */
function tokenOfAddress(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return sessionStorage.getItem(KEPT) ?? '';
  history.replaceState(null, '', location.pathname + location.search);
  sessionStorage.setItem(KEPT, token);
  return token;
}

function seconds(wait: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000 * wait));
}
