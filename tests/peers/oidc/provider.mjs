// A real OpenID provider (npm `oidc-provider`) for the tests, on a free loopback port. Started by `tests/src/oidc.rs`.
//
// Prints one line, `listening on URL`; the URL is the issuer. Ends when its standard input does. Settings come as JSON in the first argument:
//   alg           what ID tokens are signed with: RS256 (default), ES256, EdDSA
//   clients       more clients, as oidc-provider takes them
//   idTokenClaims whether claims stand in the ID token too (default true), or at the userinfo endpoint alone
//   accessTokenTTL, refreshTokenRotation ("true" or "false")
//
// Logging in asks for an account's name and takes any password. What an account is (groups, email) follows from its name: see `person`.
//
// Beside the provider's own endpoints:
//   POST /test/rotate       signs with a new key from now on; the old one is gone from the JWKS
//   POST /test/tamper       {"mode": …}: what is wrong with the next ID tokens; see `tamper`. {"mode": null} ends it
//   POST /test/down         {"down": true|false}: everything else answers 503
import { createHmac, generateKeyPairSync, randomUUID, createPrivateKey, createSign, sign as rawSign } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const settings = JSON.parse(process.argv[2] ?? '{}');
const alg = settings.alg ?? 'RS256';

function newKey() {
  // By way of PEM: Node.js 20 may wait for itself for ever where a key is exported while its generator is collected.
  const encoded = { privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } };
  const { privateKey } = {
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048, ...encoded }),
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256', ...encoded }),
    EdDSA: () => generateKeyPairSync('ed25519', encoded),
  }[alg]();
  return { ...createPrivateKey(privateKey).export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg };
}

function person(id) {
  const groups = ['staff'];
  if (id.startsWith('admin')) groups.push('sangam-admins');
  if (id.startsWith('operator')) groups.push('sangam-operators');
  if (id.startsWith('guest')) groups.length = 0;
  return {
    sub: id,
    name: `${id} of the tests`,
    email: `${id}@acme.example`,
    email_verified: !id.includes('unverified'),
    groups,
    realm_access: { roles: groups },
  };
}

let key = newKey();
// What earlier JWKS held, for tokens signed with a key that is gone.
let former = null;
let tampering = null;
let down = false;
let provider;
let issuer;

function build() {
  provider = new Provider(issuer, {
    jwks: { keys: [key] },
    clients: [
      {
        client_id: 'sangam',
        client_secret: 'sangam-test-client-secret',
        // A native client may use any port of the loopback addresses.
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/login/callback', 'http://localhost/login/callback', 'http://127.0.0.1/oauth/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
        id_token_signed_response_alg: alg,
      },
      {
        client_id: 'somebody-else',
        client_secret: 'somebody-elses-secret',
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/login/callback'],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        id_token_signed_response_alg: alg,
      },
      ...(settings.clients ?? []),
    ],
    claims: {
      openid: ['sub'],
      profile: ['name', 'groups', 'realm_access'],
      email: ['email', 'email_verified'],
    },
    conformIdTokenClaims: settings.idTokenClaims === false,
    cookies: { keys: ['for tests only'] },
    features: { devInteractions: { enabled: true }, revocation: { enabled: true }, introspection: { enabled: true } },
    findAccount: async (_, id) => ({ accountId: id, claims: async () => person(id) }),
    pkce: { required: () => true },
    rotateRefreshToken: settings.refreshTokenRotation !== 'false',
    // Offline access without another consent: a consent screen is part of the first login anyway.
    issueRefreshToken: async (_, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    ttl: {
      AccessToken: settings.accessTokenTTL ?? 3600, AuthorizationCode: 60, IdToken: 3600, Grant: 86400, Interaction: 3600, Session: 86400,
      RefreshToken: 86400,
    },
  });
}

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function signed(header, claims, jwk) {
  const input = `${encode(header)}.${encode(claims)}`;
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  const signature = {
    RS256: () => createSign('sha256').update(input).sign(privateKey),
    ES256: () => createSign('sha256').update(input).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' }),
    EdDSA: () => rawSign(null, Buffer.from(input), privateKey),
  }[jwk.alg]();
  return `${input}.${signature.toString('base64url')}`;
}

// The ID token as an attacker, or a provider gone wrong, would hand it out. Everything but the named part is right.
function tamper(token) {
  const [head, body, signature] = token.split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url'));
  const claims = JSON.parse(Buffer.from(body, 'base64url'));
  const now = Math.floor(Date.now() / 1000);
  const again = (change) => signed(header, { ...claims, ...change }, key);
  switch (tampering) {
    case 'nonce': return again({ nonce: 'another' });
    case 'no-nonce': return again({ nonce: undefined });
    case 'audience': return again({ aud: 'somebody-else' });
    case 'audiences': return again({ aud: ['sangam', 'somebody-else'] });
    case 'azp': return again({ aud: ['sangam', 'somebody-else'], azp: 'somebody-else' });
    case 'issuer': return again({ iss: 'https://another.example' });
    case 'expired': return again({ exp: now - 3600, iat: now - 7200 });
    case 'future': return again({ nbf: now + 3600 });
    case 'no-expiry': return again({ exp: undefined });
    case 'no-subject': return again({ sub: undefined });
    case 'signature': return `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    case 'claims': return `${head}.${encode({ ...claims, sub: 'admin-forged', groups: ['sangam-admins'] })}.${signature}`;
    case 'none': return `${encode({ ...header, alg: 'none' })}.${encode({ ...claims, groups: ['sangam-admins'] })}.`;
    case 'none-cased': return `${encode({ ...header, alg: 'nOnE' })}.${encode(claims)}.`;
    case 'other-key': return signed(header, claims, newKey());
    case 'former-key': return signed({ ...header, kid: former.kid }, claims, former);
    case 'own-key': { // The token brings the key to verify it with.
      const own = newKey();
      const { d, p, q, dp, dq, qi, ...open } = own;
      return signed({ ...header, jwk: open, jku: `${issuer}/test/jwks`, kid: own.kid }, claims, own);
    }
    case 'hmac': { // The public key, which everyone has, as if it were a shared secret.
      const { d, p, q, dp, dq, qi, ...open } = key;
      const input = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`;
      return `${input}.${createHmac('sha256', JSON.stringify(open)).update(input).digest('base64url')}`;
    }
    case 'hmac-secret': { // Signed with the client secret: right by the specification, but not what was agreed on.
      const input = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`;
      return `${input}.${createHmac('sha256', 'sangam-test-client-secret').update(input).digest('base64url')}`;
    }
    case 'critical': return signed({ ...header, crit: ['b64'], b64: false }, claims, key);
    case 'garbage': return 'not.a.token';
    default: throw new Error(`no such tampering: ${tampering}`);
  }
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length ? JSON.parse(Buffer.concat(chunks)) : {};
}

const server = createServer(async (request, response) => {
  const done = (status, value = {}) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  try {
    if (request.url === '/test/rotate') {
      former = key;
      key = newKey();
      build();
      return done(200, { kid: key.kid });
    }
    if (request.url === '/test/tamper') {
      tampering = (await body(request)).mode;
      return done(200);
    }
    if (request.url === '/test/down') {
      down = (await body(request)).down;
      return done(200);
    }
    if (down) return done(503, { error: 'temporarily_unavailable' });
    if (request.url === '/token' && tampering) {
      const end = response.end.bind(response);
      response.end = (chunk, ...rest) => {
        try {
          const answer = JSON.parse(chunk);
          if (answer.id_token) answer.id_token = tamper(answer.id_token);
          chunk = JSON.stringify(answer);
          response.setHeader('content-length', Buffer.byteLength(chunk));
        } catch (error) {
          console.error(error);
        }
        return end(chunk, ...rest);
      };
    }
    return provider.callback()(request, response);
  } catch (error) {
    console.error(error);
    return done(500, { error: String(error) });
  }
});

// Longer than any test: nobody's connection is closed at the moment of its next request.
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  build();
  console.log(`listening on ${issuer}`);
});
// Its tests hold the other end of this.
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
