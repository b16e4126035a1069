package mockpsc

// lenient reports whether a request that breaks a rule passes nevertheless; if
// so, whoever runs the mock is told.
func (s *Server) lenient(rule string) bool {
	if s.Lenient == nil {
		return false
	}
	s.Lenient(rule)
	return true
}

// strictly returns the first of the refusals that a milder provider would not
// make, or nil if this mock is mild.
func (s *Server) strictly(list []refusal) *refusal {
	for i := range list {
		if !s.lenient(list[i].rule) {
			return &list[i]
		}
	}
	return nil
}
