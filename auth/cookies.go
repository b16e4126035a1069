package auth

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
)

// base64URL is canonical: Strict refuses trailing bits that decode to nothing.
var base64URL = base64.RawURLEncoding.Strict()

const (
	pendingTTL     = 10 * time.Minute
	maxPending     = 5    // sign-ins begun and not ended in one browser
	maxCookie      = 3800 // bytes of a value; browsers keep 4096 for name, value and attributes
	maxRestarts    = 3
	maxPendingSize = 5000 // bytes of them all: proxies refuse requests whose cookies exceed 8 KiB
	pendingPrefix  = "psc_pending-"
)

// cookieJar names, seals and writes our cookies. The names end in a hash of
// RedirectURL and ClientID, because cookies ignore ports: two apps on one host
// must not wipe each other's session.
type cookieJar struct {
	secure   bool
	session  string // name of the session cookie
	pending  string // prefix of the pending sign-ins' names
	restarts string // name of the counter of quiet restarts
	codecs   []securecookie.Codec
}

func newCookieJar(m keyMaker, secure bool) cookieJar {
	host := ""
	if secure {
		host = "__Host-"
	}
	sum := sha256.Sum256([]byte(m.cfg.RedirectURL + "\x00" + m.cfg.ClientID))
	app := hex.EncodeToString(sum[:4])
	j := cookieJar{
		secure:   secure,
		session:  host + "psc_session-" + app,
		pending:  host + pendingPrefix + app + "-",
		restarts: host + "psc_restarts-" + app,
	}
	hash, block := m.keys("cookie hash", "", 32), m.keys("cookie block", "", 32)
	for i := range hash {
		// MaxAge 0 leaves the age to us, by the injected clock.
		codec := securecookie.New(hash[i], block[i]).MaxAge(0).MaxLength(maxCookie)
		j.codecs = append(j.codecs, codec.SetSerializer(securecookie.JSONEncoder{}))
	}
	return j
}

// set writes a cookie; an empty value clears it, with the same attributes.
func (j cookieJar) set(w http.ResponseWriter, name, value string, ttl time.Duration) {
	c := &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     "/",
		Secure:   j.secure,
		HttpOnly: true,
		// Lax, not Strict: the way back from PSC is a cross-site navigation, and
		// Strict would lose the cookie and loop.
		SameSite: http.SameSiteLaxMode,
		MaxAge:   int(ttl / time.Second),
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// get returns the value of the one cookie of that name, and whether there is any.
// Two of a name are an attack or an accident: none of them counts.
func (j cookieJar) get(r *http.Request, name string) (value string, any bool) {
	for _, line := range r.Header["Cookie"] {
		// Go trims names, so that one to which a browser's rules for __Host- do
		// not apply would pass for ours.
		if i := strings.Index(line, name); i >= 0 && i+len(name) < len(line) && (line[i+len(name)] == ' ' || line[i+len(name)] == '\t') {
			return "", true
		}
	}
	found := r.CookiesNamed(name)
	if len(found) != 1 || found[0].Quoted {
		return "", len(found) > 0
	}
	return found[0].Value, true
}

// pendingSignIn is a sign-in that waits for its callback. It lives in a sealed
// cookie of its own, so that two tabs do not disturb each other and a hundred
// thousand abandoned ones cost the server nothing.
type pendingSignIn struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	ReturnTo string `json:"r"`
	Begun    int64  `json:"t"`           // Unix seconds
	MaxAge   int64  `json:"m,omitempty"` // seconds since the person proved who they are; 0 = any
	Login    bool   `json:"l,omitempty"` // prompt=login was asked
}

func (j cookieJar) pendingName(state string) string {
	sum := sha256.Sum256([]byte(state))
	return j.pending + hex.EncodeToString(sum[:8])
}

// addPending puts p into a cookie, and drops the oldest ones when there are too
// many or they have grown too long together.
func (j cookieJar) addPending(w http.ResponseWriter, r *http.Request, p pendingSignIn) error {
	name := j.pendingName(p.State)
	value, err := securecookie.EncodeMulti(name, p, j.codecs...)
	if err != nil { // the return path makes it too long for a cookie
		p.ReturnTo = home
		if value, err = securecookie.EncodeMulti(name, p, j.codecs...); err != nil {
			return err
		}
	}
	type other struct {
		name  string
		begun int64
		size  int
	}
	var others []other
	for _, name := range j.pendingNames(r) {
		if o, ok := j.openPending(r, name); ok {
			value, _ := j.get(r, name)
			others = append(others, other{name, o.Begun, len(value)})
		} else {
			j.set(w, name, "", 0)
		}
	}
	slices.SortStableFunc(others, func(a, b other) int { return cmp.Compare(b.begun, a.begun) }) // the newest first
	size := len(value)
	for i, o := range others {
		if size += o.size; i >= maxPending-1 || size > maxPendingSize {
			j.set(w, o.name, "", 0)
		}
	}
	j.set(w, name, value, pendingTTL)
	return nil
}

// pendingNames returns the names of the pending cookies that came with r, each
// once, and no more than a browser can hold of them by accident.
func (j cookieJar) pendingNames(r *http.Request) []string {
	var names []string
	seen := map[string]bool{}
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, j.pending) && !seen[c.Name] {
			seen[c.Name] = true
			names = append(names, c.Name)
			if len(names) == 4*maxPending {
				break
			}
		}
	}
	return names
}

// openPending opens the pending sign-in of that cookie name. The name is part of
// what is authenticated, so a sealed value cannot move to another name.
func (j cookieJar) openPending(r *http.Request, name string) (p pendingSignIn, ok bool) {
	value, _ := j.get(r, name)
	if value == "" {
		return pendingSignIn{}, false
	}
	if err := securecookie.DecodeMulti(name, value, &p, j.codecs...); err != nil {
		return pendingSignIn{}, false
	}
	return p, name == j.pendingName(p.State)
}

// clearPending clears every pending cookie that came with r.
func (j cookieJar) clearPending(w http.ResponseWriter, r *http.Request) {
	for _, name := range j.pendingNames(r) {
		j.set(w, name, "", 0)
	}
}

type restartCount struct {
	N     int   `json:"n"`
	Begun int64 `json:"t"`
}

// restart counts one quiet restart and reports whether it is still allowed: at
// most three within ten minutes, so that a browser that keeps no cookies meets an
// explanation and not a circle.
func (j cookieJar) restart(w http.ResponseWriter, r *http.Request, now time.Time) bool {
	var c restartCount
	value, _ := j.get(r, j.restarts)
	err := securecookie.DecodeMulti(j.restarts, value, &c, j.codecs...)
	if err != nil || now.Unix()-c.Begun > int64(pendingTTL/time.Second) {
		c = restartCount{Begun: now.Unix()}
	}
	c.N++
	sealed, err := securecookie.EncodeMulti(j.restarts, c, j.codecs...)
	if err != nil {
		return false
	}
	j.set(w, j.restarts, sealed, pendingTTL)
	return c.N <= maxRestarts
}
