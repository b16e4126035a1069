package mockpsc

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// A hint is an ID token of ours that comes back.
type hint struct {
	Iss string `json:"iss"`
	Aud string `json:"aud"`
	Sub string `json:"sub"`
	Sid string `json:"sid"`
	Typ string `json:"typ"`
}

// readHint verifies the signature of an id_token_hint. Its age does not matter:
// an ID token lives two minutes, a session four hours.
func (s *Server) readHint(token string) (hint, error) {
	var h hint
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return h, err
	}
	var payload []byte
	for _, k := range s.hintKeys() { // former keys too: a rotation signs nobody out
		if payload, err = jws.Verify(&k.signing.private.PublicKey); err == nil {
			break
		}
	}
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(payload, &h); err != nil {
		return h, err
	}
	if h.Typ != "ID" {
		return h, errors.New("not an ID token")
	}
	return h, nil
}

// logout ends an SSO session (OpenID Connect RP-Initiated Logout). With a hint it
// does so at once, with or without the browser's cookie; without one it asks, so
// that no stranger's link signs anybody out.
func (s *Server) logout(a *answer, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		a.fail(http.StatusBadRequest, "invalid_request", "the parameters cannot be read")
		return
	}
	for name, values := range r.Form {
		if len(values) > 1 {
			s.refusePage(a, r, nil, refusal{rule: "parameter " + name + " is given twice", key: "a8_duplicate", args: []string{"x", name}})
			return
		}
	}
	client := s.client(r.Form.Get("client_id"))
	token := r.Form.Get("id_token_hint")
	if token == "" {
		s.logoutWithoutHint(a, r, client)
		return
	}
	a.shows(tracedToken{what: "id_token_hint", text: token})
	h, err := s.readHint(token)
	if err == nil && h.Iss != s.issuer(r) {
		err = errors.New("iss is not this issuer")
	}
	if err == nil && r.Form.Has("client_id") && r.Form.Get("client_id") != h.Aud {
		err = errors.New("client_id is not the ID token's audience")
	}
	if err != nil {
		s.refusePage(a, r, client, refusal{rule: "Invalid parameter: id_token_hint: " + err.Error(), key: "a10_hint"})
		return
	}
	client = s.client(h.Aud)
	s.mu.Lock()
	if ses := s.sessions[h.Sid]; ses != nil {
		s.end(ses)
	}
	if ses := s.ssoSession(r); ses != nil && s.sub(ses.person.now) == h.Sub {
		s.end(ses) // the same person, asked again since: no colleague must slip in
	}
	s.mu.Unlock()
	s.signedOut(a, r, client)
}

func (s *Server) logoutWithoutHint(a *answer, r *http.Request, client *Client) {
	if s.WalletURL != "" && !s.onWallet(r) { // the browser's session is known there only
		a.redirect(s.WalletURL + r.URL.Path + "?" + r.Form.Encode())
		return
	}
	if s.cookielessPost(r, "sso") {
		a.redirect(r.URL.Path + "?" + r.Form.Encode())
		return
	}
	s.mu.Lock()
	ses := s.ssoSession(r)
	confirmed := ses == nil || r.Method == http.MethodPost && r.PostForm.Get("confirm") == ses.confirm
	confirm := ""
	if ses != nil {
		confirm = ses.confirm
		if confirmed {
			s.end(ses)
		}
	}
	s.mu.Unlock()
	if confirmed {
		s.signedOut(a, r, client)
		return
	}
	v := s.view(a, r, "logout")
	v.Heading, v.Step = "a10_ask", "ask"
	v.Confirm = confirm
	for _, name := range []string{"client_id", "post_logout_redirect_uri", "state"} {
		if value := r.Form.Get(name); value != "" {
			v.Hidden = append(v.Hidden, field{name, value})
		}
	}
	if client != nil {
		a.belongsTo(client)
		v.Service, v.Back = client.service(), client.StartURL
		if uri := r.Form.Get("post_logout_redirect_uri"); uri != "" && client.allows(client.PostLogoutURIs, uri) {
			v.FormTarget = origin(uri)
		}
	}
	a.page(http.StatusOK, v)
}

// signedOut takes the browser to the declared address, or says that it is over.
func (s *Server) signedOut(a *answer, r *http.Request, client *Client) {
	if s.cookie(r, "sso") != "" {
		s.mu.Lock()
		over := s.ssoSession(r) == nil
		s.mu.Unlock()
		if over {
			s.setCookie(a, r, "sso", "", -1)
		}
	}
	uri := r.Form.Get("post_logout_redirect_uri")
	if client != nil {
		a.belongsTo(client)
	}
	switch {
	case uri == "":
		v := s.view(a, r, "logout")
		v.Heading, v.Step = "a10_done", "done"
		v.Self = ""
		a.page(http.StatusOK, v)
	case client == nil || !client.allows(client.PostLogoutURIs, uri):
		ref := refusal{rule: "post_logout_redirect_uri: no client is known; the session is closed", key: "a10_unknown", args: []string{"x", uri}}
		if client != nil {
			list := client.describe(client.PostLogoutURIs)
			ref = refusal{rule: "post_logout_redirect_uri '" + uri + "' is not declared; declared: " + list + "; the session is closed",
				key: "a10_undeclared", args: []string{"x", uri, "liste", list}}
		}
		a.explain(ref.rule)
		v := s.view(a, r, "logout")
		v.Heading, v.Step = "a10_done", "undeclared"
		v.Self = ""
		v.Rule = v.T(ref.key, ref.args...)
		a.page(http.StatusBadRequest, v)
	default:
		if state := r.Form.Get("state"); state != "" && !s.Assume.OmitLogoutState {
			sep := "?"
			if strings.Contains(uri, "?") {
				sep = "&"
			}
			uri += sep + "state=" + url.QueryEscape(state)
		}
		a.redirect(uri)
	}
}
