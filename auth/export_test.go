package auth

// NewMemorySessions lets the acceptance tests reach what Sessions nil means.
func NewMemorySessions() SessionStore { return newMemorySessions() }
