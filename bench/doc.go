// Package bench measures the hub against its peers and limits on the same machine, side by side in one run. Ratios count;
// absolute times drift with the machine. `make bench` runs everything; nothing here decides a test.
package bench
