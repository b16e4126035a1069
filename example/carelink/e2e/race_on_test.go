//go:build race

package e2e

// raceDetector says that the tests, and so the program, run with it.
const raceDetector = true
