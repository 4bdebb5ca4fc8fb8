// How the programs of this folder and the tests talk: JSON comes on standard input, and lines of JSON go to standard output.
'use strict';

const { setTimeout: pause } = require('node:timers/promises');

/** Returns the JSON of all of standard input. */
async function told() {
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  return JSON.parse(Buffer.concat(parts));
}

/** Writes a line of JSON. */
function tell(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Asks again and again until the answer is not falsy, and returns it. */
async function poll(ask, { everyMs = 20, withinMs = 15_000 } = {}) {
  const end = Date.now() + withinMs;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > end) throw new Error(`nothing within ${withinMs} ms of ${ask}`);
    await pause(everyMs);
  }
}

/** Runs a program's main; what it throws ends the process with the answer that was refused, if there was one. */
function run(main) {
  main().catch((error) => {
    console.error(error.response ? `${error.message}: ${JSON.stringify(error.response.data)}` : error);
    process.exit(1);
  });
}

module.exports = { poll, run, tell, told };
