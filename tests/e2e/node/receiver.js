// A receiver of webhooks as integrators write it: Express 4 parses the JSON, and the signature is checked over JSON.stringify of that.
// Tells its port, and lives until standard input ends.
'use strict';

const { createHmac, timingSafeEqual } = require('node:crypto');
const express = require('express');
const { tell } = require('./talk');

const AGE_MS_MAX = 5 * 60 * 1000;
const SECRET = process.env.SECRET_KEY;

const signatureOf = (body) => createHmac('sha256', SECRET).update(JSON.stringify(body)).digest('hex');

/** Throws where the lengths differ, as timingSafeEqual does; then Express answers 500. */
const isSame = (given, expected) => timingSafeEqual(Buffer.from(given), Buffer.from(expected));

const app = express();
app.use(express.json());

/** Checks the header's signature, which is over the whole body, and then the age. */
app.post('/webhooks', (req, res) => {
  if (!isSame(req.get('X-Webhook-Signature'), signatureOf(req.body))) return res.status(401).json({ error: 'signature' });
  if (Math.abs(Date.now() - parseInt(req.get('X-Webhook-Timestamp'), 10)) > AGE_MS_MAX) return res.status(401).json({ error: 'age' });
  return res.json({ event: req.body.event });
});

/** Checks the signature that the body carries, which is over the body without it. */
app.post('/inner', (req, res) => {
  const { signature, ...rest } = req.body;
  return res.status(isSame(signature, signatureOf(rest)) ? 200 : 401).json({ event: req.body.event });
});

app.use((error, _req, res, _next) => res.status(error.status ?? 500).json({ error: error.message }));

const server = app.listen(0, '127.0.0.1', () => tell(server.address().port));
process.stdin.resume().on('end', () => process.exit());
