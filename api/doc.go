// Package api is the HTTP contract of the hub: routes, bodies, logins, problems and their OpenAPI description.
//
// Handlers bind, call one service method and write its answer. What is allowed, masked, filtered and recorded is decided
// inside the services, which the console calls as well. Every route is declared with the permission it needs; the guard in
// front of each handler finds out who asks and refuses callers whose roles could never be allowed, before a body is read.
//
// Management routes go through huma, which validates bodies by the schemas it publishes. The pull routes, which carry the
// load, are plain gin handlers beside it, in the same table of routes and the same OpenAPI document.
package api
