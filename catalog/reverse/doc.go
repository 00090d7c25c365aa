// Package reverse proposes the items of a resource from the table that holds its data (反向编目): from the columns, comments
// and keys that the source states, and from what a bounded sample of its rows looks like.
//
// Each statement of a proposal carries its evidence as data, never a value of the sample. What the evidence does not bear is
// shown and not taken over; only protection (grade, mask) is taken over on less, because the compiler can lower it knowingly.
// The functions are pure: they read no source and store nothing.
package reverse
