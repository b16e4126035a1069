package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pscauth/pscauth/mockpsc"
)

// clientList is the flag -client.
type clientList []mockpsc.Client

func (l *clientList) String() string { return "" }

// Set reads id:secret:redirect_uri[,post_logout_uri]. Only the first two colons
// separate: an address has colons of its own.
func (l *clientList) Set(text string) error {
	parts := strings.SplitN(text, ":", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return errors.New("want id:secret:redirect_uri[,post_logout_uri]")
	}
	redirect, postLogout, _ := strings.Cut(parts[2], ",")
	c := mockpsc.Client{ID: parts[0], Secret: parts[1], RedirectURIs: []string{redirect}}
	if postLogout != "" {
		c.PostLogoutURIs = []string{postLogout}
	}
	return l.add(c)
}

// add keeps one client of each name.
func (l *clientList) add(c mockpsc.Client) error {
	for i := range *l {
		known := &(*l)[i]
		if known.ID != c.ID {
			continue
		}
		if known.Secret != c.Secret { // one may be empty: a certificate
			return fmt.Errorf("client %q has two secrets", c.ID)
		}
		known.RedirectURIs = append(known.RedirectURIs, c.RedirectURIs...)
		known.PostLogoutURIs = append(known.PostLogoutURIs, c.PostLogoutURIs...)
		return nil
	}
	*l = append(*l, c)
	return nil
}

// tlsClientList is the flag -tls-client: it adds to the others.
type tlsClientList struct{ *clientList }

func (l tlsClientList) String() string { return "" }

// Set reads id:redirect_uri[,post_logout_uri].
func (l tlsClientList) Set(text string) error {
	id, addresses, _ := strings.Cut(text, ":")
	if id == "" || addresses == "" {
		return errors.New("want id:redirect_uri[,post_logout_uri]")
	}
	redirect, postLogout, _ := strings.Cut(addresses, ",")
	c := mockpsc.Client{ID: id, TLSClientAuth: true, RedirectURIs: []string{redirect}}
	if postLogout != "" {
		c.PostLogoutURIs = []string{postLogout}
	}
	return l.add(c)
}

// clientDetails is a flag that says more of a client that another flag declares,
// wherever that one stands: id:text.
type clientDetails struct {
	name string // of the flag
	set  func(*mockpsc.Client, string)
	bare bool // the id is all there is to say
	said [][2]string
}

func (d *clientDetails) String() string { return "" }

func (d *clientDetails) Set(text string) error {
	id, detail, _ := strings.Cut(text, ":")
	if id == "" || (detail == "") != d.bare {
		return errors.New("want " + map[bool]string{true: "client_id", false: "client_id:value"}[d.bare])
	}
	d.said = append(d.said, [2]string{id, detail})
	return nil
}

// apply adds the details to the clients.
func (d *clientDetails) apply(clients []mockpsc.Client) error {
	for _, s := range d.said {
		i := slices.IndexFunc(clients, func(c mockpsc.Client) bool { return c.ID == s[0] })
		if i < 0 {
			return fmt.Errorf("mockpsc: -%s: no -client declares %q", d.name, s[0])
		}
		d.set(&clients[i], s[1])
	}
	return nil
}

// assumeFlag is the flag -assume: what the real service may do where nobody knows.
type assumeFlag struct{ *mockpsc.Assumptions }

func (f assumeFlag) String() string { return "" }

const assumeUsage = "what the real service may do and nobody knows, `name=value`; repeatable: pkce=required, iss=omitted, " +
	"logout-state=omitted, refresh=reusable, identifiers=discreet, acr=eidas1|eidas2|eidas3|none, auth-mode=WORD|none, layout=newer|older|none, " +
	"email-verified=false, federation=UUID, keys=NUMBER"

func (f assumeFlag) Set(text string) error {
	name, value, _ := strings.Cut(text, "=")
	switches := map[string]struct {
		value string
		field *bool
	}{
		"pkce":           {"required", &f.RequirePKCE},
		"iss":            {"omitted", &f.OmitIss},
		"logout-state":   {"omitted", &f.OmitLogoutState},
		"refresh":        {"reusable", &f.ReuseRefreshTokens},
		"identifiers":    {"discreet", &f.DiscreetIdentifiers},
		"email-verified": {"false", &f.EmailVerified},
	}
	texts := map[string]*string{"acr": &f.ACR, "auth-mode": &f.AuthMode, "layout": &f.Layout, "federation": &f.Federation}
	if s, ok := switches[name]; ok {
		if value != s.value {
			return fmt.Errorf("want %s=%s", name, s.value)
		}
		*s.field = true
		return nil
	}
	if field, ok := texts[name]; ok && value != "" {
		*field = value
		return nil
	}
	if name == "keys" {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return errors.New("want keys=NUMBER, 1 to 8")
		}
		f.SigningKeys = n
		return nil
	}
	return errors.New("want one of those that mockpsc -h lists")
}

// lifetimeFlag is the flag -lifetime: [client_id:]name=duration.
type lifetimeFlag struct {
	all     *mockpsc.Lifetimes
	clients *clientDetails
}

func (f lifetimeFlag) String() string { return "" }

func (f lifetimeFlag) Set(text string) error {
	client, rest, ok := strings.Cut(text, ":")
	if !ok {
		return setLifetime(f.all, text)
	}
	if err := setLifetime(new(mockpsc.Lifetimes), rest); err != nil {
		return err
	}
	return f.clients.Set(client + ":" + rest)
}

// setLifetime reads name=duration.
func setLifetime(l *mockpsc.Lifetimes, text string) error {
	name, value, _ := strings.Cut(text, "=")
	d, err := time.ParseDuration(value)
	field := map[string]*time.Duration{
		"code": &l.Code, "id-token": &l.IDToken, "access-token": &l.AccessToken, "refresh-token": &l.RefreshToken,
		"session": &l.Session, "idle": &l.SessionIdle,
	}[name]
	if field == nil || err != nil || d <= 0 {
		return errors.New("want [client_id:]name=duration, such as code=60s, with the name code, id-token, access-token, refresh-token, session or idle")
	}
	*field = d
	return nil
}
