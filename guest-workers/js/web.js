// A worker in JavaScript that asks the network with `fetch`, as pages do, for componentize-js with the feature `http`. It says what it got, and proposes nothing:
// `old` is the address; with `new: post` something is sent there.
import { write } from 'abide:worker/log@0.1.0';

export async function propose(task) {
  const parameters = new Map(task.parameters.map(({ key, value }) => [key, value]));
  const [url, way] = ['old', 'new'].map((key) => parameters.get(key));
  const options = way === 'post' ? { method: 'POST', body: 'a body', headers: { 'content-type': 'text/plain' } } : {};
  let answer;
  try {
    answer = await fetch(url, options);
  } catch (error) {
    write('warn', `${error}`);
    throw { kind: 'unsupported', message: 'no answer' };
  }
  const text = await answer.text();
  write('info', `${answer.status} ${text.length} ${answer.headers.get('content-length')}`);
  throw { kind: 'unsupported', message: text };
}
