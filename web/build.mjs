// Builds the pages and puts them where the package has them, or below --out FOLDER for a comparison.
import { gzipSync } from 'fflate';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, 'node_modules');
const ort = join(modules, 'onnxruntime-web', 'dist');
const at = process.argv.indexOf('--out');
const out = at < 0 ? join(here, '..', 'src', 'headstart') : process.argv[at + 1];

const LICENSED = {
  page: ['svelte'],
  export: ['svelte', 'onnxruntime-web', '@huggingface/tokenizers'],
  studio: ['svelte'],
};

/** What is copied as it is: the runtime and the tokenizers are loaded by the page when it needs them. */
const COPIED = {
  page: {},
  export: {
    // .js, because some hosts do not know .mjs and a browser then refuses it.
    'onnxruntime.js': join(ort, 'ort.wasm.min.mjs'),
    'onnxruntime-wasm.js': join(ort, 'ort-wasm-simd-threaded.mjs'),
    'tokenizers.js': join(modules, '@huggingface', 'tokenizers', 'dist', 'tokenizers.min.mjs'),
  },
  studio: {},
};

/** The licences of what is in the files, one after another. */
function licences(names) {
  const parts = names.map((name) => {
    const folder = join(modules, name);
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const own = readdirSync(folder).sort().find((each) => /^licen[cs]e/i.test(each));
    const file = own ? join(folder, own) : join(here, 'licences', `${name}.txt`); // npm's package came without it
    const text = readFileSync(file, 'utf8').replaceAll('\r\n', '\n').trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return parts.join(`\n${'-'.repeat(80)}\n\n`);
}

/** One page, into a fresh folder and from there to its place; other folders within that place are left alone. */
async function make(page, place) {
  const fresh = mkdtempSync(join(here, 'node_modules', '.built-'));
  try {
    await build({
      configFile: join(here, 'vite.config.ts'),
      root: join(here, 'src', page),
      mode: page,
      logLevel: 'warn',
      build: { outDir: fresh, emptyOutDir: true },
    });
    // A page that is opened as a file may load its style, which "crossorigin" would keep from it.
    const html = join(fresh, 'index.html');
    writeFileSync(html, readFileSync(html, 'utf8').replaceAll(' crossorigin', ''));
    for (const [name, from] of Object.entries(COPIED[page])) {
      const text = readFileSync(from, 'utf8').replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n');
      writeFileSync(join(fresh, name), text);
    }
    if (page === 'export') {
      // By fflate, whose bytes are the same on every machine, and without a date. The browser expands it.
      const wasm = readFileSync(join(ort, 'ort-wasm-simd-threaded.wasm'));
      writeFileSync(join(fresh, 'onnxruntime.wasm.gz'), gzipSync(wasm, { level: 9, mtime: 0 }));
    }
    writeFileSync(join(fresh, 'LICENCES.txt'), licences(LICENSED[page]));
    mkdirSync(place, { recursive: true });
    for (const old of readdirSync(place, { withFileTypes: true })) {
      if (old.isFile()) rmSync(join(place, old.name));
    }
    for (const name of readdirSync(fresh)) copyFileSync(join(fresh, name), join(place, name));
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

await make('page', join(out, 'serve', 'static'));
await make('export', join(out, 'export', 'web'));
await make('studio', join(out, 'studio', 'static'));
