// An application around npm's openid-client, in two of its major versions and
// with each way of client authentication: /<version>/<way>/login begins a
// sign-in, …/me shows who it is, …/refresh renews the tokens, …/logout ends it.
// It is for one person at a time.
//
// Environment: PORT, ISSUER, SECRET, CERTS (directory with a client's certificate
// and key in <client_id>.pem), and Node's own NODE_EXTRA_CA_CERTS with the CA of
// the mock.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import * as v6 from 'openid-client'
import v5 from 'openid-client-5'
import { Agent, fetch } from 'undici'

const { PORT, ISSUER, SECRET, CERTS } = process.env
const site = `http://localhost:${PORT}`
const discoveryURL = `${ISSUER}/.well-known/wallet-openid-configuration`
const certificate = id => readFileSync(`${CERTS}/${id}.pem`)
const request = { scope: 'openid scope_all', acr_values: 'eidas1' }

// Each client gives: login() → address at PSC, callback(url), refresh(), logout() → address.
async function six(way, base) {
  const id = `openid-client-6-${way}`
  const auth = {
    client_secret_basic: v6.ClientSecretBasic(SECRET),
    client_secret_post: v6.ClientSecretPost(SECRET),
    tls_client_auth: v6.TlsClientAuth(),
  }[way]
  const options = {}
  if (way === 'tls_client_auth') {
    const pem = certificate(id)
    const dispatcher = new Agent({ connect: { cert: pem, key: pem } })
    options[v6.customFetch] = (url, init) => fetch(url, { ...init, dispatcher })
  }
  // Version 6 trusts TLS for who issued an ID token that comes from the token
  // endpoint (OpenID Connect Core, section 3.1.3.7) and looks at no signature
  // unless it is told to. One of the three is.
  if (way === 'client_secret_post') options.execute = [v6.enableNonRepudiationChecks]
  const config = await v6.discovery(new URL(discoveryURL), id, undefined, auth, options)
  let sent, tokens
  const keep = async got => {
    tokens = { ...tokens, ...got }
    const claims = got.claims()
    return { idToken: claims, userinfo: await v6.fetchUserInfo(config, got.access_token, claims.sub) }
  }
  return {
    async login() {
      sent = { state: v6.randomState(), nonce: v6.randomNonce(), verifier: v6.randomPKCECodeVerifier() }
      return v6.buildAuthorizationUrl(config, {
        ...request, redirect_uri: `${base}/callback`, state: sent.state, nonce: sent.nonce,
        code_challenge: await v6.calculatePKCECodeChallenge(sent.verifier), code_challenge_method: 'S256',
      }).href
    },
    async callback(url) {
      return keep(await v6.authorizationCodeGrant(config, url, {
        expectedState: sent.state, expectedNonce: sent.nonce, pkceCodeVerifier: sent.verifier, idTokenExpected: true,
      }))
    },
    async refresh() {
      return keep(await v6.refreshTokenGrant(config, tokens.refresh_token))
    },
    logout: () => v6.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: `${base}/bye` }).href,
  }
}

async function five(way, base) {
  const id = `openid-client-5-${way}`
  const issuer = await v5.Issuer.discover(discoveryURL)
  const client = new issuer.Client({
    client_id: id, redirect_uris: [`${base}/callback`], response_types: ['code'],
    token_endpoint_auth_method: way, ...(way === 'tls_client_auth' ? {} : { client_secret: SECRET }),
  })
  if (way === 'tls_client_auth') {
    const pem = certificate(id)
    client[v5.custom.http_options] = () => ({ cert: pem, key: pem })
  }
  let sent, tokens
  const keep = async got => {
    tokens = got
    return { idToken: got.claims(), userinfo: await client.userinfo(got) }
  }
  return {
    async login() {
      const code_verifier = v5.generators.codeVerifier()
      sent = { state: v5.generators.state(), nonce: v5.generators.nonce(), code_verifier, response_type: 'code' }
      return client.authorizationUrl({
        ...request, state: sent.state, nonce: sent.nonce,
        code_challenge: v5.generators.codeChallenge(code_verifier), code_challenge_method: 'S256',
      })
    },
    async callback(url) {
      return keep(await client.callback(`${base}/callback`, client.callbackParams(url.pathname + url.search), sent))
    },
    async refresh() {
      return keep(await client.refresh(tokens))
    },
    logout: () => client.endSessionUrl({ id_token_hint: tokens.id_token, post_logout_redirect_uri: `${base}/bye` }),
  }
}

const clients = new Map()
for (const way of ['client_secret_basic', 'client_secret_post', 'tls_client_auth']) {
  clients.set(`/6/${way}`, await six(way, `${site}/6/${way}`))
  clients.set(`/5/${way}`, await five(way, `${site}/5/${way}`))
}
const signedIn = new Map() // base → what is known of the person

createServer(async (req, res) => {
  const url = new URL(req.url, site)
  const [, version, way, action] = url.pathname.split('/')
  const base = `/${version}/${way}`
  const client = clients.get(base)
  const goTo = location => res.writeHead(303, { location }).end()
  const show = (status, body) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  try {
    switch (client && action) {
      case 'login': signedIn.delete(base); return goTo(await client.login())
      case 'callback': signedIn.set(base, await client.callback(url)); return goTo(`${base}/me`)
      case 'refresh': signedIn.set(base, await client.refresh()); return goTo(`${base}/me`)
      case 'logout': signedIn.delete(base); return goTo(client.logout())
      case 'me': return signedIn.has(base) ? show(200, signedIn.get(base)) : show(401, {})
      case 'bye': return show(200, { bye: true })
      default: return show(404, {})
    }
  } catch (err) { // the cause is the library's; no token is in it
    show(403, { refused: err.code ?? err.name, why: err.message })
  }
}).listen(Number(PORT), '127.0.0.1', () => console.log('ready'))
