// Runs the scenario under Node: in virtual time, where the figures are exact, and in the host's own, where nothing may end
// too early.
//
//   usage: node run.mjs MODULE [wrong]

import { readFileSync } from 'node:fs';

const [, , path, wrong] = process.argv;
const module = new WebAssembly.Module(readFileSync(path));
const PARTS = 6;
let failed = false;

// What the module asks of its host; `sleepUntil` says how time passes.
async function run(name, now, sleepUntil, isRight) {
  let armed = Infinity, woken = true;
  const host = { now, arm: (at) => { armed = Math.min(armed, at); }, wake: () => { woken = true; } };
  const { start, turn, poll, ...asked } = new WebAssembly.Instance(module, { host }).exports;
  start();
  for (;;) {
    if (woken) {
      woken = false;
      if (poll()) break;
    } else {
      if (armed > 1e12) throw new Error(`${name}: it waits for nothing`);
      await sleepUntil(armed);
      armed = Infinity;
      turn();
    }
  }
  for (let part = 0; part < PARTS; part++) {
    const got = { result: asked.result(part), took: asked.milliseconds(part) };
    const expected = { result: asked.expected_result(part) + (wrong ? 1 : 0), took: asked.expected_milliseconds(part) };
    const right = isRight(part, got, expected);
    console.log(`${name}, part ${part}: ${got.result} after ${got.took} ms${right ? '' : ', WRONG'}`);
    failed ||= !right;
  }
}

let virtual = 0;
const same = (part, got, expected) => got.result === expected.result && got.took === expected.took;
await run('virtual time', () => virtual, (at) => { virtual = at; }, same);

const real = () => Math.floor(performance.now());
const timer = (at) => new Promise((resolve) => setTimeout(resolve, at - real()));
// How much is done within a time, as in the later parts, depends on how busy the machine is.
const notTooEarly = (part, got, expected) => got.took >= expected.took && (part > 2 || got.result === expected.result);
await run('real time', real, timer, notTooEarly);

process.exit(failed ? 1 : 0);
