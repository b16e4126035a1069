// Package psc is the vocabulary of Pro Santé Connect: where its environments
// are, how it names people, what its userinfo document says, and what its codes
// mean. It speaks no HTTP and verifies no signature; package auth does.
//
// The first three names to know are [Environment], [NationalID] and [UserInfo].
package psc

import "strings"

// realm is the path of PSC's Keycloak realm on every host, "/auth" included,
// although newer Keycloaks would drop it.
const realm = "/auth/realms/esante-wallet"

// An Environment says where a Pro Santé Connect is.
type Environment struct {
	// Issuer is the exact iss of its tokens and of its metadata. Note that it is
	// on the "auth" host, not on the "wallet" host of the sign-in page.
	Issuer string

	// Discovery is the address of the metadata. Empty means Issuer +
	// "/.well-known/wallet-openid-configuration", PSC's own document: the
	// standard one names Keycloak's bare page as authorization_endpoint.
	Discovery string

	// AuthorizeHost is the host, with its port if it has one, on which the
	// authorization_endpoint may lie beside the issuer's own. Empty means on the
	// issuer's only.
	AuthorizeHost string

	// IssMayBeMissing lets a callback pass without the iss parameter of
	// RFC 9207 although the metadata announces it. A wrong or an empty iss is
	// refused all the same.
	IssMayBeMissing bool
}

// The two environments that the Agence du Numérique en Santé runs. Their
// metadata has announced RFC 9207 since 2025, but no answer that shows the
// parameter has been published, so it may be missing here.
var (
	Production = Environment{
		Issuer:          "https://auth.esw.esante.gouv.fr" + realm,
		AuthorizeHost:   "wallet.esw.esante.gouv.fr",
		IssMayBeMissing: true,
	}
	Sandbox = Environment{
		Issuer:          "https://auth.bas.psc.esante.gouv.fr" + realm,
		AuthorizeHost:   "wallet.bas.psc.esante.gouv.fr",
		IssMayBeMissing: true,
	}
)

// At returns the environment of a mock whose root is baseURL, such as
// "http://127.0.0.1:9090". It has PSC's paths, on one host.
func At(baseURL string) Environment {
	return Environment{Issuer: strings.TrimRight(baseURL, "/") + realm}
}
