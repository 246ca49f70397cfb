// Makes a component of worker.js on SpiderMonkey: node build.mjs WORKER.js WIT-FOLDER OUT.wasm [FEATURE…]
// Without these features of the engine the component imports nothing of WASI; those that are named stay, `http` for `fetch`.
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { componentize } from '@bytecodealliance/componentize-js';

const [source, wit, out] = process.argv.slice(2, 5).map((path) => resolve(path));
const kept = process.argv.slice(5);
const { component } = await componentize({
  sourcePath: source,
  witPath: wit,
  worldName: 'codegen',
  disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event'].filter((feature) => !kept.includes(feature)),
});
await writeFile(out, component);
