package auth_test

// waived are the cases that are not run, each with the reason.
var waived = map[string]waiver{}

// pendingFamilies have no interpreter yet.
var pendingFamilies = map[string]bool{
	"RTO": true, "CBK": true, "UIN": true, "JWK": true, "BRR": true, "TKN": true, "CKY": true, "MWR": true,
	"DSC": true, "LGO": true, "DOS": true, "CLK": true, "LOG": true,
}
