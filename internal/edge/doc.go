// Package edge is where connections come in: TLS with a certificate that is read again when its files change, and who a
// caller is behind proxies.
package edge
