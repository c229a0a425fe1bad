import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// A page is a folder of src/, named by the mode. Names of files stand still, so that a build can be compared with
// another, and everything is a file of its own: the content security policy lets nothing inline through.
export default defineConfig(({ mode }) => ({
  root: `src/${mode}`,
  base: './',
  publicDir: false,
  plugins: [svelte({ configFile: false })],
  build: {
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    rolldownOptions: {
      output: { entryFileNames: 'app.js', chunkFileNames: '[name].js', assetFileNames: 'app[extname]' },
    },
  },
  worker: {
    format: 'es',
    rolldownOptions: { output: { entryFileNames: 'worker.js' } },
  },
}));
