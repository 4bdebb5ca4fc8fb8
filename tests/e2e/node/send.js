// Sends calls with the client, one after the other, and tells of each status and JSON. Told {customer, calls: [[method, path, data]]};
// `root` instead of the customer's own sends them elsewhere.
'use strict';

const { clientOf } = require('./client');
const { run, tell, told } = require('./talk');

run(async () => {
  const { customer, root, calls } = await told();
  const client = clientOf(customer);
  if (root) client.root = root;
  for (const [method, path, data = null] of calls) {
    try {
      tell({ status: 200, body: await client.call(method, path, data) });
    } catch (error) {
      if (!error.response) throw error;
      tell({ status: error.response.status, body: error.response.data });
    }
  }
});
