// Package e2e holds the tests of CareLink in a real browser: a headless Chromium
// that goes to CareLink and to the simulated Pro Santé Connect as people do.
//
//	cd example/carelink/e2e && npm install && go test ./...
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
// something, no error of a script, nothing that comes from elsewhere, and what
// axe-core finds. axe is what npm install brings, or the file that AXE names;
// without it the rest is tested all the same, unless CI=true.
//
// Every page of the mock is in one table, mockPages, with the way to it: a new
// page is a line there, and its words in english. They are served by the package
// mockpsc itself, so that the table has its clock; the walks run the command.
//
// It is a module of its own, so that nobody who imports pscauth inherits the
// browser's driver.
package e2e
