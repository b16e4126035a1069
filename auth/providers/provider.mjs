// npm's oidc-provider, with one client and one person, who is known as Pro Santé
// Connect knows people. The settings are the first line of standard input, and the
// first line of standard output is the issuer. It ends with its standard input, so
// that it never outlives the test that started it.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTLSServer } from 'node:https';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import Provider from 'oidc-provider';

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit());
lines.once('line', (line) => {
  const settings = JSON.parse(line);
  // Everybody may connect, whatever their certificate: it is the token endpoint
  // that refuses, so that browsers get in without one.
  const server = settings.tls
    ? createTLSServer({ ...settings.tls, requestCert: true, rejectUnauthorized: false })
    : createServer();
  server.listen(0, '127.0.0.1', () => {
    const issuer = `${settings.tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
    server.on('request', provider(issuer, settings).callback());
    console.log(issuer);
  });
});

function provider(issuer, { client, acr, idToken, userinfo, tls }) {
  const peer = (ctx) => ctx.req.socket.getPeerX509Certificate();
  const p = new Provider(issuer, {
    clients: [client],
    scopes: ['openid', 'scope_all'],
    // What openid stands for is in the ID token too, the rest in userinfo only.
    claims: { openid: ['sub', ...Object.keys(idToken)], scope_all: Object.keys(userinfo) },
    findAccount: (ctx, accountId) => ({
      accountId,
      claims: (use) => (use === 'userinfo' ? userinfo : { sub: userinfo.sub, ...idToken }),
    }),
    // Nobody is asked for consent, as at Pro Santé Connect.
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope('openid scope_all');
      await grant.save();
      return grant;
    },
    clientAuthMethods: [client.token_endpoint_auth_method],
    acrValues: acr ? [acr] : [],
    pkce: { required: () => true },
    jwks: { keys: [generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })] },
    cookies: { keys: ['of a provider that lives for one test'] },
    features: {
      devInteractions: { enabled: false }, // they know no acr
      mTLS: {
        enabled: Boolean(tls),
        tlsClientAuth: true,
        certificateBoundAccessTokens: true,
        getCertificate: peer,
        certificateAuthorized: (ctx) => ctx.req.socket.authorized,
        // Node writes a line for each attribute, RFC 4514 has them from the last
        // to the first.
        certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_subject_dn'
          && peer(ctx).subject.split('\n').reverse().join(',') === expected,
      },
    },
  });
  // The page on which a person identifies themselves, or does not.
  p.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    if (ctx.method !== 'POST') {
      ctx.type = 'html';
      ctx.body = `<title>Sign-in</title><form method="post" action="${ctx.path}">
        <button name="answer" value="yes">It is me</button> <button name="answer" value="no">Cancel</button></form>`;
      return undefined;
    }
    const answer = new URLSearchParams(await text(ctx.req)).get('answer');
    return p.interactionFinished(ctx.req, ctx.res, answer === 'yes'
      ? { login: { accountId: userinfo.sub, acr: acr || undefined } }
      : { error: 'access_denied' });
  });
  // Why it refuses, which it tells no client.
  for (const event of ['authorization.error', 'grant.error', 'userinfo.error', 'end_session.error', 'server_error']) {
    p.on(event, (ctx, err) => console.error(event, err.error_detail ?? err.error_description ?? err));
  }
  return p;
}
