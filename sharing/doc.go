// Package sharing keeps who asked, on what terms, and what was granted.
//
// A request goes through the consumer's sign-off, the authority's acceptance and the provider's decision. Approving it
// writes decision, grant and evidence in one transaction: an approval is an enforced grant. Decide answers, for one call
// of one client, which single grant decides and on what terms; every door to the rows asks it.
package sharing
