// A third-party OpenID provider (npm oidc-provider) for the interoperability test.
//
//   node server.mjs [--port N] [--audience URL]
//
// Prints one line of JSON when it listens: {"issuer": ..., "audience": ..., "pid": ...}.
// Users alice (support) and bob (developer); client `sallyport-cli` with loopback redirects, PKCE and
// the device grant, and oidc-provider's own development pages to log in (any password).
//
// For tests without a browser: GET /test/tokens answers tokens that this provider issued, in
// the format of RFC 9068, good and bad, and forgeries of them, by name.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { Provider } from 'oidc-provider';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    audience: { type: 'string', default: 'https://gateway.example.com' },
  },
});

const users = {
  alice: { groups: ['support'], name: 'Alice Ash', email: 'alice@example.com' },
  bob: { groups: ['developer'], name: 'Bob Birch', email: 'bob@example.com' },
};

const keys = ['RS256', 'PS256', 'ES256', 'EdDSA'].map((alg, index) => {
  const { privateKey } = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : alg === 'EdDSA' ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `key-${index}` };
});

const resourceServer = (alg = 'ES256', audience = options.audience) => ({
  scope: 'shop',
  audience,
  accessTokenFormat: 'jwt',
  accessTokenTTL: 300,
  jwt: { sign: { alg } },
});

const server = createServer();
await new Promise((done) => { server.listen(Number(options.port), '127.0.0.1', done); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'sallyport-cli',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
    },
    {
      client_id: 'support-copilot',
      client_secret: 'copilot secret',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials'],
    },
  ],
  jwks: { keys },
  scopes: ['openid', 'profile', 'email', 'offline_access', 'shop'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  findAccount: (ctx, sub) => users[sub] && {
    accountId: sub,
    claims: () => ({ sub, ...users[sub] }),
  },
  extraTokenClaims: (ctx, token) => users[token.accountId],
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => options.audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => resourceServer(),
    },
  },
  pkce: { required: () => true, methods: ['S256'] },
  cookies: { keys: ['only for a test'] },
});

async function issue(accountId, { alg = 'ES256', audience, clientId = 'sallyport-cli', ttl } = {}) {
  const client = await provider.Client.find(clientId);
  const token = new provider.AccessToken({ accountId, client, scope: 'shop' });
  token.resourceServer = new provider.ResourceServer(
    audience ?? options.audience, resourceServer(alg, audience));
  if (ttl !== undefined) token.expiresIn = ttl;
  return token.save();
}

const encode = (value) => Buffer.from(value).toString('base64url');

/// The token with another header and claims, signed by `signer`.
function forge(token, header, claims, signer) {
  const [oldHeader, oldClaims] = token.split('.').slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url')));
  const input = [{ ...oldHeader, ...header }, { ...oldClaims, ...claims }]
    .map((part) => encode(JSON.stringify(part))).join('.');
  return `${input}.${signer(input)}`;
}

async function tokens() {
  const good = await issue('alice');
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const signedByStranger = (input) => encode(
    sign('sha256', Buffer.from(input), { key: stranger, dsaEncoding: 'ieee-p1363' }));
  const rsa = keys[0];
  const hmac = (input) => createHmac('sha256', JSON.stringify({ kty: 'RSA', n: rsa.n, e: rsa.e }))
    .update(input).digest('base64url');
  return {
    good_es256: good,
    good_rs256: await issue('alice', { alg: 'RS256' }),
    good_ps256: await issue('alice', { alg: 'PS256' }),
    good_eddsa: await issue('bob', { alg: 'EdDSA' }),
    expired: await issue('alice', { ttl: -240 }),
    wrong_audience: await issue('alice', { audience: 'https://other.example.com' }),
    wrong_issuer: forge(good, {}, { iss: 'https://evil.example' }, signedByStranger),
    unknown_key: forge(good, { kid: 'key-of-nobody' }, {}, signedByStranger),
    wrong_signature: forge(good, {}, { sub: 'bob' }, signedByStranger),
    none: forge(good, { alg: 'none' }, {}, () => ''),
    hs256_with_public_key: forge(good, { alg: 'HS256', kid: rsa.kid }, {}, hmac),
    impersonation: await issue('alice', { clientId: 'support-copilot' }),
  };
}

const handle = provider.callback();
server.on('request', (request, response) => {
  if (request.url !== '/test/tokens') return handle(request, response);
  return tokens().then((all) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(all));
  }, (problem) => {
    response.statusCode = 500;
    response.end(`${problem.stack}\n`);
  });
});
process.on('SIGTERM', () => process.exit(0));
process.stdout.write(`${JSON.stringify({ issuer, audience: options.audience, pid: process.pid })}\n`);
