package auth

import (
	"net/url"
	"path"
	"strings"
)

// home is where a sign-in ends when no better place is known.
const home = "/"

const maxReturn = 2048 // bytes of a return path

// safeReturn returns target when a browser that is sent to it stays on this
// origin, and home otherwise. Every place that redirects goes through it, on the
// way in and on the way out.
//
// Browsers read "\" as "/", drop tabs and line ends, and take "//host" for
// another origin, so the rule looks at the raw text, at the decoded path, and at
// the result. It does not promise that the page exists.
func safeReturn(target string) string {
	if len(target) > maxReturn || !strings.HasPrefix(target, "/") {
		return home
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return home
		}
	}
	target, fragment, _ := strings.Cut(target, "#")
	u, err := url.ParseRequestURI(target)
	if _, bad := url.PathUnescape(fragment); bad != nil {
		return home
	}
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return home
	}
	if strings.Contains(u.Path, "//") || strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return home
	}
	if clean := path.Clean(u.Path); clean != u.Path && clean+"/" != u.Path {
		return home
	}
	out := u.EscapedPath()
	if u.RawQuery != "" {
		out += "?" + u.RawQuery
	}
	if fragment != "" {
		out += "#" + fragment
	}
	if len(out) > maxReturn { // escaping made it longer: it would not pass again on the way out
		return home
	}
	if len(out) > 1 && (out[1] == '/' || out[1] == '\\') {
		return home
	}
	return out
}

// returnTarget is safeReturn for a sign-in: it also refuses our own paths, which
// would send a person in a circle or out again, and what looks like the callback,
// because its query may hold a code.
func (rp *RelyingParty) returnTarget(target string) string {
	target = safeReturn(target)
	request, _, _ := strings.Cut(target, "#")
	u, err := url.ParseRequestURI(request) // which would take a fragment for a part of the path
	if err != nil {
		return home
	}
	if _, ours := rp.handlers[u.Path]; ours {
		return home
	}
	if n := len(rp.landing); len(u.Path) >= n && strings.EqualFold(u.Path[:n], rp.landing) {
		return home
	}
	return target
}
