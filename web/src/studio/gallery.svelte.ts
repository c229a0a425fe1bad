/** The photos of a class, as many of them as were asked for. */

import type { Api, Photo } from './api';

export class Gallery {
  photos = $state.raw<Photo[]>([]);
  total = $state(0);
  problem = $state('');
  #asked = 0; // of several answers the latest counts

  constructor(
    readonly api: Api,
    readonly project: string,
    readonly name: string,
  ) {}

  /** The first photos, as many as are shown now. */
  async load(): Promise<void> {
    await this.#read(0, this.photos.length);
  }

  async more(): Promise<void> {
    await this.#read(this.photos.length, this.photos.length + 1);
  }

  async #read(from: number, to: number): Promise<void> {
    const asked = ++this.#asked;
    let photos = this.photos.slice(0, from);
    try {
      do {
        const page = await this.api.photos(this.project, this.name, photos.length);
        if (asked !== this.#asked) return;
        this.total = page.total;
        photos = [...photos, ...page.photos];
        if (!page.photos.length) break;
      } while (photos.length < to && photos.length < this.total);
      [this.photos, this.problem] = [photos, ''];
    } catch (error) {
      if (asked === this.#asked) this.problem = (error as Error).message;
    }
  }
}
