// A client of the partner API as integrators write it: axios, and a signature over the path below /api/v1.
'use strict';

const { createHmac } = require('node:crypto');
const axios = require('axios');

class PartnerClient {
  constructor({ root, apiKey, secretKey }) {
    this.root = root;
    this.apiKey = apiKey;
    this.secretKey = secretKey;
    this.signedAt = 0;
  }

  /** Returns what signs a request now, in a millisecond of its own, or two equal requests would be one: the path is the short one, and where there is no data an empty object is signed. */
  sign(method, path, data = null) {
    this.signedAt = Math.max(Date.now(), this.signedAt + 1);
    const timestamp = String(this.signedAt);
    const signature = createHmac('sha256', this.secretKey)
      .update(timestamp + method + path + JSON.stringify(data || {}))
      .digest('hex');
    return { timestamp, signature };
  }

  /** Sends a request and returns the answer's JSON. */
  async call(method, path, data = null, headers = {}) {
    return (await this.send(method, path, data, headers)).data;
  }

  /** Sends a request and returns the whole answer. Without data axios sends the four bytes `null`, GET or not. */
  send(method, path, data = null, headers = {}) {
    const { timestamp, signature } = this.sign(method, path, data);
    return axios({
      method,
      url: this.root + path,
      headers: {
        'X-Api-Key': this.apiKey,
        'X-Timestamp': timestamp,
        'X-Signature': signature,
        'Content-Type': 'application/json',
        ...headers,
      },
      data,
    });
  }

  balance() {
    return this.call('GET', '/wallet/balance');
  }

  topUp(amount, provider = 'cryptomus') {
    return this.call('POST', '/wallet/topup', { amount, provider });
  }

  transactions() {
    return this.call('GET', '/wallet/transactions');
  }

  rent(wanted) {
    return this.call('POST', '/numbers/rent', wanted);
  }

  extend(rentId, period) {
    return this.call('POST', `/numbers/${rentId}/extend`, { period });
  }

  cancel(rentId) {
    return this.call('POST', `/numbers/${rentId}/cancel`);
  }

  active() {
    return this.call('GET', '/numbers/active');
  }

  sms(rentId) {
    return this.call('GET', `/numbers/${rentId}/sms`);
  }
}

/** Returns the client of a customer, as the sandbox API tells its keys. */
function clientOf({ base_url: baseUrl, api_key: apiKey, secret_key: secretKey }) {
  return new PartnerClient({ root: `${baseUrl}/api/v1`, apiKey, secretKey });
}

module.exports = { PartnerClient, clientOf };
