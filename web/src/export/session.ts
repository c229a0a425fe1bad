/** The model in this browser: ONNX Runtime on WebAssembly, one input at a time. */

import type * as Runtime from 'onnxruntime-web';
import type { Download } from './download';
import type { Facts } from './facts';
import { decoded, pixelsOf, type Pixels } from './images';
import type { Ask } from './messages';
import { opened, rowsOf, type Opened } from './texts';

const MOST_THREADS = 4;
const WARM_UP: Pixels = { width: 64, height: 64, rgb: new Uint8Array(3 * 64 * 64) };

type Feeds = Record<string, Runtime.Tensor>;

export class Session {
  private constructor(
    private readonly ort: typeof Runtime,
    private readonly graph: Runtime.InferenceSession,
    private readonly tokenizer: Opened | null,
    private readonly facts: Facts,
  ) {}

  static async open(facts: Facts, download: Download): Promise<Session> {
    const file = (name: string) => new URL(name, location.href).href;
    const [ort, wasm, model, tokens] = await Promise.all([
      import(/* @vite-ignore */ file('onnxruntime.js')) as Promise<typeof Runtime>,
      download.bytes('onnxruntime.wasm.gz'),
      download.bytes('model.onnx'),
      facts.texts ? download.bytes('tokenizer.json') : null,
    ]);
    ort.env.wasm.numThreads = crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
    ort.env.wasm.wasmPaths = { mjs: file('onnxruntime-wasm.js') };
    ort.env.wasm.wasmBinary = wasm.buffer;
    ort.env.logLevel = 'error';
    const graph = await ort.InferenceSession.create(model, { executionProviders: ['wasm'], logSeverityLevel: 3 });
    return new Session(ort, graph, tokens && (await opened(tokens)), facts);
  }

  /** Runs once on anything, so that the first answer is as quick as the others. */
  async warmUp(): Promise<void> {
    await this.answer(this.facts.texts ? { texts: this.facts.texts.pair ? ['a', 'a'] : ['a'] } : WARM_UP);
  }

  /** The outputs for one input: a probability of each class, or a number. */
  async answer(ask: Ask): Promise<number[]> {
    const outputs = await this.graph.run(await this.feeds(ask));
    const output = outputs[this.facts.outputs];
    if (!output) throw new Error(`model.onnx has no output "${this.facts.outputs}".`);
    return Array.from(output.data as Float32Array);
  }

  private async feeds(ask: Ask): Promise<Feeds> {
    if ('texts' in ask) return this.textFeeds(ask.texts);
    const draft = this.facts.images?.draft ?? Infinity;
    const pixels = 'photo' in ask ? await decoded(ask.photo, draft) : 'frame' in ask ? pixelsOf(ask.frame, draft) : ask;
    const { width, height, rgb } = pixels;
    if (rgb.length !== 3 * width * height) throw new Error(`${rgb.length} numbers are no ${width} x ${height} pixels.`);
    return { pixels: new this.ort.Tensor('uint8', rgb, [1, height, width, 3]) };
  }

  private textFeeds(texts: readonly string[]): Feeds {
    const { tokenizer, facts } = this;
    if (!tokenizer || !facts.texts) throw new Error('This model takes photos.');
    const wanted = facts.texts.pair ? 2 : 1;
    if (texts.length !== wanted) throw new Error(`This model takes ${wanted === 2 ? 'two texts' : 'one text'} at once.`);
    const rows = rowsOf(tokenizer, texts, facts.texts);
    const longest = Math.max(1, ...rows.map((row) => row.length));
    const ids = new BigInt64Array(rows.length * longest).fill(BigInt(facts.texts.pad_id));
    const mask = new BigInt64Array(rows.length * longest);
    for (const [index, row] of rows.entries()) {
      ids.set(row.map(BigInt), index * longest);
      mask.fill(1n, index * longest, index * longest + row.length);
    }
    const shape = [rows.length, longest];
    return { ids: new this.ort.Tensor('int64', ids, shape), mask: new this.ort.Tensor('int64', mask, shape) };
  }
}
