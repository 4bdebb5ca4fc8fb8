// Rents, extends, cancels, rents again and tops up without a pause, and repeats with its Idempotency-Key whatever got no answer. Tells each
// write that was acknowledged or refused, and once its standard input has ended, whether the answers come again for the same keys.
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

/** Returns why the server said neither yes nor no, or undefined. */
function excuse({ response }) {
  if (!response) return 'AWAY';
  const { code } = response.data.error;
  return response.status === 503 || code === 'REQUEST_IN_PROGRESS' ? code : undefined;
}

/**
 * Sends a write until it is answered, each time signed anew under the same key, and tells the answer and each 503 on the way to it.
 * Tells it as denied when the server had plainly refused what the answer shows to have been done before. Returns nothing when the number
 * is gone.
 */
async function insist(did, key, path, body) {
  const ask = () => client.send('POST', path, body, { 'Idempotency-Key': key });
  let reason;
  for (;;) {
    const began = performance.now();
    try {
      const answer = await ask();
      const { data } = answer.data;
      const isDenied = reason === 'SERVICE_UNAVAILABLE' && answer.headers['idempotency-replayed'] === 'true';
      if (isDenied) tell({ did: 'denied', key, data });
      tell({ did, key, data });
      answered.set(key, { ask, text: JSON.stringify(data) });
      return data;
    } catch (error) {
      if (error.response?.data.error.code === 'NUMBER_NOT_AVAILABLE') return undefined;
      reason = excuse(error);
      if (!reason) throw error;
      retries[reason] = (retries[reason] ?? 0) + 1;
      if (error.response?.status === 503) tell({ did: 'refused', key, data: { reason, ms: performance.now() - began } });
      await pause(RETRY_MS);
    }
  }
}

async function work(number) {
  for (let turn = 0; !isOver; turn += 1) {
    const act = (did, path, body) => insist(did, `${did}-${number}-${turn}`, path, body);
    const wanted = { country: 'Spain', rentType: 'LONG', serviceIds: ['google'], period: '1' };
    const { rentId } = await act('rent', '/numbers/rent', wanted);
    if (turn % 3 === 0) await act('extend', `/numbers/${rentId}/extend`, { period: '1' });
    if (turn % 2 === 0) await act('cancel', `/numbers/${rentId}/cancel`, null);
    if (turn % 4 === 0) await act('rerent', `/numbers/${rentId}/re-rent`, { period: '1' });
    if (turn % 5 === 3) await act('topup', '/wallet/topup', { amount: 100, provider: 'cryptomus' });
  }
}

run(async () => {
  await Promise.all(Array.from({ length: WORKERS }, (_, number) => work(number)));
  for (const [key, { ask, text }] of answered) {
    const again = JSON.stringify((await ask()).data.data);
    if (again !== text) tell({ did: 'contradict', key, data: [text, again] });
  }
  tell({ did: 'end', data: { retries } });
});
