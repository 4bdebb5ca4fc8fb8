// Reads lines of JSON, each [timestamp, method, url, text, secret], and writes for each: the signature, a space, and the text as JavaScript
// writes it again; or a lone minus where JavaScript takes the text for no JSON.
'use strict';

const { createHmac } = require('node:crypto');
const readline = require('node:readline');

const lines = [];
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [timestamp, method, url, text, secret] = JSON.parse(line);
  let written;
  try {
    written = JSON.stringify(JSON.parse(text));
  } catch {
    lines.push('-');
    return;
  }
  lines.push(`${createHmac('sha256', secret).update(timestamp + method + url + written).digest('hex')} ${written}`);
}).on('close', () => process.stdout.write(`${lines.join('\n')}\n`));
