// Package console is the web console: pages of html/template with htmx over the same services as the HTTP contract, which
// hold every rule. A page shows what its reader may do (authz.Enforcer.Allowed) and nothing else; whether it happens is
// decided by the service when it is asked.
//
// Every sentence comes from messages/<language>/<area>.json. Pages carry no inline script or style, and nothing they need comes
// from another machine.
package console
