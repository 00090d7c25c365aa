// Package codes checks the identifiers and code values that government registers carry: citizen identity numbers,
// unified social credit codes, organisation codes, certificate identifiers, project codes, mobile numbers, division
// codes, resource codes, and the national code lists.
//
// Every check is pure and says what is wrong as findings: errors (the value cannot be right) and warnings (the value is
// unusual and may be right). A check stops at the first error and names the rule that broke by a stable code. No message
// repeats the value, so findings may be logged, stored and shown to people who may not see the data.
//
// Checks judge a value exactly as it is given. Lower-case letters, full-width digits and blanks around are the matter of
// the Normalise functions, which callers apply first when they want such input accepted; the raw value stays with them.
package codes
