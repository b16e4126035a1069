package clients

// nobodys are the faults that no client of the table refuses, with the reason.
var nobodys = []struct {
	why    string
	faults []string
}{
	{"OpenID Connect Discovery lets an issuer name addresses on any host, and a client for every provider must follow. Whoever signs in with Pro Santé Connect only knows its two hosts beforehand.",
		[]string{"metadata-authorization-elsewhere", "metadata-token-elsewhere", "metadata-keys-elsewhere", "metadata-userinfo-elsewhere"}},
	{"A text that is not UTF-8 is no JSON (RFC 8259, section 8.1), but the readers of Go and JavaScript put a replacement in the place of what they cannot read.",
		[]string{"metadata-bad-utf8"}},
	{"None of those that read metadata bounds what it reads. mod_auth_openidc, whose limit is a megabyte, reads none here.",
		[]string{"metadata-oversized"}},
	{"An ID token with an audience that the client does not trust must be rejected (OpenID Connect Core, section 3.1.3.7, step 3). All let it pass where the client is one of them, or `azp` names it: no one asks whom else they trust.",
		[]string{"several-audiences"}},
	{"No rule says what `typ` the header of an ID token has; RFC 8725, section 3.11, only recommends that each kind of token has its own, and Pro Santé Connect says `JWT`.",
		[]string{"typ-of-an-access-token", "typ-of-a-logout-token"}},
	{"RFC 4648, section 3.5, lets a decoder take such a last character, and these do. The signature holds, but the same token can then be written in several ways, and a list of those that were seen misses all but one.",
		[]string{"other-base64-bits"}},
	{"`SubjectNameID` is Pro Santé Connect's own. A general client compares `sub` and leaves the rest to the application, which must take the person from the ID token, or compare both.",
		[]string{"record-of-another", "userinfo-without-identifier", "userinfo-empty-identifier", "userinfo-null-identifier", "userinfo-identifier-null-text",
			"userinfo-identifier-blank", "userinfo-identifier-a-number", "userinfo-identifier-with-wrong-key", "userinfo-second-identifier", "userinfo-folded-identifier"}},
	{"OpenID Connect Back-Channel Logout, section 2.4, requires it, but go-oidc and mod_auth_openidc, the only ones here that are told of a sign-out, go by what they find.",
		[]string{"logout-missing-iat"}},
	{"Of two members of one name both take the last, as RFC 7519, section 4, allows, and the session that was meant goes on.",
		[]string{"logout-second-sid"}},
}
