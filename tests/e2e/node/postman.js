// Postman, as far as the partner API can tell: runs the pre-request script before each request, and sends bodies as they were typed.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const vm = require('node:vm');
const CryptoJS = require('crypto-js');
const { run, tell, told } = require('./talk');

const script = new vm.Script(`{ ${fs.readFileSync(path.join(__dirname, 'prerequest.js'), 'utf8')} }`);
const PARTS = 'parts-of-a-form';

/** Runs the script for a request and returns the environment that it leaves. */
function prepare({ method, url, body }, environment) {
  const pm = {
    request: { method, url: { toString: () => url }, body },
    environment: {
      get: (name) => environment[name],
      set: (name, value) => {
        environment[name] = value;
      },
    },
  };
  script.runInNewContext({ pm, CryptoJS });
  return environment;
}

/** Returns a URL as it is sent: what may not stand in a request line is percent-encoded, what was typed encoded stays. */
function sent(url, domain) {
  return url.replace('{{domain}}', domain).replace(/[^\x21-\x7e]+/gu, encodeURIComponent);
}

/** Returns the bytes of a body and their type. */
function bytesOf(body) {
  if (body?.mode === 'raw') return [body.raw, 'application/json'];
  if (body?.mode !== 'formdata' || !body.formdata.length) return ['', 'application/json'];
  const parts = body.formdata.map(
    ({ key, value }) => `--${PARTS}\r\nContent-Disposition: form-data; name="${key}"\r\n\r\n${value}\r\n`,
  );
  return [`${parts.join('')}--${PARTS}--\r\n`, `multipart/form-data; boundary=${PARTS}`];
}

/** Sends a request and returns status and text of its answer. */
function send(request, { domain, apiKey, timestamp, signature }) {
  const [body, type] = bytesOf(request.body);
  return new Promise((resolve, reject) => {
    const open = http.request(
      sent(request.url, domain),
      {
        method: request.method,
        headers: {
          'X-Api-Key': apiKey,
          'X-Timestamp': timestamp,
          'X-Signature': signature,
          ...(body || request.method !== 'GET' ? { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) } : {}),
        },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part) => (text += part));
        answer.on('end', () => resolve({ status: answer.statusCode, body: JSON.parse(text) }));
      },
    );
    open.on('error', reject);
    open.end(body);
  });
}

run(async () => {
  const { customer, requests } = await told();
  const { base_url: domain, api_key: apiKey, secret_key: secretKey } = customer;
  for (const request of requests) {
    const environment = prepare(request, { domain, apiKey, secretKey });
    tell(await send(request, environment));
  }
});
