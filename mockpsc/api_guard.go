package mockpsc

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// consolePath is where the console is, and its API below it.
const consolePath = "/_mock/"

// isDriving reports whether a request is for the console or its API, which see
// and change everything: all under /_mock/ but what stands for things that
// people hold in their hands.
func isDriving(r *http.Request) bool {
	p := path.Clean(r.URL.Path) + "/" // as ServeMux reads it
	return strings.HasPrefix(p, consolePath) &&
		!strings.HasPrefix(p, phonePath) && !strings.HasPrefix(p, readerPath) && !strings.HasPrefix(p, activationPath+"/")
}

var ownPages http.CrossOriginProtection

const openConsole = "Server.OpenConsole (mockpsc -open-console) opens the console and its API to whoever reaches the mock"

// closed answers if the console and its API are closed to a request.
func (s *Server) closed(a *answer, r *http.Request) bool {
	why := s.closedTo(r)
	if why != "" {
		a.fail(http.StatusForbidden, "console_closed", why)
	}
	return why != ""
}

// closedTo says why the console and its API are closed to a request; "" if they
// are open.
//
// A page of another site must not drive the mock through somebody's browser: it
// may not post (net/http.CrossOriginProtection), it may not read the API, and
// it cannot pretend to be this host by a name of its own that leads here (DNS
// rebinding), for the Host must be one that is known.
func (s *Server) closedTo(r *http.Request) string {
	if err := ownPages.Check(r); err != nil {
		return "the console and its API are not driven from the page of another site: " + err.Error()
	}
	// To follow a link to a page of the console is harmless; to read the API is not.
	site := r.Header.Get("Sec-Fetch-Site")
	api := strings.HasPrefix(path.Clean(r.URL.Path), consolePath+"api/") || strings.Contains(r.Pattern, " "+consolePath+"api/")
	if api && site != "" && site != "same-origin" && site != "none" {
		return "the API is not read from the page of another site (Sec-Fetch-Site: " + own(site) + ")"
	}
	if !loopbackHost(r.Host) && !(s.OpenConsole && s.isOwnHost(r)) {
		if s.OpenConsole {
			return fmt.Sprintf("the Host %q is neither this machine nor that of Server.Issuer or WalletURL (mockpsc -issuer, -wallet-url); a proxy must leave it as it is", r.Host)
		}
		return fmt.Sprintf("the Host %q is not a loopback host. %s", r.Host, openConsole)
	}
	if s.OpenConsole {
		return ""
	}
	for _, address := range []string{s.Issuer, s.WalletURL} {
		if u, err := url.Parse(address); address != "" && (err != nil || !loopbackHost(u.Host)) {
			return "the mock is meant for more than this machine, for its address is " + address + ". " + openConsole
		}
	}
	if s.TrustForwarded || r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("X-Forwarded-Host") != "" {
		return "the request has come by a proxy, so that nobody knows from where. " + openConsole
	}
	if !fromThisMachine(r.RemoteAddr) {
		return "the request does not come from this machine. " + openConsole
	}
	return ""
}

// isOwnHost reports whether a request names a host of the configuration. What a
// proxy says does not count: a page that pretends to be this host can say it too.
func (s *Server) isOwnHost(r *http.Request) bool {
	for _, address := range []string{s.Issuer, s.WalletURL} {
		if u, err := url.Parse(address); address != "" && err == nil && strings.EqualFold(u.Host, r.Host) {
			return true
		}
	}
	return false
}

// fromThisMachine reports whether an address is a loopback one, or none at all,
// as on a Unix socket.
func fromThisMachine(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote == "" || remote == "@"
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
