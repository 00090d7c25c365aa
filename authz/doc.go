// Package authz answers who may do what. casbin holds the rules; grants and ownership are facts handed in with the
// question. Its answers over the finite space of facts are kept in an immutable table per rule set, so a decision costs
// a look-up whatever the number of grants. Every node follows the policy log and refuses when it cannot confirm that its
// policy is current (see Follower).
package authz
