package mockpsc

import "unique"

// own returns a string that is kept longer than the request it came with. What
// is read from a request is a piece of it, and would keep the whole of it; and
// the same few addresses come again and again.
func own(s string) string { return unique.Make(s).Value() }
