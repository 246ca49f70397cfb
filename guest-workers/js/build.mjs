// Makes a component of worker.js on SpiderMonkey: node build.mjs WORKER.js WIT-FOLDER OUT.wasm
// Without these features of the engine the component imports nothing of WASI.
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { componentize } from '@bytecodealliance/componentize-js';

const [source, wit, out] = process.argv.slice(2).map((path) => resolve(path));
const { component } = await componentize({
  sourcePath: source,
  witPath: wit,
  worldName: 'codegen',
  disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event'],
});
await writeFile(out, component);
