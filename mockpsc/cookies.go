package mockpsc

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// browser returns the mark of this browser, set now if there is none.
func (s *Server) browser(a *answer, r *http.Request) string {
	if mark := s.cookie(r, "browser"); mark != "" {
		return strings.Clone(mark)
	}
	mark := newHandle()
	s.setCookie(a, r, "browser", mark, 0)
	return mark
}

// cookieName is the mock's own on any host: cookies know no port, so an app or a
// second mock beside this one must not have the same.
func (s *Server) cookieName(r *http.Request, what string) string {
	sum := sha256.Sum256([]byte(s.cookieScope(r)))
	name := "mockpsc_" + what + "_" + hex.EncodeToString(sum[:4])
	if strings.HasPrefix(s.cookieScope(r), "https:") {
		name = "__Host-" + name
	}
	return name
}

// cookieScope is the address that the browser knows.
func (s *Server) cookieScope(r *http.Request) string {
	if apart(r) {
		return s.PhoneURL
	}
	return s.base(r)
}

func (s *Server) cookie(r *http.Request, what string) string {
	if apart(r) && what != "lang" {
		return "" // a session of the browser's is none of the phone's business
	}
	c, err := r.Cookie(s.cookieName(r, what))
	if err != nil {
		return ""
	}
	return c.Value
}

// cookielessPost reports whether a form was posted without a cookie of ours. It
// may have come from another site, and then the browser kept the cookie back
// (SameSite=Lax): redirected to the same by GET, it sends it.
func (s *Server) cookielessPost(r *http.Request, what string) bool {
	return r.Method == http.MethodPost && s.cookie(r, what) == ""
}

// setCookie sets a host-only cookie; seconds 0 is until the browser closes, less deletes it.
func (s *Server) setCookie(a *answer, r *http.Request, what, value string, seconds int) {
	http.SetCookie(a, &http.Cookie{
		Name: s.cookieName(r, what), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(s.cookieScope(r), "https:"),
	})
}
