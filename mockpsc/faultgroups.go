package mockpsc

import "slices"

// A faultGroup is a part of the list of faults beside the sign-in page.
type faultGroup struct {
	Key    string // of its name
	Faults []Fault
}

// FaultGroups are the faults that a sign-in can have, by where they strike. Those
// of the metadata strike before: they need an address.
func (v *view) FaultGroups() []faultGroup {
	return groupedFaults(slices.DeleteFunc(slices.Clone(allFaults()), func(f Fault) bool { return f.Where == "metadata" }))
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
