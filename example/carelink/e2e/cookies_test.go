package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// CareLink (localhost) and the mock (127.0.0.1) are two sites, as in reality. So
// the way back from Pro Santé Connect is a cross-site navigation, on which the
// browser keeps Strict cookies to itself. These tests show that the setup would
// catch the mistake: what works with CareLink's own Lax cookies fails as soon as
// something between makes them Strict.
func TestSameSite(t *testing.T) {
	t.Parallel()
	app := start(t)

	t.Run("Lax", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t, through(t, "none")).first
		p.signIn(dupont)
		p.see("8 patients")
		if w := p.keptBack(); len(w) > 0 {
			t.Errorf("cookies not sent: %q", w)
		}
		got, err := chromedp.Call(p.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{app.url}})
		if err != nil {
			t.Fatal(err)
		}
		names := ""
		for _, c := range got.Cookies {
			names += c.Name + " "
			if !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax || c.Domain != "localhost" {
				t.Errorf("cookie %s: HttpOnly %v, SameSite %q, domain %q", c.Name, c.HTTPOnly, c.SameSite, c.Domain)
			}
		}
		if !strings.HasPrefix(names, "psc_session-") || len(got.Cookies) != 1 {
			t.Errorf("after the sign-in the browser holds %q", names)
		}
	})

	t.Run("pending sign-in Strict", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t, through(t, "psc_pending-")).first
		p.open("/patients")
		p.atMock("Connectez-vous")
		p.clickPerson(dupont)
		p.heading("La connexion ne parvient pas à se terminer") // after three attempts
		p.see("Votre navigateur ne garde pas nos cookies")
		p.mustKeepBack("psc_pending-")
	})

	t.Run("session Strict", func(t *testing.T) {
		t.Parallel()
		p := app.newBrowser(t, through(t, "psc_session-")).first
		p.open("/patients")
		p.atMock("Connectez-vous")
		p.mouse(p.button(dupont))
		p.until("the browser to give up going round", func() bool { return strings.HasPrefix(p.address(), "chrome-error:") })
		p.mustKeepBack("psc_session-")
	})
}

// through is a browser behind a proxy that makes some of the cookies Strict.
func through(t *testing.T, prefix string) habit {
	forward := &httputil.ReverseProxy{
		Rewrite: func(*httputil.ProxyRequest) {}, // the browser has named the address in full
		ModifyResponse: func(r *http.Response) error {
			cookies := r.Header["Set-Cookie"]
			for i := range cookies {
				if strings.HasPrefix(cookies[i], prefix) {
					cookies[i] = strings.Replace(cookies[i], "SameSite=Lax", "SameSite=Strict", 1)
				}
			}
			return nil
		},
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Hostname() {
		case "localhost", "127.0.0.1":
			forward.ServeHTTP(w, r)
		default: // the browser's own business elsewhere
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(proxy.Close)
	return func(s *settings) {
		s.flags = append(s.flags, chromedp.ProxyServer(proxy.URL), chromedp.Flag("proxy-bypass-list", "<-loopback>"))
	}
}

// keptBack lists the cookies that the browser had and did not send, with reasons.
func (p *tab) keptBack() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.withheld)
}

func (p *tab) mustKeepBack(prefix string) {
	p.t.Helper()
	all := p.keptBack()
	if !slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, prefix) && strings.HasSuffix(s, "SameSiteStrict") }) {
		p.t.Errorf("no cookie %s was kept back for SameSite=Strict: %q", prefix, all)
	}
}
