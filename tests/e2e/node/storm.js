// Rents, extends, cancels and tops up without a pause, and repeats with its Idempotency-Key whatever got no answer. Tells each write that was
// acknowledged, and once its standard input has ended, whether the answers come again for the same keys.
'use strict';

const { setTimeout: pause } = require('node:timers/promises');
const { clientOf } = require('./client');
const { run, tell } = require('./talk');

const WORKERS = 6;
const RETRY_MS = 30;

const client = clientOf(JSON.parse(process.env.CUSTOMER));
const answered = new Map();
const retries = {};
let isOver = false;
process.stdin.resume().on('end', () => (isOver = true));

/** Did the server not say yes or no? */
function isAway({ response }) {
  return !response || response.status === 503 || response.data.error.code === 'REQUEST_IN_PROGRESS';
}

/** Sends a write until it is answered, each time signed anew under the same key, and tells the answer. */
async function insist(did, key, send) {
  const ask = () => send({ 'Idempotency-Key': key });
  for (;;) {
    try {
      const { data } = await ask();
      tell({ did, key, data });
      answered.set(key, { ask, text: JSON.stringify(data) });
      return data;
    } catch (error) {
      if (!isAway(error)) throw error;
      const reason = error.response ? error.response.data.error.code : 'AWAY';
      retries[reason] = (retries[reason] ?? 0) + 1;
      await pause(RETRY_MS);
    }
  }
}

async function work(number) {
  for (let turn = 0; !isOver; turn += 1) {
    const key = (did) => `${did}-${number}-${turn}`;
    const wanted = { country: 'Spain', rentType: 'LONG', serviceIds: ['google'], period: '1' };
    const { rentId } = await insist('rent', key('rent'), (headers) => client.rent(wanted, headers));
    if (turn % 3 === 0) await insist('extend', key('extend'), (headers) => client.extend(rentId, '1', headers));
    if (turn % 2 === 0) await insist('cancel', key('cancel'), (headers) => client.cancel(rentId, headers));
    if (turn % 10 === 5) {
      const invoice = { amount: 100, provider: 'cryptomus' };
      await insist('topup', key('topup'), (headers) => client.call('POST', '/wallet/topup', invoice, headers));
    }
  }
}

run(async () => {
  await Promise.all(Array.from({ length: WORKERS }, (_, number) => work(number)));
  for (const [key, { ask, text }] of answered) {
    const again = JSON.stringify((await ask()).data);
    if (again !== text) tell({ did: 'contradict', key, data: [text, again] });
  }
  tell({ did: 'end', data: { retries } });
});
