// Package alarm says what is wrong and sees to it that somebody hears of it.
//
// A rule is a query for the objects that something is wrong with now. Every 15 seconds one node, whichever comes first, asks
// all of them. What a rule finds has an open alarm; what it no longer finds is closed. So an alarm needs no event that could
// be missed, and an overdue schedule alarms although every scheduler is dead. Messages are written to an outbox in the
// transaction that opens, raises or closes an alarm, and any node sends them: at least once, with an id by which receivers
// know a repetition.
//
// The case that no node lives at all is for a probe outside; see docs/alarms.md.
package alarm
