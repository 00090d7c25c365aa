// Package dcat says what is open to the public in the vocabulary of data catalogues: DCAT as the application profile
// DCAT-AP 3.0.1 has it, in Turtle and in JSON-LD. It reads nothing and decides nothing: it turns what the directory hands out into
// a graph, and a graph into text.
//
// Every node has an address of its own, so that two pages that name the same department or the same theme agree on it and a
// harvester can put pages together. Addresses of entries are stable: they hold the code, which is never reused.
package dcat
