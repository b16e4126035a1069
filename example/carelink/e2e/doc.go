// Package e2e holds the tests of CareLink in a real browser: a headless Chromium
// that goes to CareLink and to the simulated Pro Santé Connect as people do.
//
//	cd example/carelink/e2e && go test ./...
//
// The tests build the program example/carelink, start it for each test on free
// ports with a database of its own, and know nothing of it but its pages. They
// need Chromium or Chrome (apt-get install chromium) and skip without it, unless
// CI=true or PSCAUTH_REQUIRE_CHROMIUM=1 says that it must be there.
//
// E2E_SCREENSHOTS=/some/directory keeps a picture of every page that the tests
// pass, one directory for each test. With -race the program is built with the
// race detector too.
//
// Every page of every test is looked at, whatever the test is about: one h1, a
// language, a title, no sideways scroll, no message of a browser that refused
// something, no error of a script.
//
// It is a module of its own, so that nobody who imports pscauth inherits the
// browser's driver.
package e2e
