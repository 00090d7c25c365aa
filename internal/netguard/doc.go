// Package netguard keeps the hub from being sent to addresses it must not reach: its own machine, the network segment's
// own addresses, and the metadata services of clouds. Addresses of sources and of notices are stated by people of many
// departments, so every connection to them is opened by a Policy, which judges the address that is really dialled, after
// names were resolved. A name that resolves to something harmless when it is checked and to something else later gains
// nothing by it.
package netguard
