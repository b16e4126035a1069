// An application on npm's passport-openidconnect as its manual says, with what
// its user can add for Pro Santé Connect: acrValues, scope and nonce.
//
// Environment: PORT, MOCK.
import { randomBytes } from 'node:crypto'
import express from 'express'
import session from 'express-session'
import passport from 'passport'
import { Strategy } from 'passport-openidconnect'

const { PORT, MOCK } = process.env
const site = `http://localhost:${PORT}`
const issuer = `${MOCK}/auth/realms/esante-wallet`
const oidc = `${issuer}/protocol/openid-connect`

passport.use(new Strategy({
  issuer, authorizationURL: `${MOCK}/auth`, tokenURL: `${oidc}/token`, userInfoURL: `${oidc}/userinfo`,
  clientID: 'carelink', clientSecret: 'carelink-secret', callbackURL: `${site}/callback`,
  scope: 'scope_all', acrValues: 'eidas1', nonce: true,
}, (issuer, profile, done) => done(null, { id: profile.id, name: profile.displayName })))
passport.serializeUser((user, done) => done(null, user))
passport.deserializeUser((user, done) => done(null, user))

const app = express()
app.use(session({ secret: randomBytes(32).toString('hex'), resave: false, saveUninitialized: false }))
app.use(passport.authenticate('session'))
app.get('/login', passport.authenticate('openidconnect'))
app.get('/callback', passport.authenticate('openidconnect', { failWithError: true }), (req, res) => res.redirect('/me'))
app.get('/me', (req, res) => {
  if (!req.user) return res.redirect('/login')
  res.type('html').send(`<p>Bonjour ${req.user.id.replace(/[^\w:-]/g, '')}<form method="post" action="/logout"><button>Se déconnecter</button></form>`)
})
app.post('/logout', (req, res, next) => req.logout(err => err ? next(err) : res.send('Au revoir')))
app.use((err, req, res, next) => res.status(403).send('La connexion a échoué'))
app.listen(Number(PORT), 'localhost')
