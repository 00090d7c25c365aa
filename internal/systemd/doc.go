// Package systemd tells the service manager how the hub is, by the protocol of sd_notify(3).
package systemd
