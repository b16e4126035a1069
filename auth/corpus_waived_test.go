package auth_test

// waived are the cases that are not run, each with the reason.
var waived = map[string]waiver{}

// pendingFamilies have no interpreter yet.
var pendingFamilies = map[string]bool{
	"BRR": true, "CKY": true, "MWR": true,
	"LGO": true, "DOS": true, "CLK": true, "LOG": true,
}
