/** What the page and its worker say to one another. */

import type { Facts } from './facts';

export type Ask =
  | { photo: Blob } // as it is in its file
  | { frame: ImageBitmap } // of a camera
  | { width: number; height: number; rgb: Uint8Array } // pixels as they are
  | { texts: string[] }; // one, or a pair

export type ToWorker = { open: Facts } | { id: number; ask: Ask };

export type FromWorker =
  | { loaded: number; total: number } // bytes
  | { ready: true }
  | { failed: string }
  | { id: number; outputs: number[] }
  | { id: number; error: string };
