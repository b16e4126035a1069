package mockpsc

import (
	"net/url"
	"slices"
	"strconv"
)

// A faultGroup is a part of the list of faults beside the sign-in page.
type faultGroup struct {
	Key    string // of its name
	Faults []Fault
}

// firstFaults are those that are always listed: what every application must
// refuse. All of them would make every sign-in page a fifth longer, and a list in
// which nobody finds anything.
var firstFaults = []string{
	"wrong-state", "wrong-iss-parameter", "access-denied", "swapped-code",
	"token-500", "no-id-token",
	"wrong-nonce", "missing-nonce", "wrong-issuer", "wrong-audience", "expired", "missing-exp", "weak-acr", "wrong-at-hash",
	"duplicate-sub", "folded-sub", "bad-signature", "unknown-key", "alg-none", "hs256-public-key",
	"keys-of-another", "other-sub",
}

// FaultGroups are the faults that a sign-in can have, by where they strike. Those
// of the metadata strike before: they need an address.
func (v *view) FaultGroups() []faultGroup {
	return groupedFaults(slices.DeleteFunc(slices.Clone(allFaults()), func(f Fault) bool {
		return f.Where == "metadata" || !v.AllFaults && !slices.Contains(firstFaults, f.Name)
	}))
}

func groupedFaults(faults []Fault) []faultGroup {
	var list []faultGroup
	for _, f := range faults {
		key := "where_" + f.Where
		if n := len(list); n == 0 || list[n-1].Key != key {
			list = append(list, faultGroup{Key: key})
		}
		last := &list[len(list)-1]
		last.Faults = append(last.Faults, f)
	}
	return list
}

// AllFaultsURL is this page with all faults to choose from.
func (v *view) AllFaultsURL() string {
	return "/auth?attempt=" + url.QueryEscape(v.Attempt) + "&means=" + v.Means + "&faults=all"
}

// FaultCountText is how many there are to choose from then.
func (v *view) FaultCountText() string {
	n := 0
	for _, f := range allFaults() {
		if f.Where != "metadata" {
			n++
		}
	}
	return strconv.Itoa(n)
}
