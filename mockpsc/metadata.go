package mockpsc

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// The document of the sandbox in January 2025, order, duplicates and oddities
// kept; only the hosts are replaced.
//
//go:embed metadata.json
var metadataText string

var metadataCompact = sync.OnceValue(func() string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(metadataText)); err != nil {
		panic("mockpsc: metadata.json: " + err.Error())
	}
	return b.String()
})

// metadata serves PSC's own document and Keycloak's stock one. They differ in
// the authorization endpoint: the stock one names Keycloak's bare page instead
// of the wallet's.
func (s *Server) metadata(a *answer, r *http.Request) {
	doc := metadataCompact()
	if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
		doc = strings.Replace(doc, "{wallet}/auth", "{issuer}/protocol/openid-connect/auth", 1)
	}
	doc = strings.NewReplacer("{issuer}", s.issuer(r), "{wallet}/auth", s.wallet(r)+"/auth"+liesOf(r).suffix).Replace(doc)
	out := &outgoing{issuer: s.issuer(r), status: http.StatusOK, document: []byte(doc)}
	chosen := s.metadataLies(r)
	bend(chosen, "metadata", out)
	a.told(chosen, "metadata")
	a.send(r, out)
}
