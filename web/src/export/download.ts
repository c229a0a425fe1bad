/** Files of this folder, with how much of them is there. */

export class Download {
  #loaded = new Map<string, number>();
  #total = new Map<string, number>();

  constructor(readonly advance: (loaded: number, total: number) => void) {}

  /** The bytes of a file; one that is compressed is expanded, whoever has compressed it. */
  async bytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const response = await fetch(new URL(name, location.href));
    if (!response.ok || !response.body) {
      throw new Error(`${name} cannot be read (${response.status}). Is the whole folder there?`);
    }
    const size = Number(response.headers.get('Content-Length')) || 0;
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let loaded = 0;
    const reader = response.body.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      parts.push(read.value);
      loaded += read.value.length;
      this.#loaded.set(name, loaded);
      this.#total.set(name, Math.max(size, loaded)); // a host that compresses says the size of what it sends
      this.advance(sum(this.#loaded), sum(this.#total));
    }
    return expanded(new Blob(parts));
  }
}

async function expanded(file: Blob): Promise<Uint8Array<ArrayBuffer>> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const compressed = first === 0x1f && second === 0x8b; // not where the host has said "Content-Encoding: gzip"
  const whole = compressed ? new Response(file.stream().pipeThrough(new DecompressionStream('gzip'))) : file;
  return new Uint8Array(await whole.arrayBuffer());
}

function sum(sizes: Map<string, number>): number {
  return [...sizes.values()].reduce((total, size) => total + size, 0);
}
