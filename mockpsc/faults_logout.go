package mockpsc

import "time"

// Faults of the logout token by which an application is told that a session has
// ended (OpenID Connect Back-Channel Logout, section 2.6).
func logoutFaults() []Fault {
	row := func(name, severity, summary string, bend func(*outgoing)) Fault {
		return Fault{Name: "logout-" + name, Where: "logout_token", Severity: severity, Expect: refuseLogout, Summary: "the logout token " + summary, bend: bend}
	}
	return []Fault{
		row("wrong-issuer", serious, "was issued by another issuer", with("iss", otherIssuer)),
		row("missing-issuer", serious, "has no iss", without("iss")),
		row("wrong-audience", serious, "is meant for another client", with("aud", "another-client")),
		row("missing-audience", serious, "has no aud", without("aud")),
		row("expired", minor, "expired ten minutes before it was issued", later("exp", -int64((10*time.Minute).Seconds()))),
		row("missing-iat", minor, "has no iat", without("iat")),
		row("iat-last-week", minor, "was issued last week", func(o *outgoing) {
			later("exp", -7*24*3600)(o)
			later("iat", -7*24*3600)(o)
		}),
		row("missing-jti", minor, "has no jti", without("jti")),
		row("missing-events", serious, "has no events", without("events")),
		row("wrong-event", serious, "tells of another event", func(o *outgoing) { o.claims.set("events", map[string]struct{}{"https://psc.invalid/event": {}}) }),
		row("events-a-text", minor, "has events that are a text", with("events", logoutEvent)),
		row("with-nonce", serious, "has a nonce, as an ID token has", with("nonce", "a-nonce")),
		row("about-nobody", minor, "has neither sub nor sid", func(o *outgoing) { o.claims.del("sub"); o.claims.del("sid") }),
		row("second-sid", minor, "has two members sid, the second another session's", again("sid", newUUID())),
		row("bad-signature", critical, "has a signature that does not fit", func(o *outgoing) {
			sign := o.sign
			o.sign = func(text string) []byte { return spoiled(sign(text)) }
		}),
		row("unknown-key", critical, "is signed by a key that is not published", func(o *outgoing) { o.header.set("kid", foreignKey().kid); o.sign = foreignKey().sign }),
		row("alg-none", critical, "has alg none and an empty signature", func(o *outgoing) {
			o.header.set("alg", "none")
			o.sign = func(string) []byte { return nil }
		}),
		row("hs256-public-key", critical, "has alg HS256, with the published RSA key (PEM) as the secret", func(o *outgoing) {
			o.header.set("alg", "HS256")
			o.sign = func(text string) []byte { return hs256(o.key.publicPEM(), text) }
		}),
	}
}
