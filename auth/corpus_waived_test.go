package auth_test

// waived are the cases that are not run, each with the reason.
var waived = map[string]waiver{
	"BRR-027": {absent, "signing a person out everywhere"},
	"BRR-029": {absent, "disabled users"},
	"LOG-007": {absent, "the chained audit trail"},
}
