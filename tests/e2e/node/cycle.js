// The whole cycle of a partner, from the first balance to the last: pays in, rents, reads an SMS, cancels; tells every answer.
'use strict';

const axios = require('axios');
const { clientOf } = require('./client');
const { poll, run, tell, told } = require('./talk');

const PAID_IN = 500;

run(async () => {
  const customer = await told();
  const client = clientOf(customer);
  const sandbox = (path, body) => axios.post(`${customer.base_url}/sandbox/v1${path}`, body);

  const before = await client.balance();

  const topUp = await client.topUp(PAID_IN);
  await sandbox(`/topups/${topUp.data.invoiceId}/pay`, {});
  const paid = await poll(async () => {
    const now = await client.balance();
    return now.data.total > before.data.total && now;
  });

  // As the vendor's sample rents: other names than its reference has, and a duration without a unit.
  const rental = await client.rent({ country: 'Spain', services: ['google', 'whatsapp'], type: 'LONG', duration: 24 });
  const silent = await client.sms(rental.data.numberId);
  await sandbox('/messages', { to: rental.data.number, from: 'Google', text: 'Your code is 482913, naïve café ☕ 👋' });
  const sms = await poll(async () => {
    const now = await client.sms(rental.data.numberId);
    return now.data.messages.length > 0 && now;
  });
  const active = await client.active();
  const canceled = await client.cancel(rental.data.numberId);

  const second = await client.rent({ country: 'Spain', rentType: 'LONG', serviceIds: ['google', 'whatsapp'], period: '7' });
  const extended = await client.extend(second.data.rentId, '1');
  const refunded = await client.cancel(second.data.rentId);

  const transactions = await client.transactions();
  const after = await client.balance();
  tell({ before, topUp, paid, rental, silent, sms, active, canceled, second, extended, refunded, transactions, after });
});
