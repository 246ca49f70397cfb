// A worker in JavaScript, for componentize-js (SpiderMonkey) and componentize-qjs (QuickJS) alike: no module of Node, nothing of a browser.
//
//   trim-whitespace   takes white space off the ends of lines, in text files of the task's scope
//   replace-text      replaces one text in one file (`path`, `old`, `new`)

import { list, read } from 'abide:worker/workspace@0.1.0';
import { write } from 'abide:worker/log@0.1.0';

const TEXT = ['.md', '.txt', '.rst'];
const PAGE = 1000;
const CHUNK = 1 << 20;

// A number of 64 bits is a BigInt on SpiderMonkey and a Number on QuickJS.
const wideOf = (task) => (typeof task.limits.workspaceBytesMax === 'bigint' ? BigInt : Number);

// What is thrown becomes the error of `propose`.
const failure = (kind, message) => ({ kind, message });

export function propose(task) {
  const parameters = new Map(task.parameters.map(({ key, value }) => [key, value]));
  // Not the time: a clock with nothing behind it, which every host that has none gives the same.
  write('debug', `${task.recipe} begins, at ${Date.now()} of the clock that there is`);
  switch (task.recipe) {
    case 'trim-whitespace':
      return proposal(trimmed(task), 'White space at the ends of lines is noise in every later diff.');
    case 'replace-text':
      return proposal(replaced(parameters, wideOf(task)), 'The ticket asks for this text.');
    default:
      throw failure('unknown-recipe', `no recipe \`${task.recipe}\``);
  }
}

function* files(scope) {
  const prefixes = scope.length === 0 ? [''] : scope;
  for (const prefix of prefixes) {
    for (let after = null; ; ) {
      const page = list(prefix, after, PAGE);
      yield* page.entries.filter(({ kind }) => kind !== 'symlink');
      if (!page.truncated) break;
      after = page.entries[page.entries.length - 1].path;
    }
  }
}

function text(path, wide) {
  let encoded = '';
  for (let offset = 0; ; ) {
    const bytes = read(path, wide(offset), CHUNK);
    // Not every engine has a TextDecoder; this one is strict: bytes that are no UTF-8 throw.
    for (const byte of bytes) encoded += '%' + byte.toString(16).padStart(2, '0');
    offset += bytes.length;
    if (bytes.length < CHUNK) break;
  }
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

function trimmed(task) {
  const changes = [];
  for (const { path } of files(task.scope)) {
    if (!TEXT.some((ending) => path.endsWith(ending))) continue;
    const old = text(path, wideOf(task));
    if (old === undefined) {
      write('warn', `${path} is not UTF-8, and stays as it is`);
      continue;
    }
    const now = old.replace(/[ \t]+$/gm, '');
    if (now !== old) changes.push({ path, old, now });
  }
  return changes;
}

function replaced(parameters, wide) {
  const [path, from, to] = ['path', 'old', 'new'].map((key) => parameters.get(key));
  if (!path || !from || to === undefined) throw failure('bad-parameter', '`path`, `old` and `new` are needed');
  const old = text(path, wide);
  if (old === undefined || !old.includes(from)) throw failure('unsupported', `\`${path}\` does not have this text`);
  return [{ path, old, now: old.split(from).join(to) }];
}

// One hunk from the first line that differs to the last, without context: the host knows the base exactly.
function hunk(old, now) {
  const [before, after] = [old, now].map((text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? []);
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  const removed = before.slice(start, before.length - end);
  const added = after.slice(start, after.length - end);
  const place = (lines) => `${lines.length === 0 ? start : start + 1},${lines.length}`;
  const body = (mark, lines) =>
    lines.map((line) => mark + (line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`)).join('');
  const text = `@@ -${place(removed)} +${place(added)} @@\n${body('-', removed)}${body('+', added)}`;
  return { text, removed: removed.length, added: added.length };
}

function proposal(changes, why) {
  if (changes.length === 0) throw failure('nothing-to-do', 'there is nothing to change');
  const hunks = changes.map(({ old, now }) => hunk(old, now));
  const sum = (field) => hunks.reduce((total, one) => total + one[field], 0);
  return {
    patch: {
      patchFormat: 'unified',
      files: changes.map(({ path }, at) => ({
        path,
        status: 'modify',
        oldPath: null,
        newMode: null,
        hunks: [hunks[at].text],
      })),
    },
    rationale: why,
    sources: changes.map(({ path }) => ({ location: path, note: 'was read' })),
    tests: [],
    rollback: { tag: 'revert-commit' },
    expected: {
      summary: `${changes.length} files have other lines, and nothing else changes.`,
      files: changes.length,
      linesAdded: sum('added'),
      linesRemoved: sum('removed'),
    },
  };
}
