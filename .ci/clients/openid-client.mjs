// An application around npm's openid-client, in two of its major versions, and
// around oauth4webapi, with each way of client authentication:
// /<version>/<way>/login begins a sign-in, …/me shows who it is, …/refresh renews
// the tokens, …/logout ends it. /login?lies=~expired goes to the issuer with that
// behind its address. Each visit has a client of its own, by a cookie.
//
// Environment: PORT, ISSUER, SECRET, CERTS (directory with a client's certificate
// and key in <client_id>.pem), and Node's own NODE_EXTRA_CA_CERTS with the CA of
// the mock.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import * as oauth from 'oauth4webapi'
import * as v6 from 'openid-client'
import v5 from 'openid-client-5'
import { Agent, fetch } from 'undici'

const { PORT, ISSUER, SECRET, CERTS } = process.env
const site = `http://localhost:${PORT}`
const discoveryURL = issuer => `${issuer}/.well-known/wallet-openid-configuration`
const certificate = id => readFileSync(`${CERTS}/${id}.pem`)
const request = { scope: 'openid scope_all', acr_values: 'eidas1' }
const patience = issuer => /-(hanging|dripping)$/.test(issuer) ? 2 : 30 // seconds, for one answer

// Each client gives: login() → address at PSC, callback(url), refresh(), logout() → address.
async function six(way, base, issuer) {
  const id = `openid-client-6-${way}`
  const auth = {
    client_secret_basic: v6.ClientSecretBasic(SECRET),
    client_secret_post: v6.ClientSecretPost(SECRET),
    tls_client_auth: v6.TlsClientAuth(),
  }[way]
  const options = { timeout: patience(issuer) }
  if (way === 'tls_client_auth') {
    const pem = certificate(id)
    const dispatcher = new Agent({ connect: { cert: pem, key: pem } })
    options[v6.customFetch] = (url, init) => fetch(url, { ...init, dispatcher })
  }
  // Version 6 trusts TLS for who issued an ID token that comes from the token
  // endpoint (OpenID Connect Core, section 3.1.3.7) and looks at no signature
  // unless it is told to. One of the three is.
  if (way === 'client_secret_post') options.execute = [v6.enableNonRepudiationChecks]
  const config = await v6.discovery(new URL(discoveryURL(issuer)), id, undefined, auth, options)
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

async function five(way, base, address) {
  const id = `openid-client-5-${way}`
  const issuer = await v5.Issuer.discover(discoveryURL(address))
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

// web is oauth4webapi, of which openid-client 6 is made, by hand: it checks the
// issuer that the metadata name, and the signature of the ID token.
async function web(way, base, address) {
  const client = { client_id: `oauth4webapi-${way}` }
  const auth = way === 'client_secret_post' ? oauth.ClientSecretPost(SECRET) : oauth.ClientSecretBasic(SECRET)
  const options = () => ({ signal: AbortSignal.timeout(patience(address) * 1000) })
  const issuer = new URL(address)
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, {
    ...options(), [oauth.customFetch]: (url, init) => fetch(discoveryURL(url.slice(0, url.indexOf('/.well-known/'))), init),
  }))
  let sent, tokens
  const keep = async (process, response) => {
    const got = await process(response)
    await oauth.validateApplicationLevelSignature(as, response, options())
    tokens = { ...tokens, ...got }
    const claims = oauth.getValidatedIdTokenClaims(got)
    const userinfo = await oauth.userInfoRequest(as, client, got.access_token, options())
    return { idToken: claims, userinfo: await oauth.processUserInfoResponse(as, client, claims.sub, userinfo) }
  }
  return {
    async login() {
      sent = { state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(), verifier: oauth.generateRandomCodeVerifier() }
      const to = new URL(as.authorization_endpoint)
      to.search = new URLSearchParams({
        ...request, client_id: client.client_id, response_type: 'code', redirect_uri: `${base}/callback`, state: sent.state, nonce: sent.nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(sent.verifier), code_challenge_method: 'S256',
      })
      return to.href
    },
    async callback(url) {
      const parameters = oauth.validateAuthResponse(as, client, url, sent.state)
      const response = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, `${base}/callback`, sent.verifier, options())
      return keep(r => oauth.processAuthorizationCodeResponse(as, client, r, { expectedNonce: sent.nonce, requireIdToken: true }), response)
    },
    async refresh() {
      const response = await oauth.refreshTokenGrantRequest(as, client, auth, tokens.refresh_token, options())
      return keep(r => oauth.processRefreshTokenResponse(as, client, r), response)
    },
    logout() {
      const to = new URL(as.end_session_endpoint)
      to.search = new URLSearchParams({ id_token_hint: tokens.id_token, post_logout_redirect_uri: `${base}/bye` })
      return to.href
    },
  }
}

v5.custom.setHttpOptionsDefaults({ timeout: 10_000 }) // for all alike; its own is 3.5 s

const versions = { 5: five, 6: six, web }
const ways = ['client_secret_basic', 'client_secret_post', 'tls_client_auth']
const visits = new Map() // cookie → { client, who }, who is nobody before the callback

// An error that a library throws on purpose says why; one that happens to it is
// none of its refusals.
const accident = err => [TypeError, RangeError, ReferenceError].includes(err.constructor) && err.code === undefined &&
  /^Cannot |is not (a function|iterable)|call stack/.test(err.message)

// shown is what the test reads of a document, which may hold anything.
const shown = ({ SubjectNameID, authMode, acr, family_name, SubjectRefPro }) => ({ SubjectNameID, authMode, acr, family_name, SubjectRefPro })

// An error beside the request that it belongs to would end the process, and with
// it every trial to come. That request is then not answered, which is seen.
process.on('uncaughtException', err => console.error('uncaught:', err))

createServer(async (req, res) => {
  const url = new URL(req.url, site)
  const [, version, way, action] = url.pathname.split('/')
  const base = `${site}/${version}/${way}`
  const cookie = /(?:^|; )visit=([0-9a-f-]+)/.exec(req.headers.cookie)?.[1]
  const visit = visits.get(cookie) ?? {}
  const goTo = location => res.writeHead(303, { location }).end()
  const show = (status, body) => {
    const text = JSON.stringify(body)
    res.writeHead(status, { 'content-type': 'application/json' }).end(text)
  }
  try {
    if (!versions[version] || !ways.includes(way)) return show(404, {})
    switch (action) {
      case 'login': {
        const client = await versions[version](way, base, ISSUER + (url.searchParams.get('lies') ?? ''))
        const to = await client.login()
        const id = randomUUID()
        visits.delete(cookie)
        visits.set(id, { client })
        res.setHeader('set-cookie', `visit=${id}; Path=/${version}/${way}; HttpOnly`)
        return goTo(to)
      }
      case 'callback': visit.who = await visit.client.callback(url); return goTo(`${base}/me`)
      case 'refresh': visit.who = await visit.client.refresh(); return goTo(`${base}/me`)
      case 'logout': visits.delete(cookie); return goTo(visit.client.logout())
      case 'me': return visit.who ? show(200, { idToken: shown(visit.who.idToken), userinfo: shown(visit.who.userinfo) }) : show(401, {})
      case 'bye': return show(200, { bye: true })
      default: return show(404, {})
    }
  } catch (err) { // the cause is the library's; no token is in it
    show(accident(err) ? 500 : 403, { refused: err.code ?? err.name, why: err.message })
  }
}).listen(Number(PORT), '127.0.0.1', () => console.log('ready'))
