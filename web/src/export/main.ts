import { mount } from 'svelte';
import '../lib/style.css';
import App from './App.svelte';
import type { Facts } from './facts';
import { Runner } from './runner.svelte';

declare global {
  interface Window {
    /** The model for programs: the outputs, in the order of the classes in model.json. */
    headstart: {
      model: Promise<Facts>;
      predictPhoto: (file: Blob) => Promise<number[]>;
      predictPixels: (width: number, height: number, rgb: Uint8Array) => Promise<number[]>;
      predictText: (text: string, text2?: string) => Promise<number[]>;
    };
  }
}

const target = document.getElementById('app');
if (target) {
  const runner = new Runner();
  window.headstart = {
    model: runner.opened,
    predictPhoto: (photo) => runner.ask({ photo }),
    predictPixels: (width, height, rgb) => runner.ask({ width, height, rgb }),
    predictText: (...texts) => runner.ask({ texts: texts.filter((text) => text !== undefined) }),
  };
  target.replaceChildren();
  mount(App, { target, props: { runner } });
}
