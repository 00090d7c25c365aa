// Package identity answers who is asking: people with passwords and sessions, and consuming systems with keys. It turns a
// bearer token into an authz.Principal; what the principal may do is for package authz.
//
// Accounts and rights are apart (三员分立): whoever creates an account does not give it rights, and whoever gives rights
// does not create accounts. The one exception is small: a department's admin may make operators of its own department.
package identity
