// Package providers tests package auth at providers that are not ours: npm's
// oidc-provider, which is certified, and the one of zitadel/oidc. Both are
// configured to issue what Pro Santé Connect issues, and reached by their own
// discovery document. Where a return path leads is asked of a parser of addresses
// that is not ours either.
package providers
