// A pre-request script as users of Postman keep it: it finds `pm` and `CryptoJS` there, signs the path as it was typed, with its query,
// and of the body what JSON makes of it; whatever is not raw JSON counts as {}.

const at = String(Date.now());
const request = pm.request;
const path = request.url.toString().replace('{{domain}}', '').replace(pm.environment.get('domain'), '');

let said = {};
if (request.body && request.body.mode === 'raw' && request.body.raw) {
  try {
    said = JSON.parse(request.body.raw);
  } catch {
    said = {};
  }
}

const text = at + request.method + path + JSON.stringify(said || {});
pm.environment.set('timestamp', at);
pm.environment.set('signature', CryptoJS.HmacSHA256(text, pm.environment.get('secretKey')).toString(CryptoJS.enc.Hex));
