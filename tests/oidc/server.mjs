// A third-party OpenID provider (npm oidc-provider) for the interoperability test.
//
//   node server.mjs [--port N] [--audience URL] [--gateway URL]
//
// Prints one line of JSON when it listens: {"issuer": ..., "audience": ..., "pid": ...}.
// Users alice (support) and bob (developer); client `sallyport-cli` with loopback redirects, PKCE and
// the device grant, and oidc-provider's own development pages to log in (any password).
//
// With --gateway it tells that gateway of logouts (back-channel logout). It exchanges tokens too, with a
// grant type registered as its documentation shows.
//
// For tests without a browser: GET /test/tokens answers tokens that this provider issued, in
// the format of RFC 9068, good and bad, and forgeries of them, by name. POST /test/mint signs the header
// and claims of its JSON with npm jose: {"header", "claims", "with": "provider" | "stranger" | "public"}.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import {
  SignJWT, UnsecuredJWT, createLocalJWKSet, exportSPKI, importJWK, jwtVerify,
} from 'jose';
import { Provider, errors } from 'oidc-provider';

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    audience: { type: 'string', default: 'https://gateway.example.com' },
    gateway: { type: 'string' },
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
      ...(options.gateway && {
        backchannel_logout_uri: `${options.gateway}/oauth2/backchannel_logout`,
        backchannel_logout_session_required: true,
      }),
    },
    {
      client_id: 'support-copilot',
      client_secret: 'copilot secret',
      redirect_uris: [],
      response_types: [],
      grant_types: ['client_credentials',
        'urn:ietf:params:oauth:grant-type:token-exchange'],
    },
  ],
  jwks: { keys },
  scopes: ['openid', 'profile', 'email', 'offline_access', 'shop'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'] },
  findAccount: (ctx, sub) => users[sub] && {
    accountId: sub,
    claims: () => ({ sub, ...users[sub] }),
  },
  extraTokenClaims: (ctx, token) => {
    const entities = ctx?.oidc?.entities ?? {};
    const { sid } = entities.AuthorizationCode ?? entities.DeviceCode ?? {};
    return { ...users[token.accountId], ...(sid && { sid }), ...ctx?.exchange };
  },
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    backchannelLogout: { enabled: options.gateway !== undefined },
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

// The provider's own token exchange: the agent that authenticates becomes the actor.
provider.registerGrantType('urn:ietf:params:oauth:grant-type:token-exchange', async (ctx, next) => {
  const { client, params } = ctx.oidc;
  const { payload } = await jwtVerify(params.subject_token, createLocalJWKSet({
    keys: keys.map(({ d, p, q, dp, dq, qi, ...key }) => key),
  }), { issuer, audience: options.audience }).catch(() => {
    throw new errors.InvalidGrant('subject_token is not valid');
  });
  ctx.exchange = { act: { sub: client.clientId, ...(payload.act && { act: payload.act }) } };
  const token = new provider.AccessToken({ accountId: payload.sub, client, scope: payload.scope });
  token.resourceServer = new provider.ResourceServer(options.audience, resourceServer());
  ctx.oidc.entity('AccessToken', token);
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: token.expiration,
  };
  await next();
}, ['subject_token', 'subject_token_type', 'scope']);

const next = new Map();

/// A token as a forger would make it: jose signs what it is told.
async function mint({ header, claims, with: signer }) {
  const now = Math.floor(Date.now() / 1000);
  const body = {
    iss: issuer, aud: options.audience, sub: 'alice', client_id: 'sallyport-cli', jti: `${Math.random()}`,
    iat: now, exp: now + 300, groups: ['support'], ...claims,
  };
  const head = { alg: 'ES256', typ: 'at+jwt', kid: 'key-2', ...header };
  Object.keys(head).forEach((name) => head[name] === null && delete head[name]);
  if (head.alg === 'none') return new UnsecuredJWT(body).encode();
  const secret = {
    provider: () => importJWK(
      next.get(head.kid) ?? keys.find((key) => key.alg === head.alg), head.alg),
    stranger: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    // The classic confusion: the public key's own text as the secret of an HMAC.
    public: async () => Buffer.from(await exportSPKI(await importJWK(
      { kty: 'RSA', n: keys[0].n, e: keys[0].e }, 'RS256'))),
  }[signer ?? 'provider'];
  return new SignJWT(body).setProtectedHeader(head).sign(await secret());
}

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

// What the provider shows of its keys: POST /test/rotate retires one, by its kid, in favour of a new one.
const shown = keys.map(({ d, p, q, dp, dq, qi, ...key }) => key);

function rotate(kid) {
  shown.splice(shown.findIndex((key) => key.kid === kid), 1);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const made = { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig', kid: `${kid}-next` };
  next.set(made.kid, made);
  const { d, ...key } = made;
  shown.push(key);
  return made.kid;
}

const handle = provider.callback();
server.on('request', (request, response) => {
  const asked = {
    '/test/mint': (body) => mint(JSON.parse(body)),
    '/test/rotate': async (body) => rotate(body),
  }[request.url];
  if (asked) {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => asked(Buffer.concat(parts).toString()).then(
      (answer) => response.end(answer),
      (problem) => { response.statusCode = 500; response.end(`${problem.stack}\n`); }));
    return undefined;
  }
  if (request.url === '/jwks') {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ keys: shown }));
    return undefined;
  }
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
